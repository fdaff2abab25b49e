"""The whole story: plan → export → [next Round → execute → measure → store]* → results.

Everything is journalled as it happens; the database is fed from what was journalled, between Rounds. So a run that is
interrupted, or whose database is locked, has lost nothing: `rebuild` reads the journal again.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.core.nouns import Case, Plan
from harness.core.rounds import CaseResult, Round, Run
from harness.measure.machine import fingerprint
from harness.plan.schedule import Interleaved, Schedule
from harness.steps.exporting import export_all
from harness.steps.one_round import do_round, now
from harness.steps.recording import recording
from harness.steps.results import metrics_of, result_of, results_of
from harness.steps.workplace import Workplace
from harness.store.live import LiveStore


@dataclass(frozen=True)
class Outcome:
    """What a run came to; `exported` counts the Artifacts that had to be made."""

    run: Run
    results: list[tuple[Case, CaseResult]]
    exported: int


async def run_plan(plan: Plan, workplace: Workplace, command: str) -> Outcome:
    """Carry out the Plan; on cancellation (Ctrl-C) what was measured is kept and CancelledError goes on."""
    run = Run(run_id=_new_run_id(), started_at=now(), command=command, machine=fingerprint(), plan=plan)
    LiveStore(workplace.database).check()
    workplace.watcher.started(run.run_id, plan)
    exported = await export_all(plan, workplace)
    run = run.model_copy(update={"plan": exported.plan})
    history: list[Round] = []
    async with recording(run, workplace) as records:
        schedule: Schedule = Interleaved(run.plan)
        while planned := schedule.next(history):
            workplace.watcher.round_started(planned, schedule.total)
            artifact = exported.artifacts[planned.case.case_id]
            round_ = await do_round(planned, run, artifact, workplace, records.journal)
            history.append(round_)
            mine = [earlier for earlier in history if earlier.case_id == round_.case_id]
            result = result_of(run.run_id, planned.case, mine)
            records.store.add(round_, metrics_of(round_, planned.case), planned.case, result)
            workplace.watcher.round_ended(round_, result)
    return Outcome(records.run, results_of(records.run, history), exported.made)


def _new_run_id() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
