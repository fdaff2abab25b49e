"""Rounds are interleaved in seeded order, and what is decided is not asked again."""

from collections.abc import Callable

from harness.core.nouns import Plan, PlannedCase, PlannedRound, Policy
from harness.core.rounds import Round
from harness.plan.schedule import Interleaved
from tests.making import make_case


def make_plan(rounds: int = 3, seed: int = 0) -> Plan:
    cases = tuple(PlannedCase(case=make_case(batch_size=size)) for size in range(1, 6))
    impossible = PlannedCase(case=make_case(batch_size=99), outcome="unsupported", reason="no")
    return Plan(cases=(*cases, impossible), policy=Policy(rounds=rounds, seed=seed))


def carry_out(plan: Plan, outcome: Callable[[PlannedRound], str] = lambda _: "ok") -> list[PlannedRound]:
    schedule = Interleaved(plan)
    history: list[Round] = []
    done: list[PlannedRound] = []
    while planned := schedule.next(history):
        done.append(planned)
        fields = {"round_id": str(len(done)), "run_id": "r", "case_id": planned.case.case_id, "number": planned.number}
        history.append(Round.model_validate({**fields, "started_at": "now", "outcome": outcome(planned)}))
    return done


def test_every_possible_case_has_its_rounds_and_each_turn_has_every_case() -> None:
    done = carry_out(make_plan())
    sizes = [planned.case.batch_size for planned in done]
    assert [sorted(sizes[turn : turn + 5]) for turn in (0, 5, 10)] == [[1, 2, 3, 4, 5]] * 3
    assert [planned.number for planned in done] == [1] * 5 + [2] * 5 + [3] * 5


def test_the_order_is_the_seeds() -> None:
    order = [[p.case.batch_size for p in carry_out(make_plan(seed=seed))] for seed in (0, 0, 1)]
    assert order[0] == order[1] != order[2]
    assert order[0][:5] != order[0][5:10] or order[0][5:10] != order[0][10:], "turns must differ in order"


def test_the_unsupported_is_asked_once() -> None:
    done = carry_out(make_plan(), lambda planned: "unsupported" if planned.case.batch_size == 2 else "ok")
    assert sum(planned.case.batch_size == 2 for planned in done) == 1


def test_what_fails_at_first_is_decided_and_what_fails_later_goes_on() -> None:
    def outcome(planned: PlannedRound) -> str:
        fails = {1: planned.number == 1, 2: planned.number == 2}.get(planned.case.batch_size, False)
        return "failed" if fails else "ok"

    done = carry_out(make_plan(), outcome)
    assert [sum(p.case.batch_size == size for p in done) for size in (1, 2, 3)] == [1, 3, 3]


def test_that_a_device_went_away_decides_nothing() -> None:
    schedule = Interleaved(make_plan())
    first, *rest = carry_out(make_plan())
    fields = {"round_id": "1", "run_id": "r", "case_id": first.case.case_id, "number": 1, "started_at": "now"}
    for code, goes_on in (("device_gone", True), ("page_crashed", False)):
        gone = Round.model_validate({**fields, "outcome": "failed", "code": code})
        others = [
            Round.model_validate({**fields, "case_id": each.case.case_id, "number": each.number, "outcome": "ok"})
            for each in rest
            if each.case != first.case
        ]
        found = schedule.next([gone, *others])
        assert (found is not None and found.case == first.case) is goes_on, code
