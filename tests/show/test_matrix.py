"""The compatibility matrix: where a point stopped, and what a stranger reads."""

from typing import Any

import pytest
from rich.console import Console

from harness.core.rounds import CaseResult, Round, Verdict
from harness.measure.stage import stage_of
from harness.show.matrix import matrix_table
from tests.making import make_case

RIGHT = Verdict(checked=True, passed=True, tolerance=1e-3)


def cell(platform: str, browser: str | None, **changes: Any) -> Any:
    case = make_case(platform=platform, device=platform if browser else "cpu", browser=browser)
    fields: dict[str, Any] = {"run_id": "r", "case_id": case.case_id, "outcome": "ok", "correct": RIGHT}
    return case, CaseResult.model_validate({**fields, **changes})


def shown(*cells: Any) -> str:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(matrix_table(cells))
    return captured.get()


def refused(platform: str, browser: str, reason: str) -> Any:
    return cell(platform, browser, outcome="unsupported", reason=reason, correct=None)


def test_a_cell_is_ok_or_has_its_reason() -> None:
    text = shown(
        cell("cpu", None),
        cell("wasm", "chromium"),
        cell("webgpu", "chromium", software=True),
        cell("wasm", "firefox", outcome="failed", code="wrong_output", reason="off by 3"),
        refused("webgpu", "firefox", "navigator.gpu is not there"),
    )
    lines = text.splitlines()
    assert lines[0].split() == ["model", "platform", "native", "chromium", "firefox"]
    assert lines[1].split() == ["bert", "tiny", "l8", "cpu", "ok"]
    assert lines[2].split()[4:] == ["ok", "failed", "a"]
    assert "ok (software)" in lines[3] and lines[3].endswith("unsupported b")
    assert "a off by 3" in text and "b navigator.gpu is not there" in text
    assert "5 cells: 3 ok, 1 failed, 1 unsupported. Nothing here was timed." in text


def test_a_browser_that_is_not_there_is_a_line_and_no_column() -> None:
    gone = "there is no safari here: macOS only"
    text = shown(cell("wasm", "chromium"), refused("wasm", "safari", gone), refused("webgpu", "safari", gone))
    assert "safari" not in text.splitlines()[0]
    assert f"safari: {gone}" in text and "3 cells: 1 ok, 2 unsupported." in text


def test_what_was_not_checked_says_so() -> None:
    assert "not checked" in shown(cell("wasm", "chromium", correct=None))


@pytest.mark.parametrize(
    ("outcome", "code", "phases", "stage"),
    [
        ("ok", None, ("runtime", "prepare", "load", "first"), None),
        ("failed", "browser_start", (), "start"),
        ("unsupported", None, (), "start"),
        ("unsupported", None, ("runtime",), "load"),
        ("failed", "load_failed", ("runtime", "prepare"), "load"),
        ("failed", "inference_failed", ("runtime", "prepare", "load"), "run"),
        ("failed", "wrong_output", ("runtime", "prepare", "load", "first"), "agree"),
        ("failed", "crashed", ("prepare",), "load"),
    ],
)
def test_where_it_stopped(outcome: Any, code: str | None, phases: tuple[str, ...], stage: str | None) -> None:
    one = Round(
        round_id="1", run_id="r", case_id="c", number=1, started_at="2026-01-01T00:00:00+00:00", outcome=outcome,
        code=code, phases=dict.fromkeys(phases, 1),
    )  # fmt: skip
    assert stage_of(CaseResult(run_id="r", case_id="c", outcome=outcome, code=code), [one]) == stage


def test_what_was_never_started_stopped_in_the_plan_or_the_export() -> None:
    assert stage_of(CaseResult(run_id="r", case_id="c", outcome="unsupported"), []) == "plan"
    assert stage_of(CaseResult(run_id="r", case_id="c", outcome="failed"), []) == "export"


@pytest.mark.parametrize(
    ("code", "stage"),
    [
        ("build_failed", "build"),
        ("missing_weights", "build"),
        ("forward_failed", "forward"),
        ("no_input_rule", "forward"),
        ("no_outputs", "forward"),
        ("degenerate_output", "forward"),
        ("export_failed", "export"),
        ("export_timeout", "export"),
        ("export_memory", "export"),
        ("inputs_differ", "export"),
        ("outputs_differ", "export"),
        ("onnxruntime_refused", "load"),
        ("onnxruntime_failed", "run"),
        ("export_disagrees", "agree"),
    ],
)
def test_what_exporting_says_names_its_stage(code: str, stage: str) -> None:
    for outcome in ("failed", "unsupported"):
        result = CaseResult.model_validate({"run_id": "r", "case_id": "c", "outcome": outcome, "code": code})
        assert stage_of(result, []) == stage


def test_a_round_tells_where_its_case_stopped() -> None:
    right, wrong = cell("cpu", None), cell("wasm", "chromium", outcome="failed", code="browser_start", correct=None)
    one = Round(
        round_id="1", run_id="r", case_id=wrong[0].case_id, number=1, started_at="2026-01-01T00:00:00+00:00",
        outcome="failed", code="browser_start",
    )  # fmt: skip
    assert (stage_of(right[1], []), stage_of(wrong[1], [one])) == (None, "start")
