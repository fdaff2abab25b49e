"""The whole story: plan → export → [next Round → execute → measure → store]* → results.

Everything is journalled as it happens; the database is fed from what was journalled, between Rounds. So a run that is
interrupted, or whose database is locked, has lost nothing: `rebuild` reads the journal again. A schedule that decides
by what was measured exports as it goes, between Rounds (steps/advancing.py); the others before the first one.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.core.errors import UserMistake
from harness.core.nouns import Case, Plan
from harness.core.rounds import CaseResult, Round, Run
from harness.measure.machine import fingerprint
from harness.steps.advancing import Advance
from harness.steps.auditing import answers_kept
from harness.steps.devices import device_is_back, received, tell_device
from harness.steps.fetching import fetch_all
from harness.steps.one_round import do_round, now
from harness.steps.quiet import quietened
from harness.steps.recording import recording
from harness.steps.results import metrics_of, result_of, results_of
from harness.steps.resuming import read_interrupted
from harness.steps.reusing import results_elsewhere
from harness.steps.roofs import with_roofs
from harness.steps.versions import stamped
from harness.steps.workplace import Workplace
from harness.store.live import LiveStore


@dataclass(frozen=True)
class Outcome:
    """What a run came to; `exported` counts the Artifacts that had to be made."""

    run: Run
    results: list[tuple[Case, CaseResult]]
    exported: int
    rounds: list[Round]


async def run_plan(plan: Plan, workplace: Workplace, command: str) -> Outcome:
    """Carry out the Plan; on cancellation (Ctrl-C) what was measured is kept and CancelledError goes on."""
    plan = stamped(plan, workplace.seeing)
    run = Run(run_id=new_run_id(), started_at=now(), command=command, machine=fingerprint(), plan=plan)
    return await _carry_out(run, [], workplace)


async def resume_run(asked: str, workplace: Workplace) -> Outcome:
    """Go on with a Run that was interrupted, by its id or `last`: only what it has not finished is measured."""
    run, history = read_interrupted(workplace.database, asked, workplace.watcher.warned, workplace.seeing)
    if run.plan.policy.purpose == "coverage":
        raise UserMistake("is_coverage", f"run {run.run_id} is coverage", f"harness coverage --resume {run.run_id}")
    return await _carry_out(run, history, workplace)


async def _carry_out(run: Run, history: list[Round], workplace: Workplace) -> Outcome:
    LiveStore(workplace.database).check()
    elsewhere = results_elsewhere(run.plan, workplace.database)
    async with recording(run, history, workplace) as records, answers_kept(run.plan.policy, history) as answers:
        workplace.watcher.started(run.run_id, run.plan, len(history))
        advance = Advance(history, workplace)
        plan = await fetch_all(await advance.prepared(run.plan), workplace)
        plan = await received(plan, history, workplace)
        run = await quietened(run.model_copy(update={"plan": plan}), workplace)
        records.begin(await with_roofs(run, plan, workplace), history)
        while (upcoming := await advance.next(records)) is not None:
            planned, total = upcoming
            await device_is_back(planned, workplace)
            workplace.watcher.round_started(planned, total)
            artifact = advance.artifacts[planned.case.case_id]
            round_ = await do_round(planned, records.run, artifact, workplace, records.journal, answers)
            history.append(round_)
            await tell_device(planned, round_, workplace)
            mine = [earlier for earlier in history if earlier.case_id == round_.case_id]
            result = result_of(run.run_id, planned.case, mine)
            records.store.add(round_, metrics_of(round_, planned.case), planned.case, result)
            workplace.watcher.round_ended(round_, result)
            await workplace.linger()  # only now: whoever ends the run there has lost nothing
    return Outcome(records.run, results_of(records.run, history, elsewhere), advance.made, history)


def new_run_id() -> str:
    """The moment, for eyes and for order; and chance, for two in one second."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
