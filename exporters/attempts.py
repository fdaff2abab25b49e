"""A Product from one exporter or from several, tried in order until ONNX Runtime agrees with the module.

The module with its inputs and outputs comes first and is made once. Each attempt at a graph is a process of its own
(`apart.py`); those that failed are notes. Where all did, the Product says what it lacks: the module is there to be
measured all the same.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exporters.apart import Tell, as_ours, out_of_memory, run_apart
from exporters.elsewhere import Made, make_elsewhere
from exporters.graphs.run import first_line
from exporters.quiet import quiet
from exporters.seam import ExportFailed, ExportUnsupported, Job, Product, Subject, exporters, load, versions
from exporters.warm import warm
from harness.core.nouns import Graph, Lack

FOLDER = "onnx/fp32"
FILE = "model.onnx"
_NOT_BEGUN = ("no_attention", "no_layout", "export_unsupported")
_STAGES = ("export", "load", "run", "agree")  # how far an attempt came


@dataclass(frozen=True)
class Attempt:
    """An exporter, and which of its ways."""

    name: str
    variant: str

    def __str__(self) -> str:
        return f"{self.name} ({self.variant})"


@dataclass(frozen=True)
class Graphed:
    """A graph that agrees: its opset, the outputs that it gives, what to say of it, versions of what made it."""

    opset: int
    gives: tuple[str, ...]
    notes: tuple[str, ...]
    versions: dict[str, str]


def product_of(job: Job, names: Sequence[str]) -> Product:
    """Raises ExportFailed or ExportUnsupported where there is no module, or it gives nothing that can be checked."""
    if job.request.precision != "fp32":
        raise ExportUnsupported(f"this exporter makes fp32, not {job.request.precision}")
    aside = job.out / ".making"
    warm()
    try:
        base: Product = run_apart(lambda stage: _subject(job, aside / "subject", stage), "build", job.limits)
        return _with_graph(job, base, _attempts(job, names), aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _subject(job: Job, folder: Path, stage: Tell) -> Product:
    """What raises where nobody expected it is still a build, or a forward pass, that failed."""
    from exporters.subject import make_subject

    reached = "build"

    def begins(name: str) -> None:
        nonlocal reached
        reached = name
        stage(name)

    with as_ours(lambda: f"{reached}_failed"):
        return make_subject(job, folder, begins)


def _attempts(job: Job, names: Sequence[str]) -> list[Attempt]:
    """Those that can be made here; raises ExportUnsupported where the only exporter cannot."""
    found = []
    for name in names:
        _, told = exporters()[name]
        if told["environment"] != "main":
            if told["environment"] in job.environments:
                found.append(Attempt(name, told["environment"]))
            elif len(names) == 1:
                raise ExportUnsupported(
                    f"exporter {name} needs the environment {told['environment']!r}: {told['install']}"
                )
            continue
        found += [Attempt(name, variant) for variant in load(name)[0].VARIANTS]
    return found


def _with_graph(job: Job, base: Product, attempts: Sequence[Attempt], aside: Path) -> Product:
    notes: list[str] = []
    best: Lack | None = None
    for number, attempt in enumerate(attempts):
        job.say(f"exporting {base.built_by}: {attempt}")
        path = aside / str(number) / FILE
        try:
            graphed = _try(job, attempt, aside / "subject", path)
        except (ExportFailed, ExportUnsupported) as failure:
            code = failure.code if isinstance(failure, ExportFailed) else "export_unsupported"
            notes.append(f"{attempt} failed: {code}: {failure}")
            job.say(notes[-1])
            lack = Lack(stage=_stage_of(code), code=code, reason=f"{attempt}: {failure}")
            if best is None or _reached(lack) > _reached(best):
                best = lack
            shutil.rmtree(path.parent, ignore_errors=True)
            continue
        (job.out / FOLDER).parent.mkdir(parents=True)
        path.parent.rename(job.out / FOLDER)
        others = sorted(file.name for file in (job.out / FOLDER).iterdir() if file.name != FILE)
        graph = Graph(file=f"{FOLDER}/{FILE}", external=tuple(f"{FOLDER}/{name}" for name in others))
        return replace(
            base, onnx={"fp32": graph}, opset=graphed.opset, exporter=attempt.name,
            expected={name: base.expected[name] for name in graphed.gives},
            notes=(*notes, *graphed.notes, *base.notes), versions=graphed.versions,
        )  # fmt: skip
    return replace(base, lacks={"onnx": best} if best else {}, notes=(*notes, *base.notes))


def _reached(lack: Lack) -> int:
    """How far an attempt came; one that could not begin is the least of reasons."""
    return -1 if lack.code in _NOT_BEGUN else _STAGES.index(lack.stage)


def _stage_of(code: str) -> Any:
    if code == "export_disagrees":
        return "agree"
    if code == "onnxruntime_refused":
        return "load"
    return "run" if code.startswith("onnxruntime_") or code in ("reference_timeout", "out_of_memory") else "export"


def _try(job: Job, attempt: Attempt, folder: Path, path: Path) -> Graphed:
    """A graph at `path` that agrees with the module."""
    path.parent.mkdir(parents=True)
    told = exporters()[attempt.name][1]
    elsewhere = job.environments.get(told["environment"])
    made: Made | None = None
    if elsewhere is not None:
        made = make_elsewhere(elsewhere, attempt.name, (folder, path), job.limits)
    found: Graphed = run_apart(
        lambda stage: _make_and_check(attempt, Subject.read(folder), path, made, stage), "export", job.limits
    )
    return found if made is not None else replace(found, versions=versions(told["packages"]))


def _make_and_check(attempt: Attempt, subject: Subject, path: Path, elsewhere: Made | None, stage: Tell) -> Graphed:
    from exporters.graphs.fit import fit, shared_outputs
    from exporters.subject import ignores, module_of

    with quiet():
        try:
            used: dict[str, str] = {}
            if elsewhere is None:
                made = load(attempt.name)[0].make(subject, path, attempt.variant)
            else:  # another release of the library decides there what a graph gives
                made, there = elsewhere
                # Two releases of one package took part: the module's is the main environment's.
                environment = exporters()[attempt.name][1]["environment"]
                used = {f"{environment}:{package}": release for package, release in there.items()}
                expected, less = shared_outputs(path, subject.expected)
                subject, made = replace(subject, expected=expected), (*made, *less)
            # Loaded anew: an export may leave its traces in a module.
            opset, fitted = fit(
                path, subject.inputs, subject.expected,
                lambda names: ignores(module_of(subject, "eager"), subject, names) if names else {},
            )  # fmt: skip
        except (ExportFailed, ExportUnsupported):
            raise
        except Exception as error:
            if out_of_memory(error):
                raise MemoryError(first_line(error)) from error
            raise ExportFailed("export_failed", f"{type(error).__name__}: {_telling(error)}") from error
        stage("onnxruntime")
        notes = (f"graph by {attempt}", *made, *fitted, _agreement(subject, path))
        return Graphed(opset, tuple(subject.expected), notes, used)


def _telling(error: BaseException) -> str:
    """The first error of a chain: exporters wrap what went wrong in reports of their own."""
    deepest = error
    while deepest.__cause__ is not None:
        deepest = deepest.__cause__
    said = first_line(deepest)
    if type(error).__module__.startswith("torch.onnx"):
        return f"{type(deepest).__name__}: {said}"  # its own first line is a banner
    return said if deepest is error else f"{first_line(error)[:80]} … {type(deepest).__name__}: {said}"


def _agreement(subject: Subject, path: Path) -> str:
    """A note on how far the graph is from the module; raises ExportFailed `export_disagrees` beyond all reason."""
    from exporters.checks import disagreement
    from exporters.graphs.run import run_onnxruntime

    try:
        got = run_onnxruntime(path, subject.inputs)
    except ImportError:
        return "onnxruntime is not installed: the graph was not checked against the module"
    share, sentence = disagreement(subject.expected, got)
    if sentence:
        # A runtime that changes the numbers as it optimises is wrong; the graph is not, nor are other runtimes.
        _, still = disagreement(subject.expected, run_onnxruntime(path, subject.inputs, as_it_stands=True))
        if still:
            raise ExportFailed("export_disagrees", f"the exported graph is wrong: {sentence}")
        return f"ONNX Runtime agrees with the module only where it optimises nothing; otherwise {sentence}"
    return f"ONNX Runtime agrees with the module within {share:.1g} of each output's scale"
