"""Stages in order, what failed small is not tried bigger, and a search that stops at the limit."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from harness.core.nouns import Case, Plan, PlannedCase, PlannedRound, Policy
from harness.core.rounds import Round
from harness.plan.schedule import Schedule, schedule_for
from tests.making import make_case, make_model

MB = 1_000_000
Answer = Callable[[PlannedRound], dict[str, Any]]


def well(planned: PlannedRound) -> dict[str, Any]:
    return {"outcome": "ok"}


def plan_of(cases: Sequence[Case], **policy: Any) -> Plan:
    return Plan(cases=tuple(PlannedCase(case=case) for case in cases), policy=Policy(**{"rounds": 2, **policy}))


def carry_out(plan: Plan, answer: Answer = well) -> tuple[list[PlannedRound], dict[int, str]]:
    """The Rounds that were done, and batch → why it was skipped, as the pipeline asks a schedule."""
    history: list[Round] = []
    done: list[PlannedRound] = []
    skipped: dict[str, str] = {}
    while True:
        skipped |= schedule_for(plan).skipped(history)
        left = tuple(
            point.model_copy(update={"outcome": "unsupported", "reason": skipped[point.case.case_id]})
            if point.case.case_id in skipped and point.outcome is None else point
            for point in plan.cases
        )  # fmt: skip
        plan = plan.model_copy(update={"cases": left})
        planned = schedule_for(plan).next(history)
        if planned is None:
            break
        done.append(planned)
        fields = {"round_id": str(len(done)), "run_id": "r", "case_id": planned.case.case_id, "number": planned.number}
        history.append(Round.model_validate({**fields, "started_at": "now", **answer(planned)}))
    batches = {point.case.case_id: point.case.batch_size for point in plan.cases}
    return done, {batches[case_id]: reason for case_id, reason in skipped.items()}


def batches_of(done: Sequence[PlannedRound]) -> list[int]:
    return [planned.case.batch_size for planned in done]


def test_progressive_does_all_rounds_of_the_small_before_the_big() -> None:
    done, skipped = carry_out(plan_of([make_case(batch_size=size) for size in (8, 1, 4)], schedule="progressive"))
    assert batches_of(done) == [1, 1, 4, 4, 8, 8] and not skipped


def test_platforms_of_one_size_are_interleaved_inside_a_stage() -> None:
    cases = [make_case(batch_size=size, seed=seed) for size in (2, 1) for seed in (0, 1, 2)]
    done, _ = carry_out(plan_of(cases, schedule="progressive", rounds=3))
    assert batches_of(done) == [1] * 9 + [2] * 9
    turns = [sorted(planned.case.seed for planned in done[at : at + 3]) for at in range(0, 18, 3)]
    assert turns == [[0, 1, 2]] * 6


def test_a_model_with_more_parameters_comes_later() -> None:
    big = make_model(scale="full")
    cases = [make_case(model=big), make_case(batch_size=4)]
    done, _ = carry_out(plan_of(cases, schedule="progressive"))
    assert [planned.case.model.scale for planned in done] == ["tiny", "tiny", "full", "full"]


@pytest.mark.parametrize("code", ["out_of_memory", "crashed", "timeout", "load_failed", "wrong_output"])
def test_what_failed_small_is_not_tried_bigger(code: str) -> None:
    def answer(planned: PlannedRound) -> dict[str, Any]:
        fails = planned.case.batch_size == 4
        return {"outcome": "failed", "code": code, "reason": "so it was"} if fails else {"outcome": "ok"}

    cases = [make_case(batch_size=size) for size in (1, 2, 4, 8, 16)]
    done, skipped = carry_out(plan_of(cases, schedule="progressive"), answer)
    assert batches_of(done) == [1, 1, 2, 2, 4]
    words = f"not tried: at batch 4, length 8 it failed: {code}: so it was"
    assert skipped == {8: words, 16: words}


def test_only_what_is_as_large_in_batch_and_length_is_skipped() -> None:
    cases = [make_case(batch_size=batch, length=length) for batch in (1, 2) for length in (8, 16)]

    def answer(planned: PlannedRound) -> dict[str, Any]:
        fails = (planned.case.batch_size, planned.case.length) == (2, 8)
        return {"outcome": "failed", "code": "crashed", "reason": "no"} if fails else {"outcome": "ok"}

    done, _ = carry_out(plan_of(cases, schedule="progressive", rounds=1), answer)
    assert sorted((planned.case.batch_size, planned.case.length) for planned in done) == [(1, 8), (1, 16), (2, 8)]


def test_another_platform_or_precision_is_another_group() -> None:
    cases = [make_case(batch_size=size, precision=precision) for size in (1, 2) for precision in ("fp32", "fp16")]

    def answer(planned: PlannedRound) -> dict[str, Any]:
        fails = planned.case.precision == "fp16"
        return {"outcome": "failed", "code": "crashed", "reason": "no"} if fails else {"outcome": "ok"}

    done, skipped = carry_out(plan_of(cases, schedule="progressive", rounds=1), answer)
    assert (2, "fp32") in {(planned.case.batch_size, planned.case.precision) for planned in done}
    assert list(skipped) == [2]


def test_that_a_device_went_away_says_nothing_of_the_bigger() -> None:
    cases = [make_case(batch_size=size) for size in (1, 2)]
    gone = Round.model_validate({
        "round_id": "1", "run_id": "r", "case_id": cases[0].case_id, "number": 1, "started_at": "now",
        "outcome": "failed", "code": "device_gone",
    })  # fmt: skip
    assert schedule_for(plan_of(cases, schedule="progressive")).skipped([gone]) == {}


def test_a_failed_export_counts_as_failed_small() -> None:
    small, big = make_case(batch_size=1), make_case(batch_size=2)
    failed = PlannedCase(case=small, outcome="failed", code="export_failed", reason="export: no rule")
    plan = Plan(cases=(failed, PlannedCase(case=big)), policy=Policy(schedule="progressive"))
    reason = schedule_for(plan).skipped([])[big.case_id]
    assert reason == "not tried: at batch 1, length 8 it failed: export_failed: export: no rule"


def test_what_has_begun_is_not_skipped_by_what_fails_later() -> None:
    cases = [make_case(batch_size=size) for size in (1, 2)]
    rounds = [
        Round.model_validate({
            "round_id": str(at), "run_id": "r", "case_id": case.case_id, "number": 1, "started_at": "now",
            "outcome": outcome, "code": "crashed" if outcome == "failed" else None,
        })
        for at, (case, outcome) in enumerate(zip(cases, ("failed", "ok"), strict=True))
    ]  # fmt: skip
    assert schedule_for(plan_of(cases, schedule="progressive")).skipped(rounds) == {}


def test_priority_comes_first_in_its_order_and_interleaved_is_one_stage_without() -> None:
    cases = [make_case(precision=precision, seed=seed) for precision in ("fp32", "fp16", "int8") for seed in (0, 1)]
    done, _ = carry_out(plan_of(cases, priority=("int8", "fp16")))
    assert [planned.case.precision for planned in done] == ["int8"] * 4 + ["fp16"] * 4 + ["fp32"] * 4
    schedule: Schedule = schedule_for(plan_of(cases))
    assert len(schedule.stages) == 1 and not schedule.by_stage


def peaks(fixed_mb: float, per_item_mb: float) -> Answer:
    def answer(planned: PlannedRound) -> dict[str, Any]:
        peak = round((fixed_mb + per_item_mb * planned.case.batch_size) * MB)
        return {"outcome": "ok", "memory_bytes": {"peak_rss": peak}}

    return answer


def search(limit_mb: int, answer: Answer, rounds: int = 1) -> tuple[list[PlannedRound], dict[int, str]]:
    cases = [make_case(batch_size=2**power) for power in range(9)]
    policy = {"schedule": "memory_limit", "memory_limit_bytes": limit_mb * MB, "rounds": rounds}
    return carry_out(plan_of(cases, **policy), answer)


def test_a_search_goes_up_until_the_line_says_that_the_next_is_beyond() -> None:
    # 100 + 10 per item: batch 16 takes 260; batch 32 would take 420, more than 1.25 × 300
    done, skipped = search(300, peaks(100, 10))
    assert batches_of(done) == [1, 2, 4, 8, 16]
    assert skipped[32].startswith("not tried: by what smaller ones took it needs about 420.0 MB")
    assert set(skipped) == {32, 64, 128, 256}


def test_what_is_not_clearly_beyond_is_measured_and_ends_the_search() -> None:
    # batch 32 would take 420, less than 1.25 × 400: it is tried, and is over
    done, skipped = search(400, peaks(100, 10))
    assert batches_of(done) == [1, 2, 4, 8, 16, 32]
    assert skipped[64] == "not tried: at batch 32, length 8 it took 420.0 MB, more than the limit of 400.0 MB"


def test_noise_between_two_small_batches_forbids_nothing_far_away() -> None:
    def answer(planned: PlannedRound) -> dict[str, Any]:
        peak_mb = {1: 100, 2: 110}.get(planned.case.batch_size, 110)
        return {"outcome": "ok", "memory_bytes": {"peak_rss": peak_mb * MB}}

    # the line through 1 and 2 says 2,650 MB for 256
    done, skipped = search(200, answer)
    assert batches_of(done) == [2**power for power in range(9)] and not skipped


def test_a_search_stops_where_it_failed() -> None:
    def answer(planned: PlannedRound) -> dict[str, Any]:
        if planned.case.batch_size == 4:
            return {"outcome": "failed", "code": "out_of_memory", "reason": "Cannot allocate"}
        return {"outcome": "ok", "memory_bytes": {"peak_rss": 100 * MB}}

    done, skipped = search(200, answer)
    assert batches_of(done) == [1, 2, 4] and "out_of_memory: Cannot allocate" in skipped[8]


def test_a_peak_that_nobody_could_read_stops_nothing() -> None:
    done, skipped = search(1, well)
    assert len(done) == 9 and not skipped


@pytest.mark.parametrize("schedule", ["progressive", "memory_limit"])
def test_a_profile_that_failed_keeps_nothing_from_being_tried_bigger(schedule: str) -> None:
    plan = plan_of([make_case(batch_size=size) for size in (1, 2)], schedule=schedule, rounds=1)
    first = plan.cases[0].case.case_id
    fields = {"round_id": "r1", "run_id": "r", "case_id": first, "number": 1, "started_at": "now"}
    timed = Round.model_validate({**fields, "outcome": "ok"})
    failed = {**fields, "round_id": "r2", "outcome": "failed", "code": "profile_failed", "reason": "no"}
    looked_at = Round.model_validate({**failed, "purpose": "profile"})
    assert schedule_for(plan).skipped([timed, looked_at]) == {}
    broke = Round.model_validate({**failed, "number": 2})
    assert list(schedule_for(plan).skipped([timed, broke])) == [plan.cases[1].case.case_id]
