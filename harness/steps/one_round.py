"""execute → measure: one Round, journalled as it happens, judged, and read back from its own records."""

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import catalog
from harness.core.errors import ProtocolViolation
from harness.core.events import Alive, Conversation, Done, Failed, Refused
from harness.core.nouns import Artifact, PlannedRound
from harness.core.rounds import Round, Run, Verdict
from harness.execute.executor import Assignment
from harness.measure.assemble import assemble_round
from harness.measure.verify import judge
from harness.steps.workplace import Workplace
from harness.store.journal import Journal

_Keep = Callable[[dict[str, Any]], None]


def now() -> str:
    """This moment in UTC, ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


async def do_round(
    planned: PlannedRound, run: Run, artifact: Artifact, workplace: Workplace, journal: Journal
) -> Round:
    """One Round: execute, journal every Event, judge, journal the verdict; the Round is read back from the records."""
    round_id = f"{run.run_id}-{secrets.token_hex(4)}"
    records: list[dict[str, Any]] = []

    def keep(record: dict[str, Any]) -> None:
        records.append(journal.append(record))

    keep({
        "record": "round", "round_id": round_id, "case_id": planned.case.case_id, "number": planned.number,
        "started_at": now(), "artifact": artifact.digest,
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


async def _converse(assignment: Assignment, workplace: Workplace, keep: _Keep) -> Conversation:
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
    verdict = judge(artifact, assignment.artifact_dir, conversation.outputs, assignment.outputs_dir, case)
    if artifact.reference.startswith("onnxruntime") and case.backend == "onnxruntime" and verdict.passed:
        return verdict.model_copy(update={"checked": False, "reason": "it is the reference itself"})
    return verdict
