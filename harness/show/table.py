"""The terminal's table: one row per point, marks where there is something to know, the reasons under it."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.core.nouns import Case
from harness.core.rounds import CaseResult
from harness.core.text import one_line

_Value = TypeVar("_Value")
_COLUMNS = ("latency", "95 % interval", "n", "items/s", "load", "first", "memory", "size", "of roof", "error", "answer")
_LEFT_OUT_WHEN_NARROW = ("items/s", "load", "memory", "size", "of roof")
_WIDE = 100
# Columns for what is asked for now and then, and what gives way to them below the width that has room for all.
_LEFT_OUT_FOR_MORE = ("n", "load", "first")
_ROOM_FOR_ALL = 140
Results = Sequence[tuple[Case, CaseResult]]


def results_table(results: Results, width: int = 120) -> RenderableType:
    """Latency with its interval, throughput, start-up, memory and whether the answer is right; doubts beneath.

    Below 100 columns of `width` what matters less is left out; `--json` has everything. The error is the typical one,
    relative to the spread of the reference's values.
    """
    labels = model_labels(results)
    several = len({(case.model.identity, labels[case.case_id]) for case, _ in results}) > 1
    columns = _columns(results, width)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    if several:
        table.add_column("model")  # the one that gives way: a number that is cut off says nothing
    table.add_column("platform", no_wrap=True)
    for title in columns:
        table.add_column(title, no_wrap=True, justify="left" if title == "answer" else "right")
    marks: dict[str, str] = {}
    for case, result in results:
        letters = " ".join(mark(marks, text) for text in _remarks(result))
        name = [escape(labels[case.case_id])] if several else []
        platform = (
            f"{escape(platform_label(case, result))} [dim]{letters}[/dim]" if letters else platform_label(case, result)
        )
        cells = _cells(result)
        table.add_row(*name, platform, *(cells.get(title, "") for title in columns))
    lines = [Text.from_markup(f"[dim]{mark}[/dim] {escape(text)}") for text, mark in marks.items()]
    return Group(table, *([Text(), *lines] if lines else []))


def _columns(results: Results, width: int) -> list[str]:
    """What a precision costs and saves is shown where there is any but fp32; the roof where it was measured."""
    unasked = set() if any(case.precision != "fp32" for case, _ in results) else {"size", "error"}
    if all(result.metrics.get("roof_share") is None for _, result in results):
        unasked.add("of roof")
    left_out = set(_LEFT_OUT_WHEN_NARROW) if width < _WIDE else set()
    if width < _ROOM_FOR_ALL and "size" not in unasked:
        left_out |= set(_LEFT_OUT_FOR_MORE)
    return [column for column in _COLUMNS if column not in unasked | left_out]


def platform_label(case: Case, result: CaseResult) -> str:
    """`webgpu (software)`: a software adapter is called software wherever its name stands."""
    asked = browser_label(case)
    parts = [case.hardware, case.unusual_backend, None if asked == "chromium" else asked, case.runtime]
    return " ".join(filter(None, parts)) + (" (software)" if result.software else "")


def browser_label(case: Case) -> str | None:
    """`firefox`, `chromium@147.0.0`: the browser as it was asked for; of a program's path the end."""
    if case.browser is None or case.browser_version is None:
        return case.browser
    program = case.browser_version.replace("\\", "/").rstrip("/")
    return f"{case.browser}@{'/'.join(program.split('/')[-2:])}"


def reading(results: Results) -> str:
    """A sentence per model: the fastest point, the fastest on the other side (native or browser), what is left out."""
    ranked: dict[tuple[str, str], list[tuple[float, Case, CaseResult]]] = {}
    for case, result in results:
        latency = result.metrics.get("latency_median_ms")
        if _ranks(result) and latency is not None:
            ranked.setdefault((case.model.identity, work_label(case)), []).append((latency, case, result))
    lines = [_reading_of(what, sorted(points, key=lambda point: point[0])) for (_, what), points in ranked.items()]
    left_out = Counter(_why_not_ranked(result) for _, result in results if not _ranks(result))
    if left_out:
        lines.append(f"Not ranked: {', '.join(f'{count} {why}' for why, count in left_out.items())}.")
    return "\n".join(lines)


def _reading_of(what: str, points: Sequence[tuple[float, Case, CaseResult]]) -> str:
    best_ms, best_case, best = points[0]
    sentence = f"{what}: {platform_label(best_case, best)} answers fastest, in {duration(best_ms)}"
    in_browser = best_case.browser is not None
    for other_ms, case, result in points[1:]:
        if "attached" in (case.browser, best_case.browser):
            continue  # perhaps another machine
        if (case.browser is not None) != in_browser:
            side = "natively" if in_browser else "in the browser"
            sentence += (
                f"; {side} it is {platform_label(case, result)}, which takes {times(other_ms / best_ms)} times as long"
            )
            if not _apart(best, result):
                sentence += " (the intervals overlap: not decided)"
            if best.reused_from != result.reused_from:
                # Rounds are interleaved so that drift falls on all alike; these were not.
                sentence += " (measured in different runs, not side by side)"
            break
    return sentence + "."


