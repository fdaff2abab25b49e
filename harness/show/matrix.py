"""The compatibility matrix: a row per model and platform, a column per browser, the reasons beneath."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.core.nouns import Case
from harness.core.rounds import CaseResult
from harness.core.text import one_line
from harness.show.table import Results, browser_label, mark, model_labels

NATIVE = "native"


def matrix_table(results: Results) -> RenderableType:
    """Each cell is `ok` (it loaded, ran and gave the right answer), or has a letter whose reason stands beneath.

    A browser that says the same of everything (that it is not installed) has one line instead of a column.
    """
    columns = list(dict.fromkeys(_column(case) for case, _ in results))
    absent = {column: reason for column in columns if (reason := _same_refusal(column, results))}
    shown = [column for column in columns if column not in absent]
    labels = model_labels(results)
    rows: dict[tuple[str, str], dict[str, list[tuple[Case, CaseResult]]]] = {}
    for case, result in results:
        row = (
            " ".join([labels[case.case_id], *not_usual(case)]),
            " ".join(filter(None, (case.hardware, case.unusual_backend))),
        )
        rows.setdefault(row, {}).setdefault(_column(case), []).append((case, result))
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    for title in ("model", "platform", *shown):
        table.add_column(title, no_wrap=True)
    marks: dict[str, str] = {}
    for (model, platform), cells in rows.items():
        texts = [" / ".join(_cell(result, marks) for _, result in cells.get(column, ())) for column in shown]
        table.add_row(escape(model), escape(platform), *texts)
    lines = [Text.from_markup(f"[dim]{letter}[/dim] {escape(text)}") for text, letter in marks.items()]
    lines += [Text(f"{column}: {one_line(reason)}", style="dim") for column, reason in absent.items()]
    return Group(table, Text(), *lines, Text(_counted(results)))


def not_usual(case: Case) -> list[str]:
    """What tells apart points of one model, platform and browser."""
    told = [f"l{case.length}"] if case.length else []
    told += [f"outputs={case.outputs}"] if case.outputs != "host" else []
    told += [case.network] if case.network is not None else []
    return [*told, *([f"cache={case.cache}"] if case.cache != "cold" else [])]


def _column(case: Case) -> str:
    return " ".join(filter(None, (browser_label(case) or NATIVE, case.runtime)))


def _same_refusal(column: str, results: Results) -> str | None:
    """Why nothing at all runs there, if it is one and the same reason."""
    mine = [result for case, result in results if _column(case) == column]
    reasons = {result.reason for result in mine}
    refused = all(result.outcome == "unsupported" for result in mine)
    return next(iter(reasons)) if refused and len(reasons) == 1 and len(mine) > 1 else None


def _cell(result: CaseResult, marks: dict[str, str]) -> str:
    if result.outcome == "ok":
        software = " (software)" if result.software else ""
        checked = result.correct is not None and result.correct.checked
        return f"[green]ok{software}[/green]" if checked else f"[yellow]not checked{software}[/yellow]"
    letter = mark(marks, one_line(result.reason or result.code or "no reason was given"))
    return f"[dim]unsupported {letter}[/dim]" if result.outcome == "unsupported" else f"[red]failed {letter}[/red]"


def _counted(results: Results) -> str:
    outcomes: Sequence[str] = [result.outcome for _, result in results]
    told = ", ".join(f"{outcomes.count(name)} {name}" for name in ("ok", "failed", "unsupported") if name in outcomes)
    return f"{len(outcomes)} cells: {told}. Nothing here was timed."
