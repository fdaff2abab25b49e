"""An answer to SQL as a report of one table and, where it has numbers, one drawing."""

from collections.abc import Sequence
from typing import Any

from harness.core.errors import UserMistake
from harness.core.text import one_line
from harness.show.report.figures import bars
from harness.show.report.model import Cell, Column, Figure, Report, Row, Scalar, Section, Table

MOST_BARS = 40
_LONGEST = 300


def answer_report(columns: Sequence[str], rows: Sequence[Sequence[Any]], sql: str) -> Report:
    """All rows as a table; `sql` is told as the question."""
    numeric = [_is_numeric([row[place] for row in rows]) for place in range(len(columns))]
    heads = tuple(Column(name, name, is_number) for name, is_number in zip(columns, numeric, strict=True))
    cells = tuple(tuple(_cell(value) for value in row) for row in rows)
    told = f"{len(rows)} {'row' if len(rows) == 1 else 'rows'}"
    figures = (answer_figure(columns, rows),) if rows and any(numeric) else ()
    return Report(
        kind="query",
        title="Answer to a query",
        question=one_line(sql, 2000),
        answers=(),
        facts={"rows": str(len(rows))},
        sections=(Section("Answer", (), figures, (Table("results", told, heads, cells),)),),
    )


def answer_figure(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Figure:
    """A bar per row: the first column of numbers is how long it is, all columns of words are what it is called.

    Raises UserMistake: nothing_to_draw.
    """
    numeric = [_is_numeric([row[place] for row in rows]) for place in range(len(columns))]
    if not rows or not any(numeric):
        what = "has no column of numbers" if rows else "has no rows"
        hint = "name columns of words first, then the number to be drawn"
        raise UserMistake("nothing_to_draw", f"the answer {what}", hint)
    at = numeric.index(True)
    drawn: list[Row] = []
    for number, row in enumerate(rows, start=1):
        words = [
            one_line(str(row[place]), 80) for place, is_number in enumerate(numeric) if not is_number and row[place]
        ]
        if row[at] is not None:
            place = " ".join(words) or f"row {number}"
            drawn.append({"place": place, "value": row[at], "low": None, "high": None, "kind": "native", "said": ""})
    more = f", the first {MOST_BARS} of {len(drawn)} rows" if len(drawn) > MOST_BARS else ""
    title = f"{columns[at]}{more}"
    return bars("answer", title, f"{title}, a bar per row.", _apart(drawn[:MOST_BARS]), columns[at])


def _apart(rows: Sequence[Row]) -> list[Row]:
    """Rows that are called the same get a number each: two bars in one place would hide each other."""
    names = [row["place"] for row in rows]
    return [
        row if names.count(row["place"]) == 1 else {**row, "place": f"{row['place']} #{number}"}
        for number, row in enumerate(rows, start=1)
    ]


def _is_numeric(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)


def _cell(value: Any) -> Cell:
    if value is None:
        return Cell("")
    scalar: Scalar = value if isinstance(value, bool | int | float | str) else str(value)
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return Cell(one_line(text, _LONGEST), scalar)
