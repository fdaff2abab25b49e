"""Which point stands beside which, what is said of the ratio, and what is left out."""

from typing import Any

import pytest

from harness.analyse.comparison import Comparison, LeftOut, compare
from harness.analyse.sides import SideBySide, compared, matching, side_by_side
from harness.core.measured import MeasuredCase, MeasuredRun
from harness.core.nouns import Case, Policy
from tests.analyse.made_runs import HERE, made_run, measured
from tests.store.made_up import case


def both(run: MeasuredRun, first: str, second: str) -> SideBySide:
    return side_by_side((run, matching(run, first.split(","))), (run, matching(run, second.split(","))))


def slugs(sides: SideBySide) -> list[tuple[str, str]]:
    return [(a[1].case.slug, b[1].case.slug) for a, b in sides.pairs]


def at(platform: str, level: float = 10, **changes: Any) -> MeasuredCase:
    result = changes.pop("result", {})
    return measured(case(platform, **changes), (level, level * 1.01, level * 0.99), result=result)


def test_platforms_stand_beside_each_other_at_the_same_sizes() -> None:
    run = made_run(*(at(where, batch_size=size) for where in ("cpu", "wasm", "webnn") for size in (1, 8)))
    sides = both(run, "wasm", "webnn")
    assert sides.differ == ("platform", "device")
    assert slugs(sides) == [
        ("bert/fp32/b1/l128/wasm/chromium", "bert/fp32/b1/l128/webnn/chromium"),
        ("bert/fp32/b8/l128/wasm/chromium", "bert/fp32/b8/l128/webnn/chromium"),
    ]


def test_native_stands_beside_a_browser_though_its_backend_differs_as_well() -> None:
    run = made_run(at("cpu"), at("wasm"))
    assert slugs(both(run, "cpu", "wasm")) == [("bert/fp32/b1/l128/cpu", "bert/fp32/b1/l128/wasm/chromium")]


def test_what_only_one_side_has_is_left_out_and_said() -> None:
    run = made_run(at("wasm"), at("wasm", batch_size=8), at("webnn"), at("webnn", length=64))
    sides = both(run, "wasm", "webnn")
    assert len(sides.pairs) == 1
    told = [(each.point[0].slug, each.why) for each in sides.left_out]
    assert told == [
        ("bert/fp32/b8/l128/wasm/chromium", "the second has nothing at this point"),
        ("bert/fp32/b1/l64/webnn/chromium", "the first has nothing at this point"),
    ]


def test_two_runs_are_matched_point_by_point_whatever_their_versions() -> None:
    before = made_run(at("wasm", runtime="onnxruntime-web@1.29.0"), run_id="a")
    after = made_run(at("wasm", runtime="onnxruntime-web@1.30.0"), run_id="b")
    assert len(side_by_side((before, before.cases), (after, after.cases)).pairs) == 1
    pinned = made_run(at("wasm"), at("cpu"), run_id="b")
    assert len(side_by_side((before, before.cases), (pinned, pinned.cases)).pairs) == 1


def test_of_several_that_could_be_meant_none_is_taken() -> None:
    run = made_run(at("cpu", precision="fp32"), at("cpu", precision="fp16"), at("wasm", precision="int8"))
    sides = both(run, "cpu", "wasm")
    assert not sides.pairs and "narrow them" in sides.left_out[0].why


def test_words_are_names_of_parts_or_the_beginning_of_an_id() -> None:
    run = made_run(at("cpu"), at("wasm"))
    assert [one.case.platform for one in matching(run, ["wasm", "b1"])] == ["wasm"]
    assert matching(run, ["was"]) == []
    assert [one.case.platform for one in matching(run, [run.cases[0].case.case_id[:8]])] == ["cpu"]


def comparison(a: MeasuredCase, b: MeasuredCase, run: MeasuredRun | None = None) -> Comparison:
    where = run or made_run(a, b)
    found = compare((where, a), (where, b), 0.02)
    assert isinstance(found, Comparison)
    return found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"precision": "fp16"}, "not the same precision: fp32 and fp16"),
        ({"threads": 1}, "not the same threads: 2 and 1"),
        ({"batch_size": 8}, "not the same batch size: 1 and 8"),
    ],
)
def test_what_is_not_the_same_is_said(changes: dict[str, Any], said: str) -> None:
    assert said in comparison(at("cpu"), at("cpu", **changes)).doubts


def test_doubts_of_the_machine_and_of_the_adapter() -> None:
    noisy = {**HERE, "quiet": {"policy": "warn", "findings": [{"text": "a compiler is running"}]}}
    a, b = at("wasm"), at("webgpu", result={"software": True})
    assert set(comparison(a, b, made_run(a, b, machine=noisy)).doubts) == {"a software adapter", "a noisy machine"}
    other = made_run(b, run_id="s", machine={**HERE, "machine_id": "there", "cpu": "another"})
    found = compare((made_run(a), a), (other, b), 0.02)
    assert isinstance(found, Comparison)
    assert "two machines: none and another" in found.doubts and not found.ratio.paired


def test_rounds_of_another_length_are_said() -> None:
    a = at("cpu")
    short = Policy(rounds=20, budget_ns=20_000_000_000)
    for policy, said in ((short, True), (Policy(), False)):
        found = compare((made_run(a), a), (made_run(a, run_id="s", policy=policy), a), 0.02)
        assert isinstance(found, Comparison)
        assert any("warm up less" in doubt for doubt in found.doubts) == said


def test_the_floor_of_the_wait_is_said_where_it_counts() -> None:
    a = at("wasm")
    for floor, said in ((0.5, False), (2.0, True)):
        b = at("webgpu", result={"clock": {"wait_floor_ms": floor}})
        waited, slope = (b.model_copy(update={"clock": clock}) for clock in ("await", "slope"))
        assert any("the wait itself" in doubt for doubt in comparison(a, waited).doubts) == said
        assert not any("the wait itself" in doubt for doubt in comparison(a, slope).doubts)  # there it cancels out


def test_a_clock_in_the_page_and_one_outside_tell_the_same_quantity_a_slope_another() -> None:
    a = at("cpu", 10)
    page = at("wasm", 20).model_copy(update={"clock": "performance_now"})
    assert comparison(a, page).verdict == "slower"
    assert comparison(a, page.model_copy(update={"clock": "slope"})).verdict == "undecided"


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ({"outcome": "failed", "code": "wrong_output"}, "wrong output"),
        ({"outcome": "unsupported", "reason": "no adapter"}, "unsupported: no adapter"),
        ({"correct": None}, "not checked"),
        ({"reused_from": "q"}, "not measured in run"),
    ],
)
def test_nothing_but_right_answers_of_here_and_now_is_compared(result: dict[str, Any], why: str) -> None:
    a, b = at("cpu"), at("wasm", result=result)
    run = made_run(a, b)
    found = compared(both(run, "cpu", "wasm"), 0.02)
    assert not found.found and why in found.left_out[0].why
    told = compare((run, a), (run, a.model_copy(update={"medians": ()})), 0.02)
    assert isinstance(told, LeftOut) and "the journal" in told.why


def test_the_same_model_by_another_path_is_the_same() -> None:
    one = case("cpu")
    moved: Case = one.model_copy(update={"model": one.model.model_copy(update={"path": "/elsewhere"})})
    before, after = made_run(measured(one, (1, 1, 1))), made_run(measured(moved, (1, 1, 1)), run_id="s")
    assert len(side_by_side((before, before.cases), (after, after.cases)).pairs) == 1
