"""Selection → Plan: every point that was asked for is a Case; the impossible ones already carry their reason."""

import importlib.util
import math
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, Literal

import psutil

from harness import catalog
from harness.core.asked import why_not_at
from harness.core.content import LARGEST_INPUTS_BYTES, files_of_inputs, sha256_of_inputs
from harness.core.errors import UserMistake
from harness.core.nouns import (
    PRECISION_ALIASES,
    PRECISIONS,
    Case,
    Isolation,
    Model,
    Plan,
    PlannedCase,
    PlanPurpose,
    Policy,
    ScheduleName,
    Task,
)  # fmt: skip
from harness.core.plugins import Backend
from harness.core.units import BYTES_PER_MB, human_bytes, parse_duration
from harness.plan.asked_versions import (
    Published,
    browser_asked,
    nobody_asked,
    runtimes_asked,
    runtimes_of,
)  # fmt: skip
from harness.plan.models import Lookup, local_path, resolve_model
from harness.plan.order import names_of
from harness.plan.selection import Selection
from harness.plan.sets import models_asked
from harness.plan.until_decided import until_decided

# Planning takes some 0.2 ms a point: what is beyond this is a slip, and would look like a hang.
MOST_POINTS = 50_000
# What `--memory-limit` tries where nobody typed sizes. Powers of two: each step costs an export, since shapes are
# static, and only those up to the first one over the limit are made.
SEARCHED_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_PAGE_NEEDS = ("aiohttp", "playwright")
_PROVIDES = {"architecture": {"hf", "onnx"}, "pretrained": {"hf", "onnx"}, "onnx": {"onnx"}}


def default_threads() -> int:
    """Physical cores, at most 4: the same for every backend, else native ÷ browser is a false number."""
    return min(4, psutil.cpu_count(logical=False) or psutil.cpu_count() or 1)


def cpus_here() -> tuple[int, ...]:
    """Numbers of the logical CPUs that this process may run on; where the system does not tell, all that there are."""
    try:
        return tuple(psutil.Process().cpu_affinity() or ())
    except AttributeError:  # macOS
        return tuple(range(psutil.cpu_count() or 1))


def _threads(selection: Selection) -> int:
    """More threads than CPUs only take turns: nobody gets that unasked."""
    return selection.threads or min(default_threads(), len(selection.affinity or range(default_threads())))


def default_isolation() -> Isolation:
    """How a Round's process comes to be where nobody asked."""
    isolation: Isolation = Case.model_fields["isolation"].default
    return isolation


def _isolation(purpose: PlanPurpose, backend: Backend, browser: str | None) -> Isolation:
    """What is not timed may share what was started already, wherever that can be."""
    if purpose == "timing":
        return default_isolation()
    can = _no_zygote() is None if backend.side == "native" else catalog.browsers()[browser or ""].keeps
    return "zygote" if can else "process"


