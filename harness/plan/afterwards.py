"""After all that times: a Round more per Case, of another purpose, never mixed with those that time.

profile  looks at its operators, and slows what it looks at
audit    checks the backend itself, with other inputs than the frozen ones: it must neither warm nor disturb the others
"""

from collections.abc import Sequence

from harness.core.nouns import Plan, PlannedRound, Purpose
from harness.core.rounds import Round
from harness.plan.schedule import Schedule


class Afterwards:
    """Another schedule, and then one Round of the purpose for every Case that was timed: of what never ran there is
    nothing to look at."""

    def __init__(self, before: Schedule, plan: Plan, purpose: Purpose) -> None:
        self._before, self._purpose = before, purpose
        self._cases = [planned.case for planned in plan.cases if planned.to_measure]
        self.total = before.total + len(self._cases)
        self.stages, self.by_stage = before.stages, before.by_stage

    def skipped(self, history: Sequence[Round]) -> dict[str, str]:
        return self._before.skipped(history)

    def next(self, history: Sequence[Round]) -> PlannedRound | None:
        if planned := self._before.next([round_ for round_ in history if round_.purpose != self._purpose]):
            return planned
        ran = {round_.case_id for round_ in history if round_.purpose == "timing" and round_.outcome == "ok"}
        done = {round_.case_id for round_ in history if round_.purpose == self._purpose}
        for case in self._cases:
            if case.case_id in ran - done:
                return PlannedRound(case=case, number=1, purpose=self._purpose)
        return None
