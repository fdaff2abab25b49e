"""The whole story: plan → export → [next Round → execute → measure → store]* → results.

Everything is journalled as it happens; the database is fed from what was journalled, between Rounds. So a run that is
interrupted, or whose database is locked, has lost nothing: `rebuild` (or the next run) reads the journal again.
"""

import asyncio
import contextlib
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from harness import catalog
from harness.core.errors import ProtocolViolation, Unsupported, UserMistake
from harness.core.events import Alive, Conversation, Done, Event, Failed, Refused
from harness.core.nouns import Artifact, ArtifactRequest, Case, Plan, PlannedCase, PlannedRound
from harness.core.rounds import CaseResult, Round, Run, Verdict
from harness.execute.executor import Assignment, Executor
from harness.export.cache import ArtifactCache
from harness.export.process import ExportFailed
from harness.export.request import digest_of_request, request_for
from harness.measure.assemble import assemble, assemble_round
from harness.measure.host import memory_of_tree
from harness.measure.machine import fingerprint
from harness.measure.results import case_result
from harness.measure.verify import judge
from harness.plan.schedule import Interleaved, Schedule
from harness.store.database import open_for_writing
from harness.store.ingest import ingest_run
from harness.store.journal import Journal, journal_path, read_journal
from harness.store.live import LiveStore

_Keep = Callable[[dict[str, Any]], None]


class Watcher(Protocol):
    """Who looks on: told of every step, never asked. All methods return at once."""

    def started(self, run_id: str, plan: Plan) -> None: ...
    def exporting(self, request: ArtifactRequest, text: str) -> None: ...
    def round_started(self, planned: PlannedRound, total: int) -> None: ...
    def heard(self, event: Event) -> None: ...
    def round_ended(self, round_: Round, result: CaseResult) -> None: ...
    def warned(self, text: str) -> None: ...


@dataclass(frozen=True)
class Workplace:
    """Where things lie and who does the work."""

    database: Path
    executors: Mapping[str, Executor]  # "native", "page"
    watcher: Watcher

    @property
    def artifacts(self) -> Path:
        return self.database.parent / "artifacts"


@dataclass(frozen=True)
class Exported:
    """case_id → Artifact, the Plan with the outcome of what could not be exported, and how many had to be made."""

    artifacts: dict[str, Artifact]
    plan: Plan
    made: int


@dataclass
class Outcome:
    """What a run came to; `exported` counts the Artifacts that had to be made."""

    run: Run
    results: list[tuple[Case, CaseResult]] = field(default_factory=list)
    exported: int = 0


def real_executors() -> dict[str, Executor]:
    """The executors of this machine; their libraries are imported with the first Round that needs them."""
    from harness.execute.native import NativeExecutor
    from harness.execute.page import PageExecutor

    return {"native": NativeExecutor(memory_of_tree), "page": PageExecutor(memory_of_tree)}


async def run_plan(plan: Plan, workplace: Workplace, command: str) -> Outcome:
    """Carry out the Plan; on cancellation (Ctrl-C) what was measured is kept and CancelledError goes on."""
    run = Run(run_id=_new_run_id(), started_at=_now(), command=command, machine=fingerprint(), plan=plan)
    workplace.watcher.started(run.run_id, plan)
    outcome = Outcome(run)
    exported = await export_all(plan, workplace)
    outcome.exported = exported.made
    outcome.run = run = run.model_copy(update={"plan": exported.plan})
    async with _recording(outcome, workplace) as (journal, store):
        schedule: Schedule = Interleaved(run.plan)
        history: list[Round] = []
        while planned := schedule.next(history):
            workplace.watcher.round_started(planned, schedule.total)
            round_ = await _do_round(planned, run, exported.artifacts, workplace, journal)
            history.append(round_)
            mine = [earlier for earlier in history if earlier.case_id == round_.case_id]
            result = _result(run.run_id, planned.case, mine)
            store.add(round_, _metrics_of(round_, planned.case), planned.case, result)
            workplace.watcher.round_ended(round_, result)
    outcome.results = results_of(outcome.run, history)
    return outcome


async def export_all(plan: Plan, workplace: Workplace) -> Exported:
    """All exporting, before the first timing; Cases that cannot be exported get their outcome in the Plan."""
    made = 0
    cache = ArtifactCache(workplace.artifacts)
    artifacts: dict[str, Artifact] = {}
    reasons: dict[str, tuple[str, str, str]] = {}
    planned: list[PlannedCase] = []
    for point in plan.cases:
        if point.outcome is None:
            request = request_for(point.case)
            digest = digest_of_request(request)
            artifact = cache.find(request)
            if artifact is None and digest not in reasons:
                try:
                    artifact = await cache.make(request, partial(workplace.watcher.exporting, request))
                    made += 1
                except ExportFailed as failure:
                    reasons[digest] = ("failed", failure.code, failure.reason)
                except Unsupported as reason:
                    reasons[digest] = ("unsupported", "", str(reason))
            if artifact is None:
                kind, code, reason_text = reasons[digest]
                point = PlannedCase.model_validate(
                    {"case": point.case, "outcome": kind, "code": code or None, "reason": f"export: {reason_text}"}
                )
            else:
                artifacts[point.case.case_id] = artifact
        planned.append(point)
    return Exported(artifacts, plan.model_copy(update={"cases": tuple(planned)}), made)


