"""plan → the next Round: what is left out and why, what has room, and the Artifacts of the stage that is reached.

Where every Case is measured all exporting is done before the first timing. A schedule that goes by stages exports a
stage when it reaches it, between Rounds and never during one: what failed small, or was over a limit, is never exported
big, and no timing is compared across the exporting, since a stage's Rounds are interleaved among themselves alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import psutil

from harness.core.nouns import NO_ROOM, NOT_TRIED, Artifact, Case, Plan, PlannedRound
from harness.core.rounds import Round
from harness.export.cache import ArtifactCache
from harness.export.request import request_for
from harness.plan.afterwards import Afterwards
from harness.plan.memory import measured_in, no_room_to_export, no_room_to_run
from harness.plan.schedule import Schedule, schedule_for
from harness.steps.exporting import export_all
from harness.steps.recording import Recording
from harness.steps.resuming import refuse_other_artifacts
from harness.steps.workplace import Workplace


def available_bytes() -> int:
    """Memory that can be had now without swapping, as the system estimates it."""
    return int(psutil.virtual_memory().available)


@dataclass
class Advance:
    """One Run's way through its schedule; `available` tells the bytes of memory that are there now."""

    history: list[Round]
    workplace: Workplace
    available: Callable[[], int] = available_bytes
    artifacts: dict[str, Artifact] = field(default_factory=dict)  # by case_id
    made: int = 0
    _known: tuple[Plan, Schedule, dict[str, Case]] | None = None

    async def all_exported(self, plan: Plan) -> Plan:
        """The Plan in which everything that has room has an Artifact, whatever the schedule."""
        return await self._exported(plan, [point.case for point in plan.cases if point.to_measure])

    async def prepared(self, plan: Plan) -> Plan:
        """The Plan before the first Round: everything exported, or the first stage that has something to measure."""
        schedule = self._schedule(plan)
        if not schedule.by_stage:
            return await self.all_exported(plan)
        plan = self._without_skipped(plan)
        planned = self._schedule(plan).next(self.history)
        return plan if planned is None else await self._exported(plan, _stage_of(self._schedule(plan), planned.case))

    async def next(self, records: Recording) -> tuple[PlannedRound, int] | None:
        """The Round to do now, and how many there may be in all; None when the Plan is carried out."""
        while True:
            plan = self._without_skipped(records.run.plan)
            records.decide(plan, self.history)
            schedule = self._schedule(plan)
            planned = schedule.next(self.history)
            if planned is None:
                return None
            case_id = planned.case.case_id
            if case_id not in self.artifacts:
                records.decide(await self._exported(plan, _stage_of(schedule, planned.case)), self.history)
            elif (reason := self._no_room(plan, planned.case)) is not None:
                records.decide(self._decided(plan, {case_id: reason}, NO_ROOM), self.history)
            else:
                return planned, schedule.total

    async def _exported(self, plan: Plan, cases: Sequence[Case]) -> Plan:
        """The Plan in which these Cases have an Artifact, or their outcome."""
        wanted = {case.case_id: case for case in cases}
        refused = {case_id: said for case_id, case in wanted.items() if (said := self._no_room_to_export(plan, case))}
        plan = self._decided(plan, refused, NO_ROOM)
        part = tuple(point for point in plan.cases if point.case.case_id in wanted.keys() - refused.keys())
        exported = await export_all(plan.model_copy(update={"cases": part}), self.workplace)
        refuse_other_artifacts(self.history, exported.artifacts)
        self.artifacts |= exported.artifacts
        self.made += exported.made
        known = {point.case.case_id: point for point in exported.plan.cases}
        cases_now = tuple(known.get(point.case.case_id, point) for point in plan.cases)
        return plan.model_copy(update={"cases": cases_now})

    def _no_room_to_export(self, plan: Plan, case: Case) -> str | None:
        """What is exported already needs no room for that, what cannot run is not exported. What has Rounds goes on:
        its outcome is theirs."""
        if self._has_begun(case):
            return None
        if (reason := self._no_room(plan, case)) is not None:
            return reason
        reason = no_room_to_export(case, self.available())
        if reason is None or ArtifactCache(self.workplace.artifacts).find(request_for(case)) is not None:
            return None
        return reason

    def _no_room(self, plan: Plan, case: Case) -> str | None:
        """Of a Case that has not run yet: one that has needs no estimate. A device of its own has its own memory."""
        if case.browser == "attached" or self._has_begun(case):
            return None
        self._schedule(plan)
        assert self._known is not None
        return no_room_to_run(case, measured_in(self.history, self._known[2]), self.available())

    def _has_begun(self, case: Case) -> bool:
        return any(round_.case_id == case.case_id for round_ in self.history)

    def _schedule(self, plan: Plan) -> Schedule:
        """The Plan's schedule, with what comes after the timing; made again only where the Plan has changed."""
        if self._known is None or self._known[0] is not plan:
            schedule = schedule_for(plan)
            by_id = {point.case.case_id: point.case for point in plan.cases}
            if plan.policy.profile:
                schedule = Afterwards(schedule, plan, "profile")
            if plan.policy.audit:
                schedule = Afterwards(schedule, plan, "audit")
            self._known = (plan, schedule, by_id)
        return self._known[1]

    def _without_skipped(self, plan: Plan) -> Plan:
        return self._decided(plan, self._schedule(plan).skipped(self.history), NOT_TRIED)

    def _decided(self, plan: Plan, reasons: Mapping[str, str], code: str) -> Plan:
        """The Plan in which these Cases are `unsupported` for these reasons; who looks on hears of it."""
        if not reasons:
            return plan
        cases = []
        for point in plan.cases:
            if (reason := reasons.get(point.case.case_id)) is not None:
                self.workplace.watcher.warned(f"{point.case.slug}: {reason}")
                point = point.model_copy(update={"outcome": "unsupported", "code": code, "reason": reason})
            cases.append(point)
        return plan.model_copy(update={"cases": tuple(cases)})


def _stage_of(schedule: Schedule, case: Case) -> Sequence[Case]:
    """All Cases of its stage; a Case may be in none only while it is profiled, and is then exported alone."""
    return next((stage for stage in schedule.stages if case in stage), (case,))
