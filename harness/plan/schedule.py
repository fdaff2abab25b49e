"""Which Round comes next: `next(history) → a Case's Round, or None when the Plan is carried out`.

A schedule is a pure function of the Plan, as far as it is known, and of the history: whoever goes on with a Run gets
the same one from the same Policy. All of them walk through stages, one after the other; inside a stage Rounds are
interleaved, so nothing is compared but what was measured under the same drift of the machine.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from harness.core.nouns import OF_THE_MOMENT, Case, Plan, PlannedRound
from harness.core.rounds import Round
from harness.plan.memory import measured_in, smaller_was_over, will_be_over
from harness.plan.order import at_size, group_of, not_smaller, priority_rank, work_class
from harness.plan.until_decided import UntilDecided

Stages = tuple[tuple[Case, ...], ...]


class Schedule(Protocol):
    total: int  # Rounds at most, for a progress bar
    stages: Stages  # what is to be measured; every Round of a stage comes before the first of the next
    by_stage: bool  # whether a stage is exported once it is reached: whether there is one depends on what was measured

    def skipped(self, history: Sequence[Round]) -> dict[str, str]:
        """case_id → why a Case that has no Round yet shall never have one, given all Rounds done so far in this Run."""

    def next(self, history: Sequence[Round]) -> PlannedRound | None:
        """The Round to do now, given all Rounds done so far in this Run."""


def schedule_for(plan: Plan) -> Schedule:
    """The schedule that the Plan's Policy names."""
    kinds: dict[str, type[Interleaved | Progressive | MemorySearch | UntilDecided]] = {
        "interleaved": Interleaved,
        "progressive": Progressive,
        "memory_limit": MemorySearch,
        "until_decided": UntilDecided,
    }
    return kinds[plan.policy.schedule](plan)


class Interleaved:
    """Every Case once, in seeded random order; then all again, so that the machine's drift falls on all alike.

    A Case that is unsupported is asked once. A Case whose first Round failed is not tried again: its outcome is
    decided; one that fails later goes on, because how often it fails is worth knowing. What has priority is a stage
    of its own, measured first.
    """

    by_stage = False

    def __init__(self, plan: Plan) -> None:
        self.stages = _stages(plan, lambda case: 0)
        self._queue = _queue(self.stages, plan)
        self.total = len(self._queue)

    def skipped(self, history: Sequence[Round]) -> dict[str, str]:
        return {}

    def next(self, history: Sequence[Round]) -> PlannedRound | None:
        return _next(self._queue, history)


class Progressive:
    """The small and cheap first, and what failed small is not tried bigger.

    A stage holds what costs about the same: parameters (by powers of ten) × batch × length. So of two Cases that
    differ in batch or length alone, the larger comes after all Rounds of the smaller.
    """

    by_stage = True

    def __init__(self, plan: Plan) -> None:
        self.stages = _stages(plan, work_class)
        self._queue = _queue(self.stages, plan)
        self._failed_in_plan = _failed_in_plan(plan)
        self._by_id = {point.case.case_id: point.case for point in plan.cases}
        self.total = len(self._queue)

    def skipped(self, history: Sequence[Round]) -> dict[str, str]:
        return _bigger_than_failed(self.stages, [*self._failed_in_plan, *_failed_in(history, self._by_id)], history)

    def next(self, history: Sequence[Round]) -> PlannedRound | None:
        return _next(self._queue, history)


class MemorySearch:
    """Batches upwards, until one takes more memory than the limit, or what was measured says that the next one will.

    A Round over the limit is measured and stored like any other; it is only not the answer. What failed small is not
    tried bigger here either.
    """

    by_stage = True

    def __init__(self, plan: Plan) -> None:
        self.stages = _stages(plan, lambda case: case.batch_size * (case.length or 1))
        self._queue = _queue(self.stages, plan)
        self._failed_in_plan = _failed_in_plan(plan)
        self._by_id = {point.case.case_id: point.case for point in plan.cases}
        self._limit_bytes = plan.policy.memory_limit_bytes
        self.total = len(self._queue)

    def skipped(self, history: Sequence[Round]) -> dict[str, str]:
        failed = [*self._failed_in_plan, *_failed_in(history, self._by_id)]
        found = _bigger_than_failed(self.stages, failed, history)
        if self._limit_bytes is None:
            return found
        measured = measured_in(history, self._by_id)
        next_up: set[tuple[str, int | None]] = set()
        for case_id, case in sorted(_not_begun(self.stages, history), key=lambda one: one[1].batch_size):
            if case_id in found:
                continue
            reason = smaller_was_over(case, measured, self._limit_bytes)
            # Two small batches differ by little but noise: their line is believed for the next size and no further.
            if reason is None and (line := (group_of(case), case.length)) not in next_up:
                reason = will_be_over(case, measured, self._limit_bytes)
                if reason is None:
                    next_up.add(line)
            if reason is not None:
                found[case_id] = reason
        return found

    def next(self, history: Sequence[Round]) -> PlannedRound | None:
        return _next(self._queue, history)


