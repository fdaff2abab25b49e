"""What a foreign file says → a Run and the journal's records of its Rounds; and what is said of their results; pure.

The records are those of a Run that was measured here, so that `db rebuild` brings imported Runs back as it does others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from harness.core.digest import digest_of
from harness.core.events import PROTOCOL, Done, Hello, Note, Phase, Samples
from harness.core.foreign import Broken
from harness.core.imported import PREFIX, UNKNOWN, Imported, doubts_of
from harness.core.noise import noise_lines
from harness.core.nouns import Case, Model, Plan, PlannedCase, Policy
from harness.core.rounds import CaseResult, Round, Run, Verdict
from harness.imports import Foreign, ForeignPoint

Record = dict[str, Any]
# What `--state` may say of the points, and a file may have left out.
STATABLE = (
    "platform", "mode", "task", "backend", "device", "browser", "browser_version", "precision", "batch_size", "length",
    "threads", "model_type", "revision", "weights", "family",
)  # fmt: skip
_UNCHECKED = Verdict(checked=False, passed=False, reason="imported: another program measured it")


def run_of(foreign: Foreign, imported: Imported, digest: str, families: Mapping[str, str]) -> tuple[Run, list[Record]]:
    """The Run, and the records of its Rounds in order; `families` is architecture → family.

    A point that is there several times, with samples, is so many Rounds of one Case. Raises Broken for one that is so
    without, and for a file without any point.
    """
    if not foreign.points:
        raise Broken(f"{', '.join(imported.files)}: there is no point in it")
    machine = _described(foreign, imported)
    run_id = f"{PREFIX}{digest}"
    at = imported.measured_at or imported.imported_at
    cases: dict[str, Case] = {}
    numbers: dict[str, int] = {}
    records: list[Record] = []
    for point in foreign.points:
        case = case_of(point, foreign.tool, families)
        number = numbers[case.case_id] = numbers.get(case.case_id, 0) + 1
        if number > 1 and not point.samples:
            raise Broken(f"{imported.files[0]}: {case.slug} is there twice: read what tells them apart, too")
        cases[case.case_id] = case
        records += _round_records(run_id, case, number, at, point)
    run = Run(
        run_id=run_id,
        started_at=at,
        command=f"harness db import {' '.join(imported.files)} --from {imported.format}",
        machine={**machine, "machine_id": _machine_id(foreign, digest), "imported": imported.model_dump(mode="json")},
        plan=Plan(cases=tuple(PlannedCase(case=case) for case in cases.values()), policy=_policy(numbers.values())),
    )
    return run, records


def case_of(point: ForeignPoint, tool: str, families: Mapping[str, str]) -> Case:
    """What was measured, as far as the file says. Its options name the tool: no Case of ours asks for the same."""
    if point.mode is None:
        raise Broken(f"{point.model}: whether it is inference or training has to be known: --state mode=…")
    family = point.family or families.get(point.model_type or "", UNKNOWN)
    model = Model(
        name=point.model, kind="unknown", identity=point.model, architecture=point.model_type, revision=point.revision,
        weights=point.weights or "unknown", scale="unknown", family=family,
    )  # fmt: skip
    return Case(
        model=model,
        task=point.task or UNKNOWN,
        mode=point.mode,
        platform=point.platform or UNKNOWN,
        backend=point.backend or UNKNOWN,
        device=point.device or UNKNOWN,
        browser=point.browser,
        precision=point.precision or UNKNOWN,
        batch_size=point.batch_size or 0,
        length=point.length,
        threads=point.threads or 0,
        options={**point.options, "imported": tool},
    )


def with_stated(point: ForeignPoint, stated: Mapping[str, Any]) -> ForeignPoint:
    """The point with what its file leaves open. Raises Broken where the file says something else."""
    for key, value in stated.items():
        told = getattr(point, key)
        if told not in (None, UNKNOWN, value):
            raise Broken(f"{point.model}: the file says {key}={told}, --state {key}={value}")
    return replace(point, **stated)


def not_told(points: Sequence[ForeignPoint]) -> list[str]:
    """What no point says."""
    names = {each.name for each in fields(ForeignPoint)} & set(STATABLE)
    return [
        name for name in STATABLE if name in names and all(getattr(each, name) in (None, UNKNOWN) for each in points)
        and not (name == "family" and any(each.model_type for each in points))  # the catalogue tells it
        and not (name in ("browser", "browser_version") and all(each.browser is None for each in points))
    ]  # fmt: skip


def result_as_told(imported: Imported, result: CaseResult, rounds: Sequence[Round]) -> CaseResult:
    """The result with the summaries that the file gives where there are no samples to make them of, and with where it
    came from as its first doubt. Where something stopped, and at which stage, only its tool knows."""
    told: dict[str, float] = {}
    for one in rounds:
        told |= one.provenance.get("told") or {}
    metrics = {**told, **{name: value for name, value in result.metrics.items() if value is not None}}
    known = {name: metrics.get(name) for name in {**result.metrics, **told}}
    doubts = result.doubts
    if not any(one.samples for one in rounds):
        # Those that count samples would tell of ours, of which there are none; what the file itself doubts stays.
        own = {str(doubt) for one in rounds for doubt in one.provenance.get("doubts") or ()}
        doubts = ("summaries only: the file has no samples", *(doubt for doubt in doubts if doubt in own))
    return result.model_copy(update={"metrics": known, "doubts": (*doubts_of(imported), *doubts), "stage": None})


def _policy(rounds: Any) -> Policy:
    """Nobody planned it here: of a budget nothing is known, and nobody looked if the machine was quiet."""
    return Policy(rounds=max(rounds), budget_ns=0, quiet="off", origin="imported")


def _described(foreign: Foreign, imported: Imported) -> Mapping[str, Any]:
    """The file's description of its machine, if what reads descriptions here can read it; without what it reached,
    which would be held against the numbers of other tools."""
    machine = {key: value for key, value in foreign.machine.items() if key != "roofs"}
    try:
        noise_lines(machine)
    except (AttributeError, TypeError, KeyError) as error:
        raise Broken(f"{imported.files[0]}: its machine is described in a form that nobody can read") from error
    return machine


def _machine_id(foreign: Foreign, digest: str) -> str:
    """Never that of a machine that measured for this harness; of one that is not described, the file's own."""
    if not foreign.machine:
        return f"{PREFIX}{UNKNOWN}-{digest}"
    return f"{PREFIX}{foreign.machine.get('machine_id') or digest_of(foreign.machine)}"


