"""The terminal's table: one row per point, marks where there is something to know, the reasons under it."""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.core.nouns import Case
from harness.core.rounds import CaseResult

_Value = TypeVar("_Value")
Results = Sequence[tuple[Case, CaseResult]]


def results_table(results: Results) -> RenderableType:
    """Latency with its interval, throughput, start-up, memory and whether the answer is right; doubts beneath."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    several = len({case.slug.split("/")[0] for case, _ in results}) > 1
    if several:
        table.add_column("model")
    table.add_column("platform")
    table.add_column("latency", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("n", justify="right")
    table.add_column("items/s", justify="right")
    table.add_column("load", justify="right")
    table.add_column("first", justify="right")
    table.add_column("memory", justify="right")
    table.add_column("answer")
    notes: dict[str, list[str]] = {}
    for case, result in results:
        marks = "".join(f"[dim]{_mark(notes, text)}[/dim]" for text in _remarks(case, result))
        name = [escape(_model_label(case))] if several else []
        table.add_row(*name, f"{escape(platform_label(case, result))} {marks}".rstrip(), *_cells(result))
    lines = [Text.from_markup(f"[dim]{mark}[/dim] {escape(text)}") for text, (mark,) in notes.items()]
    return Group(table, *([Text(), *lines] if lines else []))


def platform_label(case: Case, result: CaseResult) -> str:
    """`webgpu (software)`: a software adapter is called software wherever its name stands."""
    device = "" if case.device in (case.platform, "cpu") else f":{case.device}"
    browser = f" {case.browser}" if case.browser not in (None, "chromium") else ""
    return f"{case.platform}{device}{browser}{' (software)' if result.software else ''}"


def reading(results: Results) -> str:
    """One sentence: which point wins for each model, by how much, and what is not in the ranking."""
    ranked = sorted(
        ((result.metrics["latency_median_ms"] or math.inf, case, result) for case, result in results if _ranks(result)),
        key=lambda entry: entry[0],
    )
    left_out = sum(1 for _, result in results if not _ranks(result))
    if not ranked:
        return "Nothing was measured and verified, so there is no winner to name."
    best_ms, best_case, best = ranked[0]
    sentence = f"{platform_label(best_case, best)} answers fastest: {duration(best_ms)} for {_what(best_case)}"
    for other_ms, case, result in ranked[1:]:
        if case.model.identity == best_case.model.identity and _apart(best, result):
            sentence += f", {other_ms / best_ms:.2g} times as fast as {platform_label(case, result)}"
            break
    else:
        if len(ranked) > 1:
            sentence += "; the intervals overlap, so the order of the next is not decided"
    unit = "points are" if left_out != 1 else "point is"
    return sentence + (f"; {left_out} {unit} not ranked." if left_out else ".")


def duration(milliseconds: float) -> str:
    """`0.85 ms`, `12.3 ms`, `1.07 s`: three figures."""
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.3g} s"
    return f"{milliseconds:#.3g} ms".replace(". ", " ") if milliseconds < 100 else f"{milliseconds:.0f} ms"


def _ranks(result: CaseResult) -> bool:
    verified = result.correct is not None and result.correct.checked and result.correct.passed
    return result.outcome == "ok" and verified and result.metrics.get("latency_median_ms") is not None


def _apart(a: CaseResult, b: CaseResult) -> bool:
    if a.latency_ci95_ms is None or b.latency_ci95_ms is None:
        return False
    return a.latency_ci95_ms[1] < b.latency_ci95_ms[0]


def _what(case: Case) -> str:
    size = f"{case.batch_size} × {case.length} tokens" if case.length else f"batch {case.batch_size}"
    return f"{_model_label(case)}, {size}"


def _model_label(case: Case) -> str:
    name = case.slug.split("/")[0]
    parts = [f"{name} tiny" if case.model.scale == "tiny" else name]
    if case.precision != "fp32":
        parts.append(case.precision)
    if case.batch_size != 1:
        parts.append(f"b{case.batch_size}")
    return " ".join(parts)


def _cells(result: CaseResult) -> list[str]:
    get = result.metrics.get
    if result.outcome == "unsupported":
        return ["[dim]unsupported[/dim]", *[""] * 7]
    wrong = result.code == "wrong_output"
    if result.outcome == "failed" and not wrong:
        return [f"[red]failed[/red] {result.code or ''}", *[""] * 7]
    interval = result.latency_ci95_ms
    return [
        _or_dash(get("latency_median_ms"), duration),
        _or_dash(interval, lambda pair: f"{duration(pair[0])} – {duration(pair[1])}"),
        _or_dash(get("samples"), lambda n: f"{n:.0f}"),
        _or_dash(get("throughput_items_per_second"), lambda rate: f"{rate:.3g}"),
        _or_dash(get("load_ms"), duration),
        _or_dash(get("first_inference_ms"), duration),
        _or_dash(get("peak_memory_mb"), lambda size: f"{size:.0f} MB"),
        "[red]wrong[/red]" if wrong else _answer(result),
    ]


def _answer(result: CaseResult) -> str:
    verdict = result.correct
    if verdict is None or not verdict.checked:
        return "[yellow]not checked[/yellow]"
    return (
        f"[green]correct[/green] (±{verdict.max_abs:.0e})" if verdict.max_abs is not None else "[green]correct[/green]"
    )


def _or_dash(value: _Value | None, render: Callable[[_Value], str]) -> str:
    return "–" if value is None else render(value)


def _remarks(case: Case, result: CaseResult) -> list[str]:
    remarks = [result.reason] if result.reason else []
    return remarks + [doubt for doubt in result.doubts if doubt != result.reason]


def _mark(notes: dict[str, list[str]], text: str) -> str:
    """A letter for a remark; the same remark has the same letter."""
    if text not in notes:
        index = len(notes)
        notes[text] = [(chr(97 + index // 26 - 1) if index >= 26 else "") + chr(97 + index % 26)]
    return f" {notes[text][0]}"
