"""The schedule that measures rivals in turn until it is decided."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.core.errors import UserMistake
from harness.core.nouns import Case, Plan, PlannedCase, Policy
from harness.core.rounds import Round
from harness.plan.schedule import schedule_for
from harness.plan.selection import make_selection
from harness.plan.until_decided import rivals, until_decided
from tests.store.made_up import case, round_of

Told = Callable[[Case, int], Round]


def plan_of(*cases: Case, rounds: int = 20, margin: float = 0.02) -> Plan:
    plan = Plan(
        cases=tuple(PlannedCase(case=one) for one in cases), policy=Policy(schedule="until_decided", rounds=rounds)
    )
    return until_decided(plan, margin)


def carried_out(plan: Plan, told: Told) -> list[Round]:
    schedule, history = schedule_for(plan), list[Round]()
    while (planned := schedule.next(history)) is not None:
        history.append(told(planned.case, planned.number))
        assert len(history) <= schedule.total
    return history


def level(levels: dict[str, float], wobble: float = 0.001) -> Told:
    """Rounds whose level depends on the platform, and wobbles by turns, not alike on all."""

    def told(one: Case, number: int) -> Round:
        step = wobble * ((number * 7 + len(one.platform)) % 5 - 2)
        middle = levels[one.platform] * (1 + step)
        return round_of(one, number, tuple(middle * (1 + 0.0001 * sample) for sample in range(12)))

    return told


def count(history: list[Round], one: Case) -> int:
    return sum(each.case_id == one.case_id for each in history)


CPU, WASM, WEBNN = case("cpu"), case("wasm"), case("webnn")


def test_what_is_far_apart_is_decided_by_three_turns() -> None:
    history = carried_out(plan_of(CPU, WASM), level({"cpu": 10, "wasm": 20}))
    assert len(history) == 6
    assert [sorted(each.number for each in history[at : at + 2]) for at in (0, 2, 4)] == [[1, 1], [2, 2], [3, 3]]


def test_the_same_is_decided_as_well() -> None:
    assert count(carried_out(plan_of(CPU, WASM), level({"cpu": 10, "wasm": 10.001})), CPU) <= 5


def test_what_cannot_be_decided_ends_with_the_rounds() -> None:
    noisy = level({"cpu": 10, "wasm": 10.2}, wobble=0.05)
    assert count(carried_out(plan_of(CPU, WASM, rounds=9), noisy), CPU) == 9


def test_a_decided_pair_rests_while_another_goes_on() -> None:
    """cpu and wasm differ, cpu and webnn wobble about the margin: cpu is needed to the end, wasm is not."""

    def told(one: Case, number: int) -> Round:
        wobble = (0.05 if number % 2 else -0.05) if one.platform == "webnn" else 0.0
        return level({"cpu": 10, "wasm": 20, "webnn": 10 * (1 + wobble)})(one, number)

    history = carried_out(plan_of(CPU, WASM, WEBNN, rounds=10), told)
    assert [count(history, one) for one in (CPU, WASM, WEBNN)] == [10, 3, 10]


def test_no_decision_between_two_looks() -> None:
    """Seven pairs are no look: what was not decided at six is looked at again at eight."""
    for noise in (0.004, 0.006, 0.008, 0.012, 0.02):
        turns = count(carried_out(plan_of(CPU, WASM), level({"cpu": 10, "wasm": 10.35}, noise)), CPU)
        assert turns in (3, 4, 5, 6, 8, 10, 13, 16, 20)


def test_a_side_that_is_unsupported_or_fails_at_once_ends_its_pair() -> None:
    for outcome in ({"outcome": "unsupported", "reason": "no"}, {"outcome": "failed", "code": "crash"}):

        def told(one: Case, number: int, outcome: dict[str, str] = outcome) -> Round:
            return round_of(one, number, (10.0,) * 12, **(outcome if one.platform == "wasm" else {}))

        history = carried_out(plan_of(CPU, WASM), told)
        assert count(history, WASM) == 1 and count(history, CPU) <= 2


def test_a_round_that_fails_later_ends_its_pair_as_well() -> None:
    """One Round that failed makes its Case failed, which nothing is compared with."""

    def told(one: Case, number: int) -> Round:
        fails = {"outcome": "failed", "code": "crash"} if one.platform == "wasm" and number == 2 else {}
        return round_of(one, number, (10.0 + number % 3,) * 12, **fails)

    assert count(carried_out(plan_of(CPU, WASM), told), WASM) == 2


def test_a_run_that_is_gone_on_with_goes_on_as_it_would_have() -> None:
    plan, told = plan_of(CPU, WASM, WEBNN), level({"cpu": 10, "wasm": 10.5, "webnn": 10.1}, 0.01)
    whole = carried_out(plan, told)
    for cut in (1, 4, len(whole) - 1):
        assert schedule_for(plan).next(whole[:cut]) is not None
        planned = schedule_for(plan).next(whole[:cut])
        assert planned is not None
        assert (planned.case.case_id, planned.number) == (whole[cut].case_id, whole[cut].number)
    assert schedule_for(plan).next(whole) is None


def test_a_case_without_a_rival_gets_what_an_interval_needs() -> None:
    assert count(carried_out(plan_of(CPU), level({"cpu": 10})), CPU) == 3


def test_rivals_are_those_of_one_model_or_all_where_each_has_one() -> None:
    vit = CPU.model.model_copy(update={"name": "vit", "identity": "vit", "architecture": "vit"})
    other = CPU.model_copy(update={"model": vit})
    assert rivals([CPU, WASM, WEBNN]) == [(CPU, WASM), (CPU, WEBNN)]
    assert rivals([CPU, other]) == [(CPU, other)]
    other_wasm = WASM.model_copy(update={"model": vit})
    assert rivals([CPU, WASM, other, other_wasm]) == [(CPU, WASM), (other, other_wasm)]


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ({"progressive": True}, "two_schedules"),
        ({"memory_limit": 100}, "two_schedules"),
        ({"incremental": True}, "decision_measures"),
        ({"rounds": 2}, "bad_value"),
        ({"rounds": 51}, "bad_value"),  # no look after the fiftieth
        ({"margin": 0.0}, "bad_value"),
    ],
)
def test_what_does_not_go_with_it(flags: dict[str, Any], code: str) -> None:
    with pytest.raises(UserMistake) as caught:
        make_selection(None, {"model": ("bert",), "until_decided": True, **flags})
    assert caught.value.code == code


def test_it_takes_more_rounds_unless_somebody_says_how_many() -> None:
    assert make_selection(None, {"model": ("bert",), "until_decided": True}).rounds == 20
    assert make_selection(None, {"model": ("bert",), "until_decided": True, "rounds": 5}).rounds == 5
    assert make_selection(None, {"model": ("bert",)}).rounds == 3
