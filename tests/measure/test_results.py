"""Outcome, interval, clock and doubts of a Case, from made-up Rounds."""

from typing import Any

import pytest

from harness import catalog
from harness.core.rounds import CaseResult, Round, Verdict
from harness.measure.results import case_result
from tests.store.made_up import case, round_of, samples

CASE = case()
STEADY = tuple(10 + (i % 3) / 10 for i in range(12))


def result(*rounds: Round, of: Any = CASE) -> CaseResult:
    metrics = {name: metric.compute for name, metric in catalog.metrics().items()}
    return case_result("a-run", of, rounds, metrics)


def three(**changes: Any) -> list[Round]:
    return [round_of(CASE, number, STEADY, **changes) for number in (1, 2, 3)]


def test_three_good_rounds_leave_no_doubt() -> None:
    found = result(*three())
    assert (found.outcome, found.code, found.reason, found.rounds, found.rounds_failed) == ("ok", None, None, 3, 0)
    assert found.metrics["latency_median_ms"] == pytest.approx(10.1)
    assert found.latency_ci95_ms == pytest.approx((10.1, 10.1))
    assert found.runtime == "torch@2.13.0"
    assert found.doubts == ()
    assert found.software is None


def test_cpu_that_the_host_took_is_a_doubt() -> None:
    rounds = [*three()[:2], round_of(CASE, 3, STEADY, provenance={"steal_share": 0.166})]
    assert result(*rounds).doubts == ("the host of this virtual machine took up to 16.6% of its CPU in round 3",)


def test_one_failed_round_fails_the_case_and_the_first_says_why() -> None:
    bad: dict[str, Any] = {"outcome": "failed", "samples": (), "verdict": None}
    rounds = [
        round_of(CASE, 1, STEADY),
        round_of(CASE, 2, code="crash", reason="first", **bad),
        round_of(CASE, 3, code="timeout", reason="second", **bad),
    ]
    found = result(*rounds)
    assert (found.outcome, found.code, found.reason, found.rounds_failed) == ("failed", "crash", "first", 2)
    assert "2 of 3 rounds failed" in found.doubts


def test_what_a_failed_round_noted_is_told_though_there_is_no_number_to_doubt() -> None:
    bad: dict[str, Any] = {"outcome": "failed", "code": "crash", "reason": "why", "samples": (), "verdict": None}
    assert result(round_of(CASE, 1, notes=("a screenshot: here",), **bad)).doubts == ("a screenshot: here",)
    found = result(round_of(CASE, 1, STEADY), round_of(CASE, 2, notes=("a screenshot: there",), **bad))
    assert "a screenshot: there" in found.doubts


def test_unsupported_only_if_all_say_so() -> None:
    refused = round_of(CASE, 1, outcome="unsupported", reason="no adapter", samples=(), verdict=None)
    found = result(refused)
    assert (found.outcome, found.reason, found.doubts, found.clock) == ("unsupported", "no adapter", (), {})
    assert result(refused, round_of(CASE, 2, STEADY)).outcome == "ok"


def test_wrong_output_keeps_its_timings() -> None:
    wrong = Verdict(checked=True, passed=False, max_abs=3.0)
    rounds = [*three()[:2], round_of(CASE, 3, (1,) * 12, outcome="failed", code="wrong_output", verdict=wrong)]
    found = result(*rounds)
    assert (found.outcome, found.code, found.correct) == ("failed", "wrong_output", wrong)
    assert found.metrics["latency_median_ms"] == pytest.approx(10.1)
    assert found.doubts[0] == "wrong output: the timings are kept but never ranked"
    only = result(rounds[2])
    assert only.metrics["latency_median_ms"] == pytest.approx(1)


def test_no_interval_below_six() -> None:
    found = result(round_of(CASE, 1, (5, 6, 7, 8), stopped_by="budget"))
    assert found.latency_ci95_ms is None
    assert found.interval_method is None
    assert "few samples: n = 4 in round 1, ended by the budget" in found.doubts
    assert "no interval: n = 4 is below 6" in found.doubts
    assert found.stopped_by == ("budget",)


