"""Rounds of another purpose come after all timing, one for each Case that was timed, and never again."""

from collections.abc import Callable

from harness.core.nouns import Plan, PlannedCase, Policy
from harness.core.rounds import Round
from harness.plan.afterwards import Afterwards
from harness.plan.schedule import Interleaved, Schedule
from tests.making import make_case

CASES = [make_case(batch_size=size) for size in (1, 2, 3)]


def profiling(plan: Plan) -> Schedule:
    return Afterwards(Interleaved(plan), plan, "profile")


def auditing(plan: Plan) -> Schedule:
    return Afterwards(profiling(plan), plan, "audit")


def carried_out(kind: Callable[[Plan], Schedule], outcomes: dict[int, str]) -> list[tuple[int, int, str]]:
    plan = Plan(cases=tuple(PlannedCase(case=case) for case in CASES), policy=Policy(rounds=2))
    schedule = kind(plan)
    history: list[Round] = []
    done: list[tuple[int, int, str]] = []
    while planned := schedule.next(history):
        done.append((planned.case.batch_size, planned.number, planned.purpose))
        outcome = outcomes.get(planned.case.batch_size, "ok") if planned.purpose == "timing" else "failed"
        fields = {"round_id": str(len(done)), "run_id": "r", "case_id": planned.case.case_id, "number": planned.number}
        history.append(
            Round.model_validate({**fields, "purpose": planned.purpose, "started_at": "now", "outcome": outcome})
        )
        assert len(done) < 100
    assert len(done) <= schedule.total
    return done


def test_each_case_is_profiled_once_after_the_last_timing() -> None:
    done = carried_out(profiling, {})
    assert [purpose for _, _, purpose in done] == ["timing"] * 6 + ["profile"] * 3
    assert sorted(size for size, _, purpose in done if purpose == "profile") == [1, 2, 3]
    assert all(number == 1 for _, number, purpose in done if purpose == "profile")


def test_what_never_ran_is_not_profiled() -> None:
    done = carried_out(profiling, {1: "failed", 2: "unsupported"})
    assert [size for size, _, purpose in done if purpose == "profile"] == [3]


def test_each_case_is_audited_once_after_everything_else() -> None:
    done = carried_out(auditing, {})
    assert [purpose for _, _, purpose in done] == ["timing"] * 6 + ["profile"] * 3 + ["audit"] * 3
    assert sorted(size for size, _, purpose in done if purpose == "audit") == [1, 2, 3]


def test_what_never_ran_is_not_audited() -> None:
    done = carried_out(auditing, {1: "failed", 2: "unsupported"})
    assert [size for size, _, purpose in done if purpose == "audit"] == [3]
