"""Which Round comes next: `next(history) → a Case's Round, or None when the Plan is carried out`.

A fixed plan is the simplest schedule; progressive or until-decided ones answer the same question.
"""

import random
from collections.abc import Sequence
from typing import Protocol

from harness.core.nouns import Plan, PlannedRound
from harness.core.rounds import Round


class Schedule(Protocol):
    total: int  # Rounds at most, for a progress bar

    def next(self, history: Sequence[Round]) -> PlannedRound | None:
        """The Round to do now, given all Rounds done so far in this Run."""


class Interleaved:
    """Every Case once, in seeded random order; then all again, so that the machine's drift falls on all alike.

    A Case that is unsupported is asked once. A Case whose first Round failed is not tried again: its outcome is
    decided; one that fails later goes on, because how often it fails is worth knowing.
    """

    def __init__(self, plan: Plan) -> None:
        cases = [planned.case for planned in plan.cases if planned.to_measure]
        self.queue: list[PlannedRound] = []
        for number in range(1, plan.policy.rounds + 1):
            turn = list(cases)
            random.Random(f"{plan.policy.seed}/{number}").shuffle(turn)
            self.queue += [PlannedRound(case=case, number=number) for case in turn]
        self.total = len(self.queue)

    def next(self, history: Sequence[Round]) -> PlannedRound | None:
        done = {(round_.case_id, round_.number) for round_ in history}
        hopeless = {round_.case_id for round_ in history if round_.outcome == "unsupported"}
        hopeless |= {round_.case_id for round_ in history if _decides(round_)}
        for planned in self.queue:
            case_id = planned.case.case_id
            if (case_id, planned.number) not in done and case_id not in hopeless:
                return planned
        return None


def _decides(round_: Round) -> bool:
    """Whether a first Round's failure is its Case's: that a device went away says nothing of what it was asked."""
    return round_.outcome == "failed" and round_.number == 1 and round_.code != "device_gone"
