"""After all that times: a Round per Case that looks at its operators.

A profiler slows what it looks at, so its Rounds come last, are of another purpose, and are never mixed with those that
time.
"""

from collections.abc import Sequence

from harness.core.nouns import Plan, PlannedRound
from harness.core.rounds import Round
from harness.plan.schedule import Schedule


class ThenProfiling:
    """Another schedule, and then one profile of every Case that has run; what never ran has no operators to look at."""

    def __init__(self, timing: Schedule, plan: Plan) -> None:
        self._timing = timing
        self._cases = [planned.case for planned in plan.cases if planned.to_measure]
        self.total = timing.total + len(self._cases)
        self.stages, self.by_stage = timing.stages, timing.by_stage

    def skipped(self, history: Sequence[Round]) -> dict[str, str]:
        return self._timing.skipped(history)

    def next(self, history: Sequence[Round]) -> PlannedRound | None:
        timing = [round_ for round_ in history if round_.purpose == "timing"]
        if planned := self._timing.next(timing):
            return planned
        ran = {round_.case_id for round_ in timing if round_.outcome == "ok"}
        looked_at = {round_.case_id for round_ in history if round_.purpose == "profile"}
        for case in self._cases:
            if case.case_id in ran - looked_at:
                return PlannedRound(case=case, number=1, purpose="profile")
        return None
