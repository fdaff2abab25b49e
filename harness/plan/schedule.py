"""Which Round comes next: `next(history) → a Case's Round, or None when the Plan is carried out`.

A fixed plan is the simplest schedule; progressive or until-decided ones answer the same question.
"""

import random
from collections.abc import Sequence
from typing import Protocol

from harness.core.nouns import Case, Frozen, Plan
from harness.core.rounds import Round


class PlannedRound(Frozen):
    """A Case and the number of the Round (1 for its first)."""

    case: Case
    number: int


class Schedule(Protocol):
    def next(self, history: Sequence[Round]) -> PlannedRound | None:
        """The Round to do now, given all Rounds done so far in this Run."""


class Interleaved:
    """Every Case once, in seeded random order; then all again, so that the machine's drift falls on all alike.

    A Case that is unsupported is asked once. A Case whose first Round failed is not tried again: its outcome is
    decided; one that fails later goes on, because how often it fails is worth knowing.
    """

    def __init__(self, plan: Plan) -> None:
        cases = [planned.case for planned in plan.cases if planned.outcome is None]
        self._queue: list[PlannedRound] = []
        for number in range(1, plan.policy.rounds + 1):
            turn = list(cases)
            random.Random(f"{plan.policy.seed}/{number}").shuffle(turn)
            self._queue += [PlannedRound(case=case, number=number) for case in turn]
        self.total = len(self._queue)

    def next(self, history: Sequence[Round]) -> PlannedRound | None:
        done = {(round_.case_id, round_.number) for round_ in history}
        hopeless = {round_.case_id for round_ in history if round_.outcome == "unsupported"}
        hopeless |= {round_.case_id for round_ in history if round_.outcome == "failed" and round_.number == 1}
        for planned in self._queue:
            case_id = planned.case.case_id
            if (case_id, planned.number) not in done and case_id not in hopeless:
                return planned
        return None