def results_of(run: Run, rounds: Sequence[Round]) -> list[tuple[Case, CaseResult]]:
    """Every point of the Plan with what it came to, in the Plan's order."""
    by_case: dict[str, list[Round]] = {}
    for round_ in rounds:
        by_case.setdefault(round_.case_id, []).append(round_)
    found = []
    for point in run.plan.cases:
        mine = by_case.get(point.case.case_id, [])
        if point.outcome is not None:
            result = CaseResult(
                run_id=run.run_id,
                case_id=point.case.case_id,
                outcome=point.outcome,
                code=point.code,
                reason=point.reason,
            )
        elif mine:
            result = _result(run.run_id, point.case, mine)
        else:
            continue  # interrupted before its first Round
        found.append((point.case, result))
    return found


def rebuild(database: Path, warn: Callable[[str], None]) -> int:
    """Make the database again from the journal alone; returns the number of runs. The old one goes last."""
    files = sorted(journal_path(database, "*").parent.glob("*.jsonl"))
    if not files:
        folder = journal_path(database, "*").parent
        raise UserMistake("no_journal", f"there is no journal in {folder}", "point --db at the database beside it")
    with tempfile.TemporaryDirectory(dir=database.parent, prefix=".rebuild-") as aside:
        fresh = Path(aside) / database.name
        with contextlib.closing(open_for_writing(fresh)) as connection:
            done = sum(_ingest_journal(connection, file, warn) for file in files)
        fresh.replace(database)
    return done


def _ingest_journal(connection: Any, file: Path, warn: Callable[[str], None]) -> bool:
    reading = read_journal(file)
    assembled = assemble(reading.records)
    for doubt in filter(None, (reading.torn, *reading.corrupt, *assembled.dropped)):
        warn(f"{file.name}: {doubt}")
    run, rounds = assembled.run, assembled.rounds
    if run is None:
        return False
    cases = {point.case.case_id: point.case for point in run.plan.cases}
    with_metrics = [(round_, _metrics_of(round_, cases[round_.case_id])) for round_ in rounds]
    ingest_run(connection, run, with_metrics, results_of(run, rounds))
    return True


async def _do_round(
    planned: PlannedRound, run: Run, artifacts: Mapping[str, Artifact], workplace: Workplace, journal: Journal
) -> Round:
    """One Round: execute, journal every Event, judge, journal the verdict; the Round is read back from the records."""
    artifact = artifacts[planned.case.case_id]
    round_id = f"{run.run_id}-{secrets.token_hex(4)}"
    records: list[dict[str, Any]] = []

    def keep(record: dict[str, Any]) -> None:
        records.append(journal.append(record))

    keep({
        "record": "round", "round_id": round_id, "case_id": planned.case.case_id, "number": planned.number,
        "started_at": _now(), "artifact": artifact.digest,
    })  # fmt: skip
    outputs_dir = Path(tempfile.mkdtemp(prefix="harness-outputs-"))
    try:
        assignment = Assignment(
            round_id=round_id, case=planned.case, artifact=artifact,
            artifact_dir=workplace.artifacts / artifact.digest, outputs_dir=outputs_dir,
            policy=run.plan.policy.loop(), silence_limit_s=run.plan.policy.silence_limit_ns / 1e9,
            first_round=planned.number == 1,
        )  # fmt: skip
        conversation = await _converse(assignment, workplace, keep)
        verdict = None
        if isinstance(conversation.last, Done):
            verdict = _judge(assignment, conversation)
            keep({"record": "verdict", "round_id": round_id, "verdict": verdict})
        keep({"record": "round_end", "round_id": round_id, **_end_of(conversation, verdict)})
    finally:
        shutil.rmtree(outputs_dir, ignore_errors=True)
    journal.sync()
    return assemble_round(run.run_id, records)


async def _converse(
    assignment: Assignment, workplace: Workplace, keep: Callable[[dict[str, Any]], None]
) -> Conversation:
    """Listen until the last word; an Event out of order becomes the last word itself."""
    conversation = Conversation()
    side = catalog.backends()[assignment.case.backend].side
    async with contextlib.aclosing(workplace.executors[side].execute(assignment)) as events:
        async for event in events:
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
    return conversation


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
    verdict = judge(artifact, assignment.artifact_dir, conversation.outputs, assignment.outputs_dir, case.precision)
    if artifact.reference.startswith("onnxruntime") and case.backend == "onnxruntime" and verdict.passed:
        return verdict.model_copy(update={"checked": False, "reason": "it is the reference itself"})
    return verdict


@asynccontextmanager
async def _recording(outcome: Outcome, workplace: Workplace) -> AsyncIterator[tuple[Journal, LiveStore]]:
    """Journal and database for the length of a run; however it ends, both hear of the end."""
    run = outcome.run
    store = LiveStore(workplace.database, workplace.watcher.warned)
    store.begin(run, results_of(run, []))
    journal = Journal(journal_path(workplace.database, run.run_id))
    journal.append({"record": "run", "run": run.model_dump(mode="json")})
    interrupted = True
    try:
        yield journal, store
        interrupted = False
    finally:
        outcome.run = run.model_copy(update={"ended_at": _now(), "interrupted": interrupted})
        journal.append({"record": "run_end", "ended_at": outcome.run.ended_at, "interrupted": interrupted})
        journal.close()
        for executor in workplace.executors.values():
            await asyncio.shield(executor.close())
        store.end(outcome.run)


def _result(run_id: str, case: Case, rounds: Sequence[Round]) -> CaseResult:
    return case_result(run_id, case, rounds, {name: metric.compute for name, metric in catalog.metrics().items()})


def _metrics_of(round_: Round, case: Case) -> dict[str, float]:
    """The Round's own metrics, those that it has."""
    if round_.outcome == "unsupported":
        return {}
    values = {name: metric.compute([round_], case) for name, metric in catalog.metrics().items()}
    return {name: value for name, value in values.items() if value is not None}


def _new_run_id() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
