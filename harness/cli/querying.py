"""query: SQL on the database; and the forms that an answer can have, which ask shares."""

from __future__ import annotations

import csv
import io
import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import absolute, db_option, json_option, stdout_console
from harness.core.errors import UserMistake

_WIDEST = 100_000
if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.store.query import Answer

out_option = click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Into this file instead of onto the screen."
)


form_option = click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json", "html", "parquet", "chart"]), help="Default: table."
)


@click.command()
@click.argument("sql")
@form_option
@out_option
@db_option
@json_option
def query(sql: str, form: str | None, out: Path | None, db: Path, as_json: bool) -> int:
    """Read-only SQL on the database; start with performance_results_view."""
    from harness.store.query import answer_query

    form = form_asked(form, as_json)
    give(form, answer_query(absolute(db), sql, exact=form in EXACT), out)
    return 0


def form_asked(form: str | None, as_json: bool) -> str:
    """`--json` is `--format json`; raises UserMistake where the two contradict each other."""
    if as_json and form not in (None, "json"):
        raise UserMistake("usage", f"--json and --format {form} exclude each other", None)
    return "json" if as_json else form or "table"


def give(form: str, answer: Answer, out: Path | None) -> None:
    """The answer in that form, into the file, else to stdout. Raises UserMistake for a binary form on a terminal."""
    FORMS[form](answer, None if out is None else absolute(out))


def _table(answer: Answer, out: Path | None) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*map(escape, answer.columns), box=None, pad_edge=False, header_style="bold")
    for row in answer.rows:
        table.add_row(*(escape(brief(cell)) for cell in row))
    if out is None:
        stdout_console().print(table)
        return
    with out.open("w", encoding="utf-8") as file:
        Console(file=file, width=_WIDEST).print(table)


def _csv(answer: Answer, out: Path | None) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(answer.columns)
    writer.writerows(answer.rows)
    _write_text(text.getvalue(), out)


def _json(answer: Answer, out: Path | None) -> None:
    """One object, the same as `--json`."""
    _write_text(json.dumps({"columns": answer.columns, "rows": answer.rows}) + "\n", out)


def _parquet(answer: Answer, out: Path | None) -> None:
    from harness.store.query_parquet import write_parquet

    if out is not None:
        write_parquet(answer, out)
        return
    if sys.stdout.isatty():
        hint = "name a file: --out FILE.parquet, or send it on: > FILE.parquet"
        raise UserMistake("binary_to_terminal", "Parquet is nothing for a screen", hint)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "answer.parquet"
        write_parquet(answer, made)
        sys.stdout.buffer.write(made.read_bytes())
        sys.stdout.buffer.flush()


def _html(answer: Answer, out: Path | None) -> None:
    """One page that needs nothing from outside: the table, and a drawing where there are numbers."""
    from harness.show.report.answer import answer_report

    as_html = drawn("harness.show.report.as_html", "as_html")
    _write_text(as_html(answer_report(answer.columns, answer.rows, answer.asked)), out)


def _chart(answer: Answer, out: Path | None) -> None:
    """Bars: of characters on the screen, SVG in a file."""
    from harness.show.bars import bar_lines
    from harness.show.report.answer import answer_figure

    figure = answer_figure(answer.columns, answer.rows)
    if out is None:
        console = stdout_console()
        console.print(bar_lines(figure, console.width))
    else:
        _write_text(drawn("harness.show.report.as_svg", "as_svg")(figure), out)


def drawn(module: str, name: str) -> Callable[..., str]:
    """A function that draws. Raises UserMistake: no_report_extra, where what it draws with is not installed."""
    try:
        found: Callable[..., str] = getattr(import_module(module), name)
    except ImportError as error:
        hint = "pip install 'model-benchmark-harness[report]', or another --format"
        raise UserMistake("no_report_extra", f"a drawing needs {error.name}, which is not installed", hint) from error
    return found


# A new form is a function and a line here, and a word in `form_option`.
FORMS: dict[str, Callable[[Answer, Path | None], None]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
    "html": _html,
    "parquet": _parquet,
    "chart": _chart,
}
# Those that make the columns' types again.
EXACT = ("parquet",)


def _write_text(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8", newline="")


def brief(cell: Any) -> str:
    """As much of a value as a table in a terminal shows."""
    return "" if cell is None else f"{cell:.4g}" if isinstance(cell, float) else str(cell)
