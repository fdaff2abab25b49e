"""The gate's rules: what is suspect, what fails, what can be measured again and what is a control."""

from typing import Any

import pytest

from harness.analyse.regression import (
    Checked,
    any_fails,
    as_it_was,
    confirmed,
    confirmed_alone,
    screened,
    summary,
    unchanged,
    unconfirmed,
)
from harness.core.measured import MeasuredCase, MeasuredRun
from harness.core.nouns import Decision, Policy
from tests.analyse.made_runs import HERE, VERSIONS, made_run, measured
from tests.store.made_up import case

DECIDING = Policy(schedule="until_decided", decision=Decision(kind="regression", size=0.1, confidence=0.98))


def point(level: float, platform: str = "cpu", run_id: str = "r", **changes: Any) -> MeasuredCase:
    return measured(case(platform), (level, level * 1.004, level * 0.996), run_id, **changes)


def screen(before: MeasuredCase, after: MeasuredCase) -> Checked:
    found = screened(made_run(before, run_id="base"), made_run(after, run_id="new"))
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("now_ms", "status"), [(9.99, "passed"), (10.05, "suspect"), (13.0, "suspect"), (9.0, "faster")]
)
def test_slower_in_a_few_rounds_is_suspect_and_never_an_alarm(now_ms: float, status: str) -> None:
    found = screen(point(10), point(now_ms))
    assert found.status == status and not any_fails([found])


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        ({}, {"outcome": "failed", "code": "wrong_output", "reason": "off by 3"}, "broke"),
        ({}, {"outcome": "unsupported", "reason": "no such operator"}, "broke"),
        ({"outcome": "failed", "code": "crash"}, {}, "mended"),
        ({"outcome": "failed", "code": "crash"}, {"outcome": "failed", "code": "crash"}, "not_compared"),
        ({}, {"outcome": "failed", "code": "disk_full"}, "not_compared"),  # says nothing of what was asked
        ({"correct": None}, {"correct": None}, "not_compared"),
    ],
)
def test_outcomes(before: dict[str, Any], after: dict[str, Any], status: str) -> None:
    found = screen(point(10, result=before), point(10, result=after))
    assert found.status == status and any_fails([found]) == (status == "broke")


def test_points_of_one_side_only_are_said_and_fail_nothing() -> None:
    found = screened(made_run(point(10), point(10, "wasm"), run_id="a"), made_run(point(10), run_id="b"))
    assert summary(found) == {"passed": 1, "gone": 1}
    found = screened(made_run(point(10), run_id="a"), made_run(point(10), point(10, "wasm"), run_id="b"))
    assert summary(found) == {"passed": 1, "new": 1} and not any_fails(found)


def again(*latencies: tuple[float, ...]) -> tuple[MeasuredRun, list[MeasuredCase]]:
    """A fresh Run of two sides in turn."""
    cases = [measured(case("cpu", options={"side": str(place)}), each, "fresh") for place, each in enumerate(latencies)]
    return made_run(*cases, run_id="fresh", policy=DECIDING), cases


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        ((10, 10.1, 9.9, 10), (12, 12.2, 11.9, 12), "regression"),
        ((10, 10.1, 9.9, 10), (10, 10.1, 9.9, 10.1), "passed"),
        ((10, 10.1, 9.9, 10), (10.4, 10.5, 10.3, 10.4), "passed"),  # slower, and by less than was asked for
        ((10, 12, 9, 10), (12, 11, 13, 12), "suspect"),
    ],
)
def test_only_fresh_rounds_make_a_regression(before: Any, after: Any, status: str) -> None:
    suspect = screen(point(10), point(12))
    fresh, (a, b) = again(before, after)
    found = confirmed(suspect, (fresh, a), (fresh, b), 0.10)
    assert (found.status, found.again_in) == (status, "fresh") and any_fails([found]) == (status == "regression")


