"""The whole story of coverage: plan → [export → on each platform: execute → judge]*, several models at once → results.

Does a model build, run, export, load and agree? Nothing is timed, so what would disturb a timing is welcome here: as
many models at a time as there is room for, processes that are forked, browsers that are kept, a model exported only
when it is its turn and its Artifact dropped after use. Everything else is as in `pipeline`: one journal, one judge, one
database.
"""

import asyncio
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from harness.core.errors import UserMistake
from harness.core.nouns import Artifact, Case, Plan, PlannedCase, PlannedRound
from harness.core.rounds import CaseResult, Round, Run
from harness.execute.executor import Executor
from harness.export.forks import ExportForks, ExportLimits
from harness.measure.machine import fingerprint
from harness.pipeline import Outcome, new_run_id
from harness.steps.exporting import Exported, export_all
from harness.steps.fetching import fetch_all
from harness.steps.one_round import do_round, now
from harness.steps.quiet import quietened
from harness.steps.recording import Recording, recording
from harness.steps.results import result_of, results_of
from harness.steps.resuming import read_interrupted, refuse_other_artifacts
from harness.steps.reusing import results_elsewhere
from harness.steps.versions import stamped
from harness.steps.workplace import RealExecutors, Workplace
from harness.store.live import LiveStore

Results = Sequence[tuple[Case, CaseResult]]
# Of a tiny model; what takes more will not be found out by waiting.
EXPORT_LIMITS = ExportLimits(seconds=180.0, bytes=8_000_000_000)


def _nobody_listens(results: Results, done: int, total: int) -> None:
    """The default of `Ways.ended`."""


@dataclass(frozen=True)
class Ways:
    """How it is carried out: how many models at a time, what an export of one may take, whether their Artifacts stay,
    who does the work in one of the places, and who hears of each model that is done (its results, how many models are
    done, of how many)."""

    jobs: int = 1
    limits: ExportLimits = EXPORT_LIMITS
    keeps_artifacts: bool = True
    executors: Callable[[], Mapping[str, Executor]] | None = None
    ended: Callable[[Results, int, int], None] = _nobody_listens


async def cover(plan: Plan, workplace: Workplace, command: str, ways: Ways) -> Outcome:
    """Carry out the Plan; on cancellation (Ctrl-C) what is known by then is kept and CancelledError goes on."""
    plan = stamped(plan, workplace.seeing)
    run = Run(run_id=new_run_id(), started_at=now(), command=command, machine=fingerprint(), plan=plan)
    return await _carry_out(run, [], workplace, ways)


async def resume_coverage(asked: str, workplace: Workplace, ways: Ways) -> Outcome:
    """Go on with a coverage that was interrupted, by its id or `last`: only what it has no answer for."""
    run, history = read_interrupted(workplace.database, asked, workplace.watcher.warned, workplace.seeing)
    if run.plan.policy.purpose != "coverage":
        raise UserMistake("not_coverage", f"run {run.run_id} times", f"harness run --resume {run.run_id}")
    return await _carry_out(run, history, workplace, ways)


async def _carry_out(run: Run, history: list[Round], workplace: Workplace, ways: Ways) -> Outcome:
    LiveStore(workplace.database).check()
    elsewhere = results_elsewhere(run.plan, workplace.database)
    async with recording(run, history, workplace) as records:
        workplace.watcher.started(run.run_id, run.plan, len(history))
        plan = await fetch_all(run.plan, workplace)
        records.begin(await quietened(run.model_copy(update={"plan": plan}), workplace), history)
        covering = _Covering(records, history, ways, workplace)
        await covering.everything()
    return Outcome(records.run, results_of(records.run, history, elsewhere), covering.made, history)


class _Covering:
    """The models that wait, and what is known so far; the places of work share it."""

    def __init__(self, records: Recording, history: list[Round], ways: Ways, workplace: Workplace) -> None:
        self._records, self._history, self._ways, self._workplace = records, history, ways, workplace
        self._waiting = deque(_by_model(records.run.plan, history))
        self._total = len(self._waiting)
        self._done = self.made = 0

    async def everything(self) -> None:
        """All models, `jobs` at a time. The first error ends all of them, and comes out as it is."""
        try:
            async with asyncio.TaskGroup() as places:
                for _ in range(min(self._ways.jobs, self._total)):
                    places.create_task(self._place_of_work())
        except BaseExceptionGroup as errors:
            raise _first_of(errors) from None

    async def _place_of_work(self) -> None:
        """One model after the other, with workers and browsers of its own."""
        executors = (self._ways.executors or partial(RealExecutors, self._workplace.seeing))()
        forks = ExportForks(self._ways.limits)
        place = replace(self._workplace, executors=executors, export=forks.run)
        try:
            while self._waiting:
                await self._model(self._waiting.popleft(), place)
        finally:
            for executor in executors.values():
                await asyncio.shield(executor.close())
            await asyncio.shield(forks.close())

    async def _model(self, points: Sequence[PlannedCase], place: Workplace) -> None:
        policy = self._records.run.plan.policy
        exported = await export_all(Plan(cases=tuple(points), policy=policy), place)
        self.made += exported.made
        refuse_other_artifacts(self._history, exported.artifacts)
        self._decide(exported)
        for point in exported.plan.cases:
            artifact = exported.artifacts.get(point.case.case_id)
            if artifact is not None:
                await self._round(point.case, artifact, place)
        if not self._ways.keeps_artifacts:
            _drop(exported.artifacts.values(), place)
        self._done += 1
        ids = {point.case.case_id for point in points}
        part = self._records.run.model_copy(update={"plan": exported.plan})
        mine = [one for one in self._history if one.case_id in ids]
        self._ways.ended(results_of(part, mine), self._done, self._total)

    async def _round(self, case: Case, artifact: Artifact, place: Workplace) -> None:
        planned = PlannedRound(case=case, number=1, purpose="coverage")
        round_ = await do_round(planned, self._records.run, artifact, place, self._records.journal)
        self._history.append(round_)
        result = result_of(self._records.run.run_id, case, [round_])
        self._records.store.add(round_, {}, case, result)
        await place.linger()

    def _decide(self, exported: Exported) -> None:
        """What could not be exported has its outcome in the Plan."""
        decided = {point.case.case_id: point for point in exported.plan.cases if point.outcome is not None}
        if not decided:
            return
        plan = self._records.run.plan
        cases = tuple(decided.get(point.case.case_id, point) for point in plan.cases)
        self._records.decide(plan.model_copy(update={"cases": cases}), self._history)


def _by_model(plan: Plan, history: Iterable[Round]) -> list[list[PlannedCase]]:
    """What is still to be found out, the Cases of one model together: they share what is exported."""
    known = {one.case_id for one in history}
    models: dict[str, list[PlannedCase]] = {}
    for point in plan.cases:
        if point.to_measure and point.case.case_id not in known:
            models.setdefault(point.case.model.model_dump_json(), []).append(point)
    return list(models.values())


def _drop(artifacts: Iterable[Artifact], place: Workplace) -> None:
    """An Artifact that is gone is made again by whoever asks for it."""
    for digest in {artifact.digest for artifact in artifacts}:
        shutil.rmtree(place.artifacts / digest, ignore_errors=True)


def _first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first = errors.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first
