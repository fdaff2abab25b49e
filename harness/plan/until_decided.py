"""Rounds of two sides in turn, until it is decided which of them is faster, or that they are the same.

Who stops as soon as he likes what he sees is wrong more often than his interval says. So the interval here holds for
all looks at once (`core/ratios.py`: repeated confidence intervals), and there are few looks.
"""

import random
from collections.abc import Mapping, Sequence

from harness.core.nouns import Case, Decision, Plan, PlannedRound
from harness.core.ratios import at_last_look, is_decided, paired_ratio
from harness.core.rounds import Round
from harness.core.statistics import LEAST_ROUNDS
from harness.metrics import round_medians


def until_decided(plan: Plan, margin: float) -> Plan:
    """The Plan that measures its rivals until it is decided which is faster, or that they are within `margin`."""
    cases = [point.case for point in plan.cases if point.to_measure]
    policy = plan.policy.model_copy(
        update={
            "pairs": tuple((a.case_id, b.case_id) for a, b in rivals(cases)),
            "decision": Decision(kind="difference", size=margin),
        }
    )
    return plan.model_copy(update={"policy": policy})


def rivals(cases: Sequence[Case]) -> list[tuple[Case, Case]]:
    """What a Plan's Cases are compared with: the first of the same model; where no model has two, the first of all."""
    by_model: dict[str, list[Case]] = {}
    for case in cases:
        by_model.setdefault(f"{case.model.canonical()}{case.task}", []).append(case)
    groups = list(by_model.values())
    if all(len(group) == 1 for group in groups):
        groups = [list(cases)]
    return [(group[0], other) for group in groups for other in group[1:]]


class UntilDecided:
    """In a turn every Case that some undecided pair needs, in seeded random order, then all again.

    A Case that is in no pair is measured as often as an interval needs. A Case that is unsupported, or one
    of whose Rounds failed, ends its pairs: there is nothing to compare.
    """

    by_stage = False

    def __init__(self, plan: Plan) -> None:
        self._policy = plan.policy
        self._cases = {point.case.case_id: point.case for point in plan.cases if point.to_measure}
        self._pairs = [pair for pair in plan.policy.pairs if all(each in self._cases for each in pair)]
        self.stages: tuple[tuple[Case, ...], ...] = (tuple(self._cases.values()),) if self._cases else ()
        self._paired = {case_id for pair in self._pairs for case_id in pair}
        self._known: dict[tuple[tuple[str, str], tuple[int, ...]], bool] = {}
        alone = len(self._cases) - len(self._paired)
        self.total = len(self._paired) * plan.policy.rounds + alone * min(LEAST_ROUNDS, plan.policy.rounds)

    def skipped(self, history: Sequence[Round]) -> dict[str, str]:
        return {}

    def next(self, history: Sequence[Round]) -> PlannedRound | None:
        by_case: dict[str, dict[int, Round]] = {case_id: {} for case_id in self._cases}
        for one in history:
            if one.purpose == "timing" and one.case_id in by_case:
                by_case[one.case_id][one.number] = one
        for number in range(1, self._policy.rounds + 1):
            # The turns before this one are over, or this would not be reached: so what they decide is final.
            due = sorted(self._due(number, by_case))
            random.Random(f"{self._policy.seed}/{number}").shuffle(due)
            for case_id in due:
                if number not in by_case[case_id]:
                    return PlannedRound(case=self._cases[case_id], number=number)
        return None

    def _due(self, number: int, by_case: Mapping[str, Mapping[int, Round]]) -> set[str]:
        """Whom this turn needs, by what the turns before it came to."""
        hopeless = {
            case_id for case_id, done in by_case.items() if any(_ends_it(done[at]) for at in done if at < number)
        }
        due = {case_id for case_id in self._cases if case_id not in self._paired and number <= LEAST_ROUNDS}
        for pair in self._pairs:
            if not hopeless & {*pair} and not self._decided(pair, number, by_case):
                due |= {*pair}
        return due - hopeless

    def _decided(self, pair: tuple[str, str], number: int, by_case: Mapping[str, Mapping[int, Round]]) -> bool:
        """By all turns up to the last look: between two looks nothing can come to be decided."""
        a, b = (by_case[case_id] for case_id in pair)
        turns = sorted(turn for turn in a.keys() & b.keys() if turn < number)
        seen = tuple(turns[: at_last_look(len(turns))])
        if self._policy.decision is None or not seen:
            return False
        if (pair, seen) not in self._known:  # medians of hundreds of Samples, asked for before every Round
            first, second = (round_medians([side[turn] for turn in seen]) for side in (a, b))
            ratio = paired_ratio(first, second, self._policy.decision.confidence, looked=True)
            self._known[pair, seen] = ratio is not None and is_decided(ratio, self._policy.decision)
        return self._known[pair, seen]


def _ends_it(one: Round) -> bool:
    """One Round that is not ok makes its Case not ok, and nothing is compared with that. A device that went away says
    nothing of what it was asked."""
    return one.outcome != "ok" and one.code != "device_gone"