def test_interval_within_one_round_says_so() -> None:
    found = result(round_of(CASE, 1, STEADY))
    assert found.interval_method == "order statistics within one round"
    assert any("interval within 1 of 3 rounds" in doubt for doubt in found.doubts)


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        ({"provenance": {"webgpu": {"software": True, "description": "SwiftShader"}}}, "software adapter: SwiftShader"),
        (
            {"provenance": {"fallback_share": 0.25}, "fallbacks": ("Gather (a)", "Shape", "Gather (b)")},
            "25.0% of nodes fell back to the CPU: Gather ×2, Shape",
        ),
        ({"provenance": {"threads": 1}}, "threads used: 1, asked for: 2"),
        ({"provenance": {"isolation": "zygote"}}, "forked: peak memory lacks shared pages"),
        ({"provenance": {"seeing": {"headed": True}}}, "measured in a window"),
        ({"provenance": {"seeing": {"headed": True, "paused": True}}}, "paused before the first iteration"),
        ({"provenance": {"seeing": {"traced": True}}}, "traced: slower than untraced"),
        ({"provenance": {"browser": {"passed_over": ["no window"]}}}, "another build of the browser"),
        ({"provenance": {"isolated": False}}, "not cross-origin isolated"),
        ({"provenance": {"visibility": "hidden"}}, "the page was hidden"),
        # 10 ms is shorter than 100 steps of 1 ms.
        ({"provenance": {"clock_step_ns": 1_000_000}}, "coarse clock"),
        (
            {"provenance": {"wait_floor_ns": 9_000_000}, "samples": (samples(10, 10, clock="await"),)},
            "the wait itself takes 9 ms of the await's 10, and no better clock was there",
        ),
        (
            {"samples": (samples(10, 10, clock="await"), samples(3, 3, clock="timestamp"))},
            "the GPU's own timestamps say 3 ms",
        ),
        ({"verdict": None}, "outputs not verified"),
        ({"verdict": Verdict(checked=False, passed=True, reason="is its own reference")}, "is its own reference"),
        ({"phase_details": {"warm": {"steady": False}}}, "not steady after warm-up in rounds 1, 2, 3"),
        ({"notes": ("on battery",)}, "on battery"),
        ({"samples": (samples(*(float(i) for i in range(1, 40))),)}, "drifts"),
    ],
)
def test_doubts(changes: dict[str, Any], doubt: str) -> None:
    found = result(*three(**changes))
    assert any(doubt in said for said in found.doubts), found.doubts
    assert len(found.doubts) == len(set(found.doubts))


def test_more_threads_than_cpus_are_a_doubt() -> None:
    few = CASE.model_copy(update={"affinity": (1,), "threads": 2})
    enough = few.model_copy(update={"affinity": (0, 1)})
    doubt = "2 threads take turns on CPU 1"
    assert doubt in result(*three(), of=few).doubts
    assert not [said for said in result(*three(), of=enough).doubts if "take turns" in said]


def test_webnn_is_a_hint() -> None:
    webnn = case("webnn", device="gpu")
    assert any("gpu was asked for, a hint" in doubt for doubt in result(*three(), of=webnn).doubts)


def test_clock_of_a_page() -> None:
    provenance = {"clock_step_ns": 5000, "isolated": True, "wait_floor_ns": 200_000, "webgpu": {"software": False}}
    one = round_of(CASE, 1, provenance=provenance, samples=(samples(8, 9, 10, clock="await"),))
    found = result(one)
    assert found.software is False
    assert found.clock == {
        "kind": "performance_now",
        "verdict": "await",
        "why": None,
        "step_us": 5,
        "runs_per_sample": 1,
        "isolated": True,
        "wait_floor_ms": 0.2,
        "all_ms": {"submit": None, "await": 9, "slope": None, "timestamp": None},
    }


def test_no_rounds_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="no Rounds"):
        result()