def _round_records(run_id: str, case: Case, number: int, at: str, point: ForeignPoint) -> list[Record]:
    round_id = f"{run_id}-{case.case_id}-{number}"
    browser = {"version": point.browser_version} if point.browser_version else {}
    hello = Hello(
        protocol=PROTOCOL,
        side="native" if point.browser is None else "page",
        runtime=dict(point.runtime),
        provenance={
            **({"browser": browser} if browser else {}),
            **({"webgpu": {"software": point.software}} if point.software is not None else {}),
            **({"fallback_share": point.fallback_share} if point.fallback_share is not None else {}),
            **({"doubts": list(point.doubts)} if point.doubts else {}),
        },
    )
    events: list[Any] = [hello]
    events += [Phase(phase=name, duration_ns=duration) for name, duration in point.phases_ns.items()]
    events += [
        Samples(phase=phase, clock=taken.clock, runs_per_sample=1, durations_ns=taken.durations_ns)
        for phase, taken in point.samples.items()
    ]
    if point.samples:
        events.append(Done(stopped_by="rule of its own tool"))
    if point.memory_bytes:
        events.append(Note(kind="memory", text="as the file tells it", data=dict(point.memory_bytes)))
    about = {"told": dict(point.told), "foreign": dict(point.more)}
    begin = {"record": "round", "round_id": round_id, "case_id": case.case_id, "number": number}
    end = {"record": "round_end", "round_id": round_id}
    return [
        {**begin, "started_at": at, "about": about},
        *({"record": "event", "round_id": round_id, "event": event} for event in events),
        {"record": "verdict", "round_id": round_id, "verdict": _UNCHECKED},
        {**end, "outcome": point.outcome, "code": point.code, "reason": point.reason},
    ]