@pytest.mark.parametrize("code", ["crash", "disk_full", "export", "timeout"])
def test_what_fails_only_when_it_is_measured_again_is_seen_once(code: str) -> None:
    fresh, (a, b) = again((10, 10, 10), (12, 12, 12))
    failed = b.model_copy(update={"result": b.result.model_copy(update={"outcome": "failed", "code": code})})
    found = confirmed(screen(point(10), point(12)), (fresh, a), (fresh, failed), 0.10)
    assert found.status == "suspect" and "when measured again failed" in found.why


@pytest.mark.parametrize(("now_ms", "status"), [(11.0, "suspect"), (40.0, "regression")])
def test_where_the_baseline_cannot_be_had_after_all_the_stored_rounds_judge(now_ms: float, status: str) -> None:
    fresh, (a, b) = again((10, 10, 10), (now_ms, now_ms, now_ms))
    failed = a.model_copy(update={"result": a.result.model_copy(update={"outcome": "failed", "code": "export"})})
    found = confirmed(screen(point(10), point(now_ms)), (fresh, failed), (fresh, b), 0.10)
    assert found.status == status and "its baseline: failed" in found.why


def test_what_cannot_be_measured_again_since_its_file_was_replaced_did_not_break() -> None:
    fresh, (a, b) = again((10, 10, 10), (12, 12, 12))
    told = {"outcome": "failed", "code": "model_changed", "reason": "m.onnx is not what it was"}
    gone = b.model_copy(update={"result": b.result.model_copy(update=told)})
    found = confirmed(screen(point(10), point(12)), (fresh, a), (fresh, gone), 0.10)
    assert found.status == "suspect" and "m.onnx is not what it was" in found.why and not any_fails([found])


def test_a_machine_that_got_slower_as_a_whole_is_no_regression() -> None:
    """All take 15 % longer than at the baseline's time; beside the control nothing has changed."""
    base = made_run(point(10), point(20, "wasm"), run_id="base")
    new = made_run(point(11.5), point(23, "wasm"), run_id="new")
    suspect, control = screened(base, new)
    assert (suspect.status, control.status) == ("suspect", "suspect") and unchanged(control)
    later = made_run(point(11.5), point(23, "wasm"), run_id="later")
    beside = [((base, base.cases[1]), (later, later.cases[1]))]
    assert confirmed_alone(suspect, (later, later.cases[0]), beside, 0.10).status == "passed"
    alone = confirmed_alone(suspect, (later, later.cases[0]), [], 0.10)
    assert alone.status == "suspect" and "two times is in the ratio" in alone.doubts[0]
    slower = made_run(point(15), point(23, "wasm"), run_id="later")
    beside = [((base, base.cases[1]), (slower, slower.cases[1]))]
    assert confirmed_alone(suspect, (slower, slower.cases[0]), beside, 0.10).status == "regression"


def test_nothing_measured_again_needs_to_be_beyond_all_doubt() -> None:
    assert unconfirmed(screen(point(10), point(11.5)), 0.10, "x").status == "suspect"
    assert unconfirmed(screen(point(10), point(13)), 0.10, "x").status == "regression"


def test_a_control_is_the_same_point_with_the_same_versions_here() -> None:
    assert unchanged(screen(point(10), point(10)))
    assert not unchanged(screen(point(10), point(10, versions={**VERSIONS, "torch": "2.14.0"})))
    assert not unchanged(screen(point(10), point(10, versions=None)))
    there = made_run(point(10), run_id="base", machine={**HERE, "machine_id": "there"})
    assert not unchanged(screened(there, made_run(point(10), run_id="new"))[0])


def test_another_machines_latency_is_no_baseline_its_outcome_is() -> None:
    there = made_run(point(10), run_id="base", machine={**HERE, "machine_id": "there"})
    (slow,) = screened(there, made_run(point(30), run_id="new"))
    (broke,) = screened(there, made_run(point(30, result={"outcome": "failed", "code": "crash"}), run_id="new"))
    assert (slow.status, broke.status) == ("not_compared", "broke")