def make_plan(
    selection: Selection, lookup: Lookup, published: Published = nobody_asked, purpose: PlanPurpose = "timing"
) -> Plan:
    """All points of the selection, each once; raises UserMistake for names and versions that nobody knows."""
    _refuse_unknown_names(selection)
    if selection.memory_limit is not None and selection.reuses:
        raise UserMistake(
            "search_measures", "--memory-limit searches by measuring: what other runs took is not known to it",
            "leave --incremental out",
        )  # fmt: skip
    selection = _with_exact_versions(selection, published)
    places = [place for name in _hardware(selection) for place in _places(name, selection)]
    for unused in [name for name in selection.backend if all(place[0].name != name for place in places)]:
        offered = ", ".join(catalog.backends()[unused].platforms)
        raise UserMistake("unused_backend", f"no --hardware asked for has backend {unused}", f"it has {offered}")
    names = models_asked(selection)
    _refuse_too_many(selection, len(names) * len(places))
    models = [resolve_model(name, selection, lookup) for name in names]
    planned: dict[str, PlannedCase] = {}
    for model in models:
        task, doubt = _task_of(model, selection)
        for (backend, platform, device, browser, runtime), precision in product(places, selection.precision):
            for batch_size, length in _sizes(model, task, selection):
                case = Case(
                    model=model, task=task.name, mode=selection.mode, platform=platform, backend=backend.name,
                    device=device, browser=browser[0], browser_version=browser[1], runtime=runtime, precision=precision,
                    batch_size=batch_size, length=length, threads=_threads(selection), affinity=selection.affinity,
                    outputs=selection.outputs, cache=selection.cache, network=selection.network,
                    isolation=selection.isolation or _isolation(purpose, backend, browser[0]),
                    exporter=selection.exporter, options=selection.option, seed=selection.seed,
                    **_graph_inputs(model, selection),
                )  # fmt: skip
                reason = doubt or why_not(case, backend)
                outcome: Literal["unsupported"] | None = "unsupported" if reason else None
                planned.setdefault(case.case_id, PlannedCase(case=case, outcome=outcome, reason=reason))
    policy = Policy(
        purpose=purpose, rounds=selection.rounds, budget_ns=parse_duration(selection.budget), seed=selection.seed,
        silence_limit_ns=parse_duration(selection.timeout), quiet=selection.quiet,
        profile=selection.profile, audit=selection.audit, roofline=selection.roofline, schedule=_schedule_of(selection),
        priority=_priority(selection, [point.case for point in planned.values()]),
        memory_limit_bytes=None if selection.memory_limit is None else selection.memory_limit * BYTES_PER_MB,
    )  # fmt: skip
    plan = Plan(cases=tuple(planned.values())[: selection.limit], policy=policy)
    return until_decided(plan, selection.margin) if selection.until_decided else plan


def _schedule_of(selection: Selection) -> ScheduleName:
    """The search is progressive by itself."""
    if selection.memory_limit is not None:
        return "memory_limit"
    if selection.until_decided:
        return "until_decided"
    return "progressive" if selection.progressive else "interleaved"


def _priority(selection: Selection, cases: Sequence[Case]) -> tuple[str, ...]:
    """The names, each of which some Case answers to; raises UserMistake with the nearest that one does."""
    if not selection.priority:
        return ()
    known = {name for case in cases for name in names_of(case)}
    if unknown := [name for name in selection.priority if name not in known]:
        raise catalog.unknown("priority", unknown[0], known)
    return selection.priority


def _with_exact_versions(selection: Selection, published: Published) -> Selection:
    """The same, with browsers and runtimes in exact versions; raises UserMistake for what is not published or used."""
    browsers = tuple(
        typed if typed == "all" else "@".join(filter(None, browser_asked(typed, published)))
        for typed in selection.browser
    )
    runtimes = runtimes_asked(selection.runtime, published)
    offered = {name.partition(":")[0] for name in _hardware(selection)}
    backends = [offer for name in offered for offer in catalog.platforms().get(name, ())]
    if unused := [each for each in runtimes if not any(each.rpartition("@")[0] in one.runtimes for one in backends)]:
        raise UserMistake("unused_runtime", f"no --hardware asked for loads {unused[0]}", "add a platform of the web")
    return selection.model_copy(update={"browser": browsers, "runtime": runtimes})


def _refuse_too_many(selection: Selection, models_and_places: int) -> None:
    swept = (selection.precision, selection.batch_size, selection.length)
    points = models_and_places * math.prod(max(1, len(values)) for values in swept)
    if points > MOST_POINTS:
        many = "take a --sample of the architectures, or " if selection.all or selection.family else ""
        raise UserMistake(
            "too_many_cases", f"the selection has {points:,} points, more than {MOST_POINTS:,}",
            f"{many}ask for fewer values at once, in several runs",
        )  # fmt: skip


