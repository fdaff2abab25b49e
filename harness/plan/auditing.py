"""Last of all: a Round per Case that checks the backend itself, as MLPerf loadgen's compliance tests do.

It gives the backend other inputs than the frozen ones, and must neither warm nor disturb what is timed or profiled.
"""

from collections.abc import Sequence

from harness.core.nouns import Plan, PlannedRound
from harness.core.rounds import Round
from harness.plan.schedule import Schedule


class ThenAuditing:
    """Another schedule, and then one audit of every Case that was timed: of what never ran nothing is doubted."""

    def __init__(self, before: Schedule, plan: Plan) -> None:
        self._before = before
        self._cases = [planned.case for planned in plan.cases if planned.to_measure]
        self.total = before.total + len(self._cases)
        self.stages, self.by_stage = before.stages, before.by_stage

    def skipped(self, history: Sequence[Round]) -> dict[str, str]:
        return self._before.skipped(history)

    def next(self, history: Sequence[Round]) -> PlannedRound | None:
        if planned := self._before.next([round_ for round_ in history if round_.purpose != "audit"]):
            return planned
        ran = {round_.case_id for round_ in history if round_.purpose == "timing" and round_.outcome == "ok"}
        audited = {round_.case_id for round_ in history if round_.purpose == "audit"}
        for case in self._cases:
            if case.case_id in ran - audited:
                return PlannedRound(case=case, number=1, purpose="audit")
        return None