_Queue = list[tuple[str, PlannedRound]]  # with the case_id, which is a digest and takes time to make
_Failure = tuple[Case, str]


def _stages(plan: Plan, cost: Callable[[Case], float]) -> Stages:
    """The Cases that are to be measured: by priority, inside that by cost, in the Plan's order."""
    stages: dict[tuple[int, float], list[Case]] = {}
    for point in plan.cases:
        if point.to_measure:
            rank = priority_rank(point.case, plan.policy.priority)
            stages.setdefault((rank, cost(point.case)), []).append(point.case)
    return tuple(tuple(stages[key]) for key in sorted(stages))


def _queue(stages: Stages, plan: Plan) -> _Queue:
    queue: _Queue = []
    for stage in stages:
        cases = [(case.case_id, case) for case in stage]
        for number in range(1, plan.policy.rounds + 1):
            turn = list(cases)
            random.Random(f"{plan.policy.seed}/{number}").shuffle(turn)
            queue += [(case_id, PlannedRound(case=case, number=number)) for case_id, case in turn]
    return queue


def _next(queue: _Queue, history: Sequence[Round]) -> PlannedRound | None:
    timed = [round_ for round_ in history if round_.purpose == "timing"]
    done = {(round_.case_id, round_.number) for round_ in timed}
    hopeless = {round_.case_id for round_ in timed if round_.outcome == "unsupported" or _decides(round_)}
    for case_id, planned in queue:
        if (case_id, planned.number) not in done and case_id not in hopeless:
            return planned
    return None


def _decides(round_: Round) -> bool:
    """Whether a first Round's failure is its Case's: that a device went away says nothing of what it was asked."""
    return round_.outcome == "failed" and round_.number == 1 and round_.code != "device_gone"


def _failed_in_plan(plan: Plan) -> list[_Failure]:
    """What failed before its first Round: its export, say."""
    return [
        (point.case, f"{point.code}: {point.reason}")
        for point in plan.cases
        if point.outcome == "failed" and point.code not in OF_THE_MOMENT
    ]


def _failed_in(history: Sequence[Round], by_id: dict[str, Case]) -> list[_Failure]:
    """Whatever Round it was: what fails sometimes small is no ground to build on."""
    return [
        (by_id[round_.case_id], f"{round_.code}: {round_.reason}")
        for round_ in history
        if round_.purpose == "timing"  # a profile that failed says nothing of a larger Case
        and round_.outcome == "failed"
        and round_.code not in OF_THE_MOMENT
        and round_.case_id in by_id
    ]


def _not_begun(stages: Stages, history: Sequence[Round]) -> Iterable[tuple[str, Case]]:
    begun = {round_.case_id for round_ in history}
    every = ((case.case_id, case) for stage in stages for case in stage)
    return [(case_id, case) for case_id, case in every if case_id not in begun]


def _bigger_than_failed(stages: Stages, failed: Sequence[_Failure], history: Sequence[Round]) -> dict[str, str]:
    """A Case is bigger than another of its group when it is not smaller in batch nor in length."""
    if not failed:
        return {}
    by_group: dict[str, list[_Failure]] = {}
    for case, words in failed:
        by_group.setdefault(group_of(case), []).append((case, words))
    found: dict[str, str] = {}
    for case_id, case in _not_begun(stages, history):
        for smaller, words in by_group.get(group_of(case), ()):
            if not_smaller(case, smaller) and case_id != smaller.case_id:
                found[case_id] = f"not tried: at {at_size(smaller)} it failed: {words}"
                break
    return found
