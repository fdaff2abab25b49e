"""ask: the named questions, and what a table says once where all of its rows agree."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import click

from harness.cli.options import Several, absolute, db_option, given, json_option, stdout_console
from harness.cli.querying import EXACT, brief, form_asked, form_option, give, out_option

_HEADING_WIDTH = 13
_WIDEST = 100_000


@click.command()
@click.argument("question", required=False)
@click.option("--model", "models", type=Several(), multiple=True, help="Of these models only, by name.")
@click.option("--family", "families", type=Several(), multiple=True, help="Of these families only.")
@click.option("--hardware", "platforms", type=Several(), multiple=True, help="Compare only these platforms.")
@click.option("--run", "run_id", metavar="RUN_ID", help="Of this run only; its beginning is enough, or last.")
@click.option("--where", metavar="SQL", help="Only rows of the answer for which this holds: 'latency_ratio > 1.1'.")
@form_option
@out_option
@db_option
@json_option
def ask(question: str | None, form: str | None, out: Path | None, db: Path, as_json: bool, **narrower: Any) -> int:
    """A named QUESTION to the database; without one, the list of them."""
    from harness.store.query import answer_query
    from harness.store.questions import Narrowing, narrowed, question_named

    if question is None:
        _list(as_json)
        return 0
    form = form_asked(form, as_json)
    sql = narrowed(absolute(db), question_named(question), Narrowing(**given(narrower)))
    answer = answer_query(absolute(db), sql, exact=form in EXACT)
    if as_json and out is None:
        click.echo(json.dumps({"question": question, "columns": answer.columns, "rows": answer.rows}))
    elif form == "table" and out is None:
        _print_table(answer.columns, answer.rows)
    else:
        give(form, answer._replace(asked=question_named(question).title), out)
    return 0


def _list(as_json: bool) -> None:
    from harness.store.questions import questions

    known = questions().values()
    if as_json:
        listed = [{"name": one.name, "title": one.title, "details": one.details} for one in known]
        click.echo(json.dumps({"questions": listed}))
        return
    width = max(len(one.name) for one in known)
    for one in known:
        click.echo(f"{one.name:{width}}  {one.title}")


def _print_table(columns: list[str], rows: list[list[Any]]) -> None:
    """A question has more columns than a terminal is wide: what is the same in all rows stands above the table, one
    row stands upright, and what is still too wide is wider than the terminal, since nothing may be left out."""
    from rich.markup import escape
    from rich.measure import Measurement
    from rich.table import Table

    console = stdout_console()
    if not rows:
        console.print("no rows: nothing in the database answers it")
        return
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=len(rows) > 1)
    if len(rows) == 1:
        for column, cell in zip(columns, rows[0], strict=True):
            table.add_row(escape(column), escape(brief(cell)))
    else:
        same = {at for at in range(len(columns)) if all(row[at] == rows[0][at] for row in rows)}
        for words, is_told in (("in all rows: ", True), ("empty: ", False)):
            told = [at for at in sorted(same) if (rows[0][at] is not None) is is_told]
            each = [f"{columns[at]} = {brief(rows[0][at])}" if is_told else columns[at] for at in told]
            if each:
                console.print(words + ", ".join(each), highlight=False, markup=False)
        shown = [at for at in range(len(columns)) if at not in same]
        for at in shown:
            numbers = all(row[at] is None or isinstance(row[at], int | float) for row in rows)
            table.add_column(escape(_heading(columns[at])), justify="right" if numbers else "left", no_wrap=True)
        for row in rows:
            table.add_row(*(escape(brief(row[at])) for at in shown))
    needed = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
    console.width = max(console.width, needed)
    console.print(table)


def _heading(column: str) -> str:
    """The column's name in lines that are no wider than most numbers need, broken where it has an underscore."""
    lines = textwrap.wrap(column.replace("_", "_ "), _HEADING_WIDTH, break_long_words=False)
    return "\n".join(line.replace("_ ", "_") for line in lines)