def test_a_sweep_over_versions_is_held_against_the_same_sweep() -> None:
    def sweep(level: float, run_id: str) -> MeasuredRun:
        cases = [case("wasm", browser_version=version) for version in ("147.0.2", "148.0.0")]
        return made_run(*(measured(one, (level, level, level), run_id) for one in cases), run_id=run_id)

    found = screened(sweep(10, "base"), sweep(30, "new"))
    assert [(each.status, each.before is not None) for each in found] == [("suspect", True), ("suspect", True)]


@pytest.mark.parametrize("changes", [{"batch_size": 8}, {"precision": "fp16"}, {"threads": 1}])
def test_a_baseline_of_something_else_is_none(changes: dict[str, Any]) -> None:
    base = made_run(point(10), run_id="base")
    found = screened(base, made_run(measured(case("cpu", **changes), (60, 60, 60), "new"), run_id="new"))
    assert summary(found) == {"gone": 1, "new": 1} and "in common" in found[0].why


def test_a_model_that_was_changed_where_it_lies_is_held_against_what_it_was() -> None:
    before = case("cpu")
    changed = before.model_copy(update={"model": before.model.model_copy(update={"identity": "another"})})
    base = made_run(measured(before, (10, 10, 10), "base"), point(10, "wasm"), run_id="base")
    new = made_run(measured(changed, (20, 20, 20), "new"), point(10, "wasm"), run_id="new")
    suspect, _ = screened(base, new)
    assert suspect.status == "suspect" and any("its files were changed" in doubt for doubt in suspect.doubts)


PAGE = {"@sparticuz/chromium": "browser_version", "onnxruntime-web": "runtime"}
OLD = {"artifact": "a", "loop": "l", "browser": "@sparticuz/chromium 147.0.2", "onnxruntime-web": "1.29.0"}


@pytest.mark.parametrize(
    ("now", "asked", "why"),
    [
        ({"onnxruntime-web": "1.30.0"}, {"runtime": "onnxruntime-web@1.29.0"}, ""),
        ({"browser": "@sparticuz/chromium 153.0.0"}, {"browser_version": "147.0.2"}, ""),
        (
            {"browser": "@sparticuz/chromium 153.0.0", "onnxruntime-web": "1.30.0"},
            {"browser_version": "147.0.2", "runtime": "onnxruntime-web@1.29.0"},
            "",
        ),
        ({"loop": "m"}, None, "our own measuring code"),
        ({"artifact": "b"}, None, "the artifact"),
        ({"playwright": "2"}, None, "playwright is not what it was"),
        ({}, None, "the machine has"),
    ],
)
def test_the_baseline_as_it_was(now: dict[str, str], asked: dict[str, str] | None, why: str) -> None:
    before, after = point(10, "wasm", versions=OLD), point(12, "wasm", versions={**OLD, **now})
    found, said = as_it_was(before, after, PAGE)
    assert why in said
    assert found == (None if asked is None else before.case.model_copy(update=asked))


def test_what_was_asked_for_by_version_is_asked_for_again() -> None:
    before = measured(case("wasm", runtime="onnxruntime-web@1.29.0"), (10, 10, 10), versions=OLD)
    after = point(12, "wasm", versions={**OLD, "onnxruntime-web": "1.30.0"})
    assert as_it_was(before, after, PAGE) == (before.case, "")


def test_what_was_pinned_then_is_asked_for_by_its_version() -> None:
    """The baseline had no version in it, the Run has: today's pinned one may be the Run's."""
    after = measured(
        case("wasm", browser_version="153.0.0"),
        (12, 12, 12),
        versions={**OLD, "browser": "@sparticuz/chromium 153.0.0"},
    )
    found, _ = as_it_was(point(10, "wasm", versions=OLD), after, PAGE)
    assert found is not None and found.browser_version == "147.0.2"


def test_a_browser_that_tells_its_version_only_when_it_runs_cannot_be_asked_for_by_it() -> None:
    before = point(10, "wasm", versions={**OLD, "browser": "not known without starting it"})
    assert as_it_was(before, point(12, "wasm", versions=OLD), PAGE)[0] is None
