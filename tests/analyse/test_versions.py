"""Points that differ only in a version: what broke, what was mended, how many times as long."""

from typing import Any

import pytest

from harness.analyse.comparison import Comparison, comparisons
from harness.analyse.differences import between_runs, between_versions
from harness.analyse.measured import measured_run
from harness.analyse.pairs import Point, side_by_side
from harness.core.nouns import Case, PlannedCase
from harness.core.rounds import CaseResult, Round, Verdict
from tests.making import make_case
from tests.store.made_up import round_of
from tests.store.made_up import run as made_up_run

RIGHT = Verdict(checked=True, passed=True, tolerance=1e-3)
LOST = "InvalidStateError: the context is lost"


def point(version: str | None = None, reason: str | None = None, **asked: Any) -> Point:
    fields = {"platform": "webnn", "backend": "ort_web", "browser": "chromium", "browser_version": version, **asked}
    case = make_case(**fields)
    outcome = {"outcome": "failed", "code": "webnn_lost", "reason": reason} if reason else {"outcome": "ok"}
    fields = {"run_id": "r", "case_id": case.case_id, "correct": RIGHT, "fallback_share": 0.0, **outcome}
    return case, CaseResult.model_validate(fields)


def versions(pair: tuple[Point, Point]) -> list[tuple[str | None, str | None]]:
    return [(case.browser_version, case.runtime) for case, _ in pair]


def test_a_pair_differs_in_one_version_only() -> None:
    points = [point(browser, runtime=runtime) for browser in ("147", "153") for runtime in ("ort@1", "ort@2")]
    found = [versions(pair) for pair in side_by_side([*points, point("147", runtime="ort@1", batch_size=8)])]
    assert found == [
        [("147", "ort@1"), ("153", "ort@1")],
        [("147", "ort@2"), ("153", "ort@2")],
        [("147", "ort@1"), ("147", "ort@2")],
        [("153", "ort@1"), ("153", "ort@2")],
    ]


def test_what_failed_and_runs_was_mended_and_the_other_way_round_it_broke() -> None:
    (mended,) = between_versions([point("147.0.0", LOST), point("153.0.0")])
    assert (mended.kind, mended.text) == ("mended", f"failed: {LOST} → ok")
    (broke,) = between_versions([point("147.0.0"), point("153.0.0", LOST)])
    assert (broke.kind, broke.text) == ("broke", f"ok → failed: {LOST}")
    assert between_versions([point("147.0.0"), point("153.0.0")]) == []
    assert between_versions([point("147.0.0", LOST), point("153.0.0", LOST)]) == []
    (changed,) = between_versions([point("147.0.0", LOST), point("153.0.0", "another reason")])
    assert changed.kind == "changed"


def test_nodes_that_fall_back_are_a_change_though_both_are_right() -> None:
    before, after = point("1"), point("2")
    fell = (after[0], after[1].model_copy(update={"fallback_share": 0.25}))
    (found,) = between_versions([before, fell])
    assert (found.kind, found.text) == ("changed", "ok → ok, 25.0% of nodes on the CPU")


def test_where_nodes_ran_is_no_change_when_one_side_does_not_know() -> None:
    before, after = point("1"), point("2")
    fell = (before[0], before[1].model_copy(update={"fallback_share": 0.25}))
    silent = (after[0], after[1].model_copy(update={"fallback_share": None}))
    assert between_versions([fell, silent]) == between_versions([silent, fell]) == []


@pytest.mark.parametrize("code", ["not_fetched", "disk_full", "not_tried", "no_room"])
def test_what_was_of_the_moment_or_left_out_was_not_broken_by_its_version(code: str) -> None:
    before, (case, result) = point("1"), point("2", "npm gave no answer")
    (found,) = between_versions([before, (case, result.model_copy(update={"code": code}))])
    assert found.kind == "unknown"


def test_two_devices_are_no_versions_of_one_another() -> None:
    phone, tablet = (point(name, browser="attached") for name in ("phone", "tablet"))
    assert side_by_side([phone, tablet]) == []
    assert [each.kind for each in between_runs([phone], [tablet])] == ["gone", "new"]


def test_two_clocks_decide_nothing() -> None:
    a, b = point("1"), point("2")
    other = [
        one.model_copy(
            update={"samples": tuple(batch.model_copy(update={"clock": "timestamp"}) for batch in one.samples)}
        )
        for one in rounds(b[0], 20, 20, 20)
    ]
    (found,) = compared(a, b, [*rounds(a[0], 10, 10, 10), *other])
    assert found.verdict == "undecided" and "two clocks" in found.doubts[0]


def test_runs_are_matched_by_place_the_same_version_first() -> None:
    before = [point("147.0.0", LOST), point("152.0.0"), point("152.0.0", platform="wasm")]
    after = [point("147.0.0"), point("153.0.0", LOST), point("153.0.0", batch_size=8)]
    found = between_runs(before, after)
    assert [each.kind for each in found] == ["broke", "mended", "gone", "new"]
    broke, mended = found[:2]
    assert broke.before is not None and broke.before[0].browser_version == "152.0.0"
    assert mended.before is not None and mended.before[0].browser_version == "147.0.0"
    assert found[2].before is not None and found[2].before[0].platform == "wasm"


def compared(a: Point, b: Point, done: list[Round]) -> list[Comparison]:
    run = made_up_run(*(PlannedCase(case=case) for case, _ in (a, b)))
    return comparisons([(a, b)], measured_run(run, [a, b], done))


def rounds(case: Case, *levels_ms: float, **changes: Any) -> list[Round]:
    return [
        round_of(case, number, tuple(level + step / 100 for step in range(12)), **changes)
        for number, level in enumerate(levels_ms, 1)
    ]


@pytest.mark.parametrize(
    ("second", "verdict", "ratio"),
    [((20, 20.2, 19.8), "slower", 2), ((5, 5.1, 4.9), "faster", 0.5), ((10.1, 9.9, 10), "undecided", 1)],
)
def test_a_ratio_is_the_second_over_the_first(second: tuple[float, ...], verdict: str, ratio: float) -> None:
    a, b = point("1"), point("2")
    (found,) = compared(a, b, [*rounds(a[0], 10, 10.1, 9.9), *rounds(b[0], *second)])
    assert found.verdict == verdict and found.ratio.value == pytest.approx(ratio, rel=0.02)
    assert found.ci95 is not None and found.ci95[0] < found.ratio.value < found.ci95[1] and found.doubts == ()


def test_two_rounds_decide_nothing_however_far_apart() -> None:
    a, b = point("1"), point("2")
    (found,) = compared(a, b, [*rounds(a[0], 10, 10), *rounds(b[0], 90, 90)])
    assert (found.ci95, found.verdict) == (None, "undecided") and found.doubts[0].startswith(
        "no interval: 2 of 3 turns"
    )


def test_what_is_not_right_is_not_compared() -> None:
    a, failed, unchecked = point("1"), point("2", LOST), point("2")
    no_check = (unchecked[0], unchecked[1].model_copy(update={"correct": None}))
    for b in (failed, no_check):
        assert compared(a, b, [*rounds(a[0], 10, 10, 10), *rounds(b[0], 20, 20, 20)]) == []


def test_only_turns_that_both_have_are_compared() -> None:
    """The second's first Round is missing; unpaired, the first's slow one would count."""
    a, b = point("1"), point("2")
    slow_first = rounds(a[0], 90, 10, 10, 10)
    (found,) = compared(a, b, [*slow_first, *rounds(b[0], 1, 20, 20, 20)[1:]])
    assert found.ratio.value == pytest.approx(2, rel=0.02) and found.verdict == "slower"