def measured_on(measured_at: str, run_id: str) -> str:
    """`measured on 2026-11-20 in run 2026…`: what tells a reused number from one of now."""
    return f"measured on {measured_at[:10]} in run {run_id}"


def duration(milliseconds: float) -> str:
    """`235 µs`, `12.3 ms`, `1.07 s`: three figures."""
    value, unit = _scaled(milliseconds, milliseconds)
    return f"{value} {unit}"


def interval(low_ms: float, high_ms: float) -> str:
    """`0.83–1.80 ms`: both ends in the unit of the upper."""
    low, unit = _scaled(low_ms, high_ms)
    return f"{low}–{_scaled(high_ms, high_ms)[0]} {unit}"


def times(ratio: float) -> str:
    """`1.23`, `45.6`, `1,400`: how many times as fast."""
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:#.3g}"


def _scaled(milliseconds: float, leading_ms: float) -> tuple[str, str]:
    factor, unit = (1e-3, "s") if leading_ms >= 1000 else (1, "ms") if leading_ms >= 1 else (1e3, "µs")
    value = milliseconds * factor
    return (f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"), unit


def _ranks(result: CaseResult) -> bool:
    return result.is_right and result.metrics.get("latency_median_ms") is not None


def _why_not_ranked(result: CaseResult) -> str:
    if result.outcome != "ok":
        return "wrong" if result.code == "wrong_output" else result.outcome
    return "not verified"


def model_labels(results: Results) -> dict[str, str]:
    """case_id → the model's label; the name as typed where two models would be called the same."""
    models: dict[str, set[str]] = {}
    for case, _ in results:
        models.setdefault(_model_label(case), set()).add(case.model.identity)
    return {
        case.case_id: _model_label(case) if len(models[_model_label(case)]) == 1 else case.model.name
        for case, _ in results
    }


def _apart(a: CaseResult, b: CaseResult) -> bool:
    if a.latency_ci95_ms is None or b.latency_ci95_ms is None:
        return False
    return a.latency_ci95_ms[1] < b.latency_ci95_ms[0]


def work_label(case: Case) -> str:
    return f"{_model_label(case)}, {case.length} tokens" if case.length else _model_label(case)


def _model_label(case: Case) -> str:
    name = one_line(case.model.short_name, 60)
    parts = [f"{name} tiny" if case.model.scale == "tiny" else name]
    parts += [] if case.model.layers is None else [f"{case.model.layers} layers"]
    if case.precision != "fp32":
        parts.append(case.precision)
    if case.batch_size != 1:
        parts.append(f"b{case.batch_size or '?'}")
    return " ".join(parts)


def _cells(result: CaseResult) -> dict[str, str]:
    """Column → text; empty for what was never measured."""
    get = result.metrics.get
    if result.outcome == "unsupported":
        return {"latency": "[dim]unsupported[/dim]"}
    wrong = result.code == "wrong_output"
    if result.outcome == "failed" and not wrong:
        return {"latency": f"[red]failed[/red] {escape(one_line(result.code or '', 40))}"}
    return {
        "latency": or_dash(get("latency_median_ms"), duration),
        "95 % interval": or_dash(result.latency_ci95_ms, lambda pair: interval(*pair)),
        "n": or_dash(get("samples"), lambda n: f"{n:.0f}"),
        "items/s": or_dash(get("throughput_items_per_second"), times),
        "load": or_dash(get("load_ms"), duration),
        "first": or_dash(get("first_inference_ms"), duration),
        "memory": or_dash(get("peak_memory_mb"), lambda size: f"{size:.0f} MB"),
        "size": or_dash(get("model_size_mb"), lambda size: f"{size:.3g} MB"),
        "of roof": or_dash(get("roof_share"), lambda share: f"{share:.0%}"),
        "error": or_dash(get("rms_error_share"), lambda share: f"{share:.2%}"),
        "answer": "[red]wrong[/red]" if wrong else _answer(result),
    }


def _answer(result: CaseResult) -> str:
    verdict = result.correct
    return "[green]correct[/green]" if verdict and verdict.checked else "[yellow]not checked[/yellow]"


def or_dash(value: _Value | None, render: Callable[[_Value], str]) -> str:
    return "–" if value is None else render(value)


def _remarks(result: CaseResult) -> list[str]:
    remarks = [result.reason] if result.reason else []
    if result.reused_from is not None and result.measured_at is not None:
        remarks.insert(0, f"reused: {measured_on(result.measured_at, result.reused_from)}")
    return [one_line(each) for each in (*remarks, *(doubt for doubt in result.doubts if doubt != result.reason))]


def mark(marks: dict[str, str], text: str) -> str:
    """A letter for a remark (a … z, then aa …); the same remark has the same letter."""
    index = len(marks)
    return marks.setdefault(text, (chr(96 + index // 26) if index >= 26 else "") + chr(97 + index % 26))
