"""What people read: marks, reasons, units, and a sentence that never ranks what is not verified."""

import re
from typing import Any

import pytest
from rich.console import Console

from harness.core.noise import noise_lines
from harness.core.nouns import Case, Plan, PlannedCase, Policy
from harness.core.rounds import CaseResult, Verdict
from harness.show.as_json import case_as_json
from harness.show.plan import again_lines, plan_lines
from harness.show.table import duration, interval, reading, results_table, times
from tests.making import make_case, make_model

RIGHT = Verdict(checked=True, passed=True, reference="pytorch-fp32", max_abs=1e-6, tolerance=1e-3)


def point(platform: str, median_ms: float | None = None, **changes: Any) -> tuple[Case, CaseResult]:
    browser = "chromium" if platform in ("wasm", "webgpu", "webnn") else None
    case = make_case(platform=platform, device=platform if browser else "cpu", browser=browser)
    fields: dict[str, Any] = {"run_id": "r", "case_id": case.case_id, "outcome": "ok", "correct": RIGHT}
    if median_ms is not None:
        fields |= {"metrics": {"latency_median_ms": median_ms}, "latency_ci95_ms": (median_ms * 0.9, median_ms * 1.1)}
    return case, CaseResult.model_validate({**fields, **changes})


def shown(results: list[tuple[Case, CaseResult]], width: int = 120) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(results_table(results, width))
    return captured.get()


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0.000165, "0.17 µs"),
        (0.235, "235 µs"),
        (1.224, "1.22 ms"),
        (12.34, "12.3 ms"),
        (999.4, "999 ms"),
        (1350, "1.35 s"),
    ],
)
def test_durations_have_three_figures_and_a_unit(milliseconds: float, text: str) -> None:
    assert duration(milliseconds) == text


def test_an_interval_has_one_unit() -> None:
    assert interval(0.83, 1.8) == "0.83–1.80 ms"
    assert (times(2.345), times(1421.2)) == ("2.35", "1,421")


def test_software_is_called_software_where_its_name_stands() -> None:
    gpu = point("webgpu", 1350, software=True, doubts=("software adapter: SwiftShader",))
    text = shown([point("cpu", 7.4), gpu])
    assert re.search(r"webgpu \(software\) a", text)
    assert "a software adapter: SwiftShader" in text
    assert "webgpu (software)" in reading([gpu])


def test_what_cannot_run_says_so_and_why() -> None:
    text = shown([point("webnn", outcome="unsupported", reason="navigator.ml is not there", correct=None)])
    assert "unsupported" in text and "navigator.ml is not there" in text


def test_fast_but_wrong_is_wrong_and_not_ranked() -> None:
    wrong = point(
        "wasm", 0.1, outcome="failed", code="wrong_output", reason="off by 3",
        correct=Verdict(checked=True, passed=False),
    )  # fmt: skip
    results = [wrong, point("cpu", 7.4)]
    assert "wrong" in shown(results)
    assert reading(results).startswith("bert tiny, 8 tokens: cpu answers fastest, in 7.40 ms")
    assert "Not ranked: 1 wrong." in reading(results)


def test_the_sentence_puts_native_and_browser_side_by_side() -> None:
    said = reading([point("cpu", 4.0), point("onnxruntime", 2.0), point("wasm", 9.0), point("webnn", 5.0)])
    assert said == (
        "bert tiny, 8 tokens: onnxruntime answers fastest, in 2.00 ms; "
        "in the browser it is webnn, which takes 2.50 times as long."
    )


def test_overlapping_intervals_are_not_decided() -> None:
    assert "not decided" in reading([point("cpu", 4.0), point("wasm", 4.2)])


def test_a_reused_number_is_marked_with_its_date_and_run() -> None:
    then = {"reused_from": "20261120T010000-abcd", "measured_at": "2026-11-20T01:00:09+00:00"}
    text = shown([point("cpu", 7.4, **then), point("wasm", 9.0, doubts=("few samples",))])
    assert re.search(r"^cpu a ", text, re.M) and re.search(r"^wasm b ", text, re.M)
    assert "a reused: measured on 2026-11-20 in run 20261120T010000-abcd" in text
    told = case_as_json(*point("cpu", 7.4, **then))
    assert (told["reused_from"], told["measured_at"]) == (then["reused_from"], then["measured_at"])
    assert case_as_json(*point("cpu", 7.4))["reused_from"] is None