def _refuse_unknown_names(selection: Selection) -> None:
    """Names that no plug-in knows are a mistake of typing; what only this backend lacks is an answer (`why_not`)."""
    if selection.exporter is not None and selection.exporter not in catalog.exporters():
        raise catalog.unknown("exporter", selection.exporter, catalog.exporters())
    for precision in selection.precision:
        if precision not in PRECISIONS:
            raise catalog.unknown("precision", precision, (*PRECISIONS, *PRECISION_ALIASES))
    here = cpus_here()
    if absent := [str(cpu) for cpu in selection.affinity or () if cpu not in here]:
        said = f"CPU {', '.join(absent[:8])} is not there for this process"
        raise UserMistake("unknown_cpu", said, f"it may run on {', '.join(map(str, here))}")
    for name in selection.backend:
        if name not in catalog.backends():
            raise catalog.unknown("backend", name, catalog.backends())
    known = {name for backend in catalog.backends().values() for name in backend.options}
    for option in selection.option:
        if option not in known:
            raise catalog.unknown("option", option, known)


def why_not(case: Case, backend: Backend) -> str | None:
    """The reason why a Case is impossible, as far as it can be known before anything is started."""
    if case.mode not in backend.modes:
        return f"{backend.name} does not offer {case.mode} here"
    if backend.tasks and case.task not in backend.tasks:
        return f"{backend.name} does {', '.join(backend.tasks)} here, not {case.task}"
    if "any" not in backend.formats and not _PROVIDES[case.model.kind] & set(backend.formats):
        return f"{backend.name} reads {', '.join(backend.formats)}; a bare .onnx graph has no such form"
    if case.outputs not in backend.outputs:
        return (
            f"{backend.name} leaves outputs on the {' or the '.join(backend.outputs)} here, not on the {case.outputs}"
        )
    if strange := [name for name in case.options if name not in backend.options]:
        return f"{backend.name} has no option {', '.join(strange)}"
    if case.precision not in backend.precisions:
        generic = f"{backend.name} offers {', '.join(backend.precisions)} here, not {case.precision}"
        return backend.refuses.get(case.precision, generic)
    if case.browser and (reason := why_not_at(catalog.browsers()[case.browser], case.browser_version)):
        return reason
    if case.cache == "warm" and backend.side == "native":
        return f"{backend.name} has no browser's profile to be warm in: --cache warm is for pages"
    if case.affinity is not None and backend.side == "page":
        return (
            f"a browser's processes choose their CPUs themselves: --affinity is for native backends, not {case.browser}"
        )
    if case.network is not None and backend.side == "native":
        return f"{backend.name} downloads nothing: --network is for pages"
    if case.cache == "warm" and case.browser and catalog.browsers()[case.browser].driver == "attach":
        return f"{case.browser} has a profile that is its owner's: --cache warm is for browsers that are started here"
    if case.isolation == "zygote" and backend.side == "native" and (reason := _no_zygote()):
        return reason
    if case.isolation == "zygote" and case.browser and not catalog.browsers()[case.browser].keeps:
        return f"{case.browser} cannot be kept for another round: use --isolation process"
    return not_installed(backend)


def _no_zygote() -> str | None:
    """Why a process cannot be forked here and go on as if it were fresh; None where it can."""
    if sys.platform != "linux":  # macOS' own libraries refuse to go on after a fork, Windows has none
        return f"a zygote forks, which is safe on Linux and not on {sys.platform}: use --isolation process"
    return None if hasattr(os, "pidfd_open") else "a zygote needs Linux 5.3 or later: use --isolation process"


def not_installed(backend: Backend) -> str | None:
    """What the backend needs and is not here, and how to mend it; None when all is here. Nothing is imported."""
    missing = _missing_packages(backend)
    return f"{', '.join(missing)} is not installed: {backend.install}" if missing else None


def _missing_packages(backend: Backend) -> list[str]:
    if backend.side == "native":
        return [name for name in backend.packages if not _importable(name)]
    missing = [name for name in backend.packages if not (catalog.PAGE_ROOT / "node_modules" / name).is_dir()]
    return missing + [f"the Python package {name}" for name in _PAGE_NEEDS if not _importable(name)]


def _importable(package: str) -> bool:
    return importlib.util.find_spec(package.replace("-", "_")) is not None


