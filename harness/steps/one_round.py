"""execute → measure: one Round, journalled as it happens, judged, and read back from its own records."""

import contextlib
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import catalog
from harness.core.errors import ProtocolViolation
from harness.core.events import Alive, Conversation, Done, Failed, Note, Refused
from harness.core.nouns import Artifact, Case, PlannedRound
from harness.core.rounds import Round, Run, Verdict
from harness.core.units import parse_rate
from harness.execute.executor import Assignment
from harness.execute.looking import picture_of
from harness.execute.watchdog import watched
from harness.measure.artifacts import about_artifact
from harness.measure.assemble import assemble_round
from harness.measure.verify import judge
from harness.steps.auditing import KeptAnswers, Tick, tick_of
from harness.steps.quiet import noting_steal
from harness.steps.workplace import Workplace
from harness.store.journal import Journal

_REHEARSED_PHASES = 4
_RUNTIME_BYTES = 50_000_000  # more than any of the page's runtimes has
_CLOCK_MOVED_S = 2.0  # a time server nudges by less
_Keep = Callable[[dict[str, Any]], None]


def _silence_limit_s(planned: PlannedRound, run: Run, artifact: Artifact) -> float:
    """A rehearsal's fetch, load and two runs are not heard one by one: each may take as long as a phase.

    What a download takes at the rate that was asked for comes on top.
    """
    phases = 1 + _REHEARSED_PHASES if planned.case.cache == "warm" else 1
    limit_s = phases * run.plan.policy.silence_limit_ns / 1e9
    if planned.case.network is None:
        return limit_s
    size_bytes = _RUNTIME_BYTES + sum(file.size_bytes for file in artifact.files)
    return limit_s + size_bytes * 8 / parse_rate(planned.case.network)


def _roof_of(run: Run, case: Case) -> dict[str, Any]:
    """What the CPU reached at the Case's number of threads, where it computes and that was measured in this Run.

    The roof is of all CPUs: of a Case that keeps to some it says nothing.
    """
    found = (run.machine.get("roofs") or {}).get(str(case.threads))
    return {"roof": found} if found and case.computes_on_cpu and case.affinity is None else {}


def now() -> str:
    """This moment in UTC, ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


async def do_round(
    planned: PlannedRound, run: Run, artifact: Artifact, workplace: Workplace, journal: Journal,
    answers: KeptAnswers | None = None,
) -> Round:  # fmt: skip
    """One Round: execute, journal every Event, judge, journal the verdict; the Round is read back from the records."""
    round_id = f"{run.run_id}-{secrets.token_hex(4)}"
    records: list[dict[str, Any]] = []

    def keep(record: dict[str, Any]) -> None:
        records.append(journal.append(record))

    keep({
        "record": "round", "round_id": round_id, "case_id": planned.case.case_id, "number": planned.number,
        "purpose": planned.purpose, "started_at": now(), "artifact": artifact.digest,
        "about": {**about_artifact(artifact, planned.case), **_roof_of(run, planned.case)},
    })  # fmt: skip
    before = _clocks()
    outputs_dir = Path(tempfile.mkdtemp(prefix="harness-outputs-"))
    try:
        assignment = Assignment(
            round_id=round_id, case=planned.case, artifact=artifact,
            artifact_dir=workplace.artifacts / artifact.digest, outputs_dir=outputs_dir,
            policy=run.plan.policy.loop(), silence_limit_s=_silence_limit_s(planned, run, artifact),
            first_round=planned.number == 1, number=planned.number, purpose=planned.purpose,
        )  # fmt: skip
        with noting_steal(round_id, run, keep):
            conversation, ticks = await _converse(assignment, workplace, keep)
        verdict = None
        if isinstance(conversation.last, Done):
            verdict = _judge(assignment, conversation)
            keep({"record": "verdict", "round_id": round_id, "verdict": verdict})
        about = answers.note(assignment, conversation, ticks) if answers is not None else None
        for note in filter(None, (about, _clock_moved(before), _pictured(workplace, round_id))):
            keep({"record": "event", "round_id": round_id, "event": note})
        keep({"record": "round_end", "round_id": round_id, **_end_of(conversation, verdict)})
    finally:
        shutil.rmtree(outputs_dir, ignore_errors=True)
    journal.sync()
    return assemble_round(run.run_id, records)


def _clocks() -> tuple[float, float]:
    """The clock on the wall, and the one that nobody sets."""
    return time.time(), time.monotonic()


def _clock_moved(before: tuple[float, float]) -> Note | None:
    """A warning when the wall clock went otherwise than the steady one. No duration is taken from it; but when a Round
    was measured is, and a machine that slept meanwhile is not the machine it was."""
    wall_s, steady_s = (now_ - then for now_, then in zip(_clocks(), before, strict=True))
    if abs(wall_s - steady_s) < _CLOCK_MOVED_S:
        return None
    text = f"the wall clock moved by {wall_s - steady_s:+.0f} s: it was set, or the machine slept; durations are steady"
    return Note(kind="warning", text=text)


def _pictured(workplace: Workplace, round_id: str) -> Note | None:
    """Said here, since a page that fell silent was pictured when nobody listened any more."""
    folder = workplace.seeing.screenshots
    if folder is None or not picture_of(folder, round_id).exists():
        return None
    return Note(kind="warning", text=f"a screenshot of the failure: {picture_of(folder, round_id)}")


async def _converse(assignment: Assignment, workplace: Workplace, keep: _Keep) -> tuple[Conversation, list[Tick]]:
    """Listen until the last word; an Event out of order becomes the last word itself. Ticks: see steps/auditing.py."""
    conversation, ticks = Conversation(), list[Tick]()
    side = catalog.backends()[assignment.case.backend].side
    spoken = workplace.executors[side].execute(assignment)
    limits = (assignment.silence_limit_s, assignment.policy.slice_ns / 1e9)
    async with contextlib.aclosing(watched(spoken, *limits, workplace.seeing.pause)) as events:
        async for event in events:
            if tick := tick_of(event):
                ticks.append(tick)
            try:
                conversation.accept(event)
            except ProtocolViolation as error:
                event = Failed(code="protocol", reason=str(error))
                conversation.last = event
            if not isinstance(event, Alive):
                keep({"record": "event", "round_id": assignment.round_id, "event": event.model_dump(mode="json")})
            workplace.watcher.heard(event)
            if conversation.ended:
                break
    return conversation, ticks


def _end_of(conversation: Conversation, verdict: Verdict | None) -> dict[str, str | None]:
    """Outcome, code and reason of a Round, from its last word and the judge's: fast but wrong has failed."""
    last = conversation.last
    if isinstance(last, Failed):
        return {"outcome": "failed", "code": last.code, "reason": last.reason}
    if isinstance(last, Refused):
        return {"outcome": "unsupported", "code": None, "reason": last.reason}
    if verdict is None:
        return {"outcome": "failed", "code": "protocol", "reason": "it ended without a last word"}
    if not verdict.passed:
        return {"outcome": "failed", "code": "wrong_output", "reason": verdict.reason}
    return {"outcome": "ok", "code": None, "reason": None}


def _judge(assignment: Assignment, conversation: Conversation) -> Verdict:
    """The one judge's verdict. A backend that made the reference itself is not checked by agreeing with itself."""
    case, artifact = assignment.case, assignment.artifact
    verdict = judge(artifact, assignment.artifact_dir, conversation.outputs, assignment.outputs_dir, case)
    if artifact.reference.startswith("onnxruntime") and case.backend == "onnxruntime" and verdict.passed:
        return verdict.model_copy(update={"checked": False, "reason": "it is the reference itself"})
    return verdict