def test_the_sentence_says_when_it_compares_across_runs() -> None:
    cpu, wasm, old = point("cpu", 4.0), point("wasm", 9.0), point("wasm", 9.0, reused_from="r0")
    assert "side by side" not in reading([cpu, wasm])
    assert "not side by side" in reading([cpu, old])
    assert "side by side" not in reading([point("cpu", 4.0, reused_from="r0"), old])


def test_a_plan_says_what_would_be_done_with_every_point_and_why() -> None:
    cases = [make_case(batch_size=size) for size in range(1, 5)]
    ids = [case.case_id for case in cases]
    points = [
        PlannedCase(case=cases[0]),
        PlannedCase(case=cases[1], outcome="unsupported", reason="not here"),
        PlannedCase(case=cases[2], reused_from="r0"),
        PlannedCase(case=cases[3]),
    ]
    plan = Plan(cases=tuple(points), policy=Policy())
    lines = list(plan_lines(plan, {ids[2]: "2026-11-20T01:00:09+00:00"}, {ids[3]: "torch 1 → 2"}))
    assert [(line[0], line.partition("  ")[2]) for line in lines] == [
        ("+", ""), ("-", "(not here)"), ("=", "(measured on 2026-11-20 in run r0)"),
        ("+", "(measured again: torch 1 → 2)"),
    ]  # fmt: skip
    assert list(again_lines({"x": "torch 1 → 2", "y": "it failed then", "z": "torch 1 → 2"})) == [
        "measured again, 2 cases: torch 1 → 2", "measured again, 1 case: it failed then"
    ]  # fmt: skip


def test_nothing_verified_means_no_winner() -> None:
    unverified = point("cpu", 4.0, correct=Verdict(checked=False, passed=True))
    assert reading([unverified]) == "Not ranked: 1 not verified."
    assert "not checked" in shown([unverified])


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_row_is_one_line_at_every_width(width: int) -> None:
    text = shown([point("cpu", 7.4), point("webgpu", 1350, software=True)], width)
    assert len([line for line in text.splitlines() if line.startswith(("cpu", "webgpu"))]) == 2
    assert all(len(line) <= width for line in text.splitlines())


def test_names_from_outside_are_text_not_markup() -> None:
    case, result = point("cpu", 7.4)
    odd = case.model_copy(update={"model": make_model(name="./[red]x.onnx", kind="onnx")})
    assert "[red]" in shown([(odd, result), (case, result)])


def test_noise_is_a_line_under_the_table_and_quiet_none() -> None:
    battery, hot = {"code": "on_battery", "text": "on battery"}, {"code": "throttled", "text": "throttled 3 times"}
    quiet = {"policy": "warn", "findings": [battery, hot], "end": {"findings": [hot]}}
    assert noise_lines({"quiet": quiet}) == [
        "noisy machine: on battery; throttled 3 times", "noise during the run: throttled 3 times",
    ]  # fmt: skip
    assert noise_lines({"quiet": {"policy": "off", "findings": [], "end": None}}) == []
    assert noise_lines({"cpu": "a run of an older harness"}) == []


def test_the_json_has_null_for_what_does_not_apply() -> None:
    told = case_as_json(*point("webnn", outcome="unsupported", reason="no", correct=None))
    assert told["metrics"]["latency_median_ms"] is None and told["metrics"]["latency_ci95_ms"] is None
    assert told["correct"] == dict.fromkeys(("reference", "max_abs", "cosine", "rms_rel", "agreement", "tolerance")) | {
        "checked": False
    }
    assert told["metrics"]["peak_memory_source"] is None


def test_two_backends_of_one_platform_are_told_apart() -> None:
    first = make_case(platform="wasm", device="wasm", browser="firefox")
    second = first.model_copy(update={"backend": "transformers_js"})
    results = [
        (case, CaseResult(run_id="r", case_id=case.case_id, outcome="ok", metrics={"latency_median_ms": 1.0}))
        for case in (first, second)
    ]
    rows = [line.split("1.00 ms")[0].split() for line in shown(results).splitlines() if "1.00 ms" in line]
    assert rows == [["wasm", "firefox"], ["wasm", "transformers_js", "firefox"]]