def _hardware(selection: Selection) -> list[str]:
    """The names typed, with `all` standing for every platform but those that are for tests."""
    every = [name for name, offers in catalog.platforms().items() if not offers[0].for_tests]
    return [name for typed in selection.hardware for name in (every if typed == "all" else [typed])]


_Place = tuple[Backend, str, str, tuple[str | None, str | None], str | None]


def _places(name: str, selection: Selection) -> Iterator[_Place]:
    """Backend, platform, device, (browser, version) and runtime of one `--hardware` name."""
    platform, _, device = name.partition(":")
    offers = catalog.platforms().get(platform)
    if offers is None:
        raise catalog.unknown("hardware", platform, catalog.platforms())
    asked = dict.fromkeys(selection.backend)
    for backend in [offer for name in asked for offer in offers if offer.name == name] or offers[:1]:
        yield from _places_of(backend, platform, device, selection)


def _places_of(backend: Backend, platform: str, device: str, selection: Selection) -> Iterator[_Place]:
    devices = backend.platforms[platform].devices
    if device and device not in devices:
        raise catalog.unknown("device", device, devices)
    if backend.side == "native":
        yield backend, platform, device or devices[0], (None, None), None
        return
    # All that can be started: nobody comes with a device because somebody asked for all browsers.
    ours = tuple(name for name, each in catalog.browsers().items() if each.driver != "attach")
    every = dict.fromkeys(each for typed in selection.browser for each in (ours if typed == "all" else (typed,)))
    for browser, runtime in product(every, runtimes_of(backend, selection.runtime)):
        browser_name, _, version = browser.partition("@")
        yield backend, platform, device or devices[0], (browser_name, version or None), runtime


def _task_of(model: Model, selection: Selection) -> tuple[Task, str | None]:
    """The Task, and why it cannot be: the model's architecture is not in the catalogue, or has no class for it."""
    tasks = catalog.tasks()
    if selection.task is not None and selection.task not in tasks:
        raise catalog.unknown("task", selection.task, tasks)
    if model.kind == "onnx":
        return tasks["graph"], None
    known = catalog.architectures().get(model.architecture or "")
    if known is None and model.trust_remote_code:  # its own code says what it is; the exporter sees whether it fits
        return tasks[selection.task or "feature-extraction"], None
    if known is None:
        reason = f"architecture {model.architecture!r} is not in the catalogue: see `harness models`"
        return tasks[selection.task or "feature-extraction"], reason
    fits = catalog.fitting_tasks().get(known.name, {})
    if selection.task and model.kind == "architecture" and selection.task not in fits:
        return tasks[selection.task], f"{known.name} does {', '.join(fits)} here, not {selection.task}"
    return tasks[selection.task or known.task], None


def _sizes(model: Model, task: Task, selection: Selection) -> Iterator[tuple[int, int | None]]:
    if model.kind == "onnx":  # its sizes are its own; symbolic ones are given with --dim
        yield 1, None
        return
    lengths: tuple[int | None, ...] = (task.length_default,)
    if task.length_default and selection.length:
        lengths = selection.length
    searching = selection.memory_limit is not None and "batch_size" not in selection.model_fields_set
    yield from product(SEARCHED_BATCHES if searching else selection.batch_size, lengths)


def _graph_inputs(model: Model, selection: Selection) -> dict[str, Any]:
    """What only a bare .onnx takes: sizes of its symbolic dimensions, and inputs of the user's own."""
    if model.kind != "onnx":
        return {}
    given: dict[str, Any] = {"dims": selection.dim}
    if selection.inputs is not None:
        hint = "--inputs takes an .npz file or a folder"
        path = local_path(selection.inputs, hint)
        files = files_of_inputs(path)
        size_bytes = sum(file.stat().st_size for file in files)
        if size_bytes > LARGEST_INPUTS_BYTES:
            raise UserMistake(
                "inputs_too_large",
                f"{path} holds {human_bytes(size_bytes)}, more than {human_bytes(LARGEST_INPUTS_BYTES)}", hint,
            )  # fmt: skip
        given |= {"inputs": sha256_of_inputs(files), "inputs_path": str(path)}
    return given
