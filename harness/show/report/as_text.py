"""A report as Markdown for a pull request, CSV for a spreadsheet, JSON for a program."""

import csv
import io
import re
from dataclasses import asdict
from typing import Any

from harness.core.text import one_line
from harness.show.report.model import Answer, Cell, Report, Table

# A comment of a pull request holds 65,536 characters.
_MOST_ROWS = 40
_SIGNS = re.compile(r"[\\`*_\[\]<>|#@~]")
_MARKS = {"good": "✅", "bad": "❌", "doubt": "⚠️", "plain": "•"}


def as_markdown(report: Report, most_rows: int = _MOST_ROWS) -> str:
    """GitHub's dialect. Of a table the first `most_rows`, and how many more there are."""
    parts = [f"## {_plain(report.title)}", _answers(report.answers), _facts(report)]
    for section in report.sections:
        parts += [f"### {_plain(section.title)}", *map(_plain, section.text)]
        parts += [_table(table, most_rows) for table in section.tables]
    parts += [f"> {_plain(note)}" for note in report.notes]
    made = " · ".join(f"{name} {text}" for name, text in report.made.items())
    return "\n\n".join(part for part in [*parts, f"<sub>{_plain(made)}</sub>"] if part) + "\n"


def as_csv(report: Report) -> str:
    """The table called `results`: a column's name has its unit, a cell its value; what was not measured is empty."""
    table = main_table(report)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in table.columns])
    for row in table.rows:
        writer.writerow([_csv(cell) for cell in row])
    return text.getvalue()


def as_json(report: Report) -> dict[str, Any]:
    """Everything but the drawings; tables as records."""
    return {
        "kind": report.kind,
        "title": report.title,
        "question": report.question,
        "answers": [asdict(answer) for answer in report.answers],
        "facts": dict(report.facts),
        "notes": list(report.notes),
        "tables": {table.name: table.records() for table in report.tables},
        "sources": [asdict(source) for source in report.sources],
        "made": dict(report.made),
    }


def main_table(report: Report) -> Table:
    """Every report has one."""
    return next(table for table in report.tables if table.name == "results")


def _answers(answers: tuple[Answer, ...]) -> str:
    lines = []
    for answer in answers:
        trust = f" _{_plain(answer.trust)}_" if answer.trust else ""
        lines.append(f"- {_MARKS[answer.tone]} **{_plain(answer.text)}**{trust}")
        lines += [f"  - {_plain(why)}" for why in answer.why]
    return "\n".join(lines)


def _facts(report: Report) -> str:
    return "\n".join(f"- {_plain(name)}: {_plain(text)}" for name, text in report.facts.items())


def _table(table: Table, most_rows: int) -> str:
    if not table.rows:
        return ""
    head = "| " + " | ".join(_plain(column.title) for column in table.columns) + " |"
    rule = "|" + "|".join("---:" if column.numeric else "---" for column in table.columns) + "|"
    rows = ["| " + " | ".join(_plain(cell.text) for cell in row) + " |" for row in table.rows[:most_rows]]
    left = len(table.rows) - most_rows
    more = [f"\n… and {left} rows more; HTML, CSV and JSON have them all."] if left > 0 else []
    return "\n".join([f"**{_plain(table.caption)}**", "", head, rule, *rows, *more])


def _plain(text: str) -> str:
    """Words from outside as words: no markup, no mention of anybody, no end of a table's cell."""
    return _SIGNS.sub(lambda found: f"&#{ord(found[0])};", one_line(text, 1000))


def _csv(cell: Cell) -> Any:
    """A text that a spreadsheet would take for a formula is kept a text."""
    value = cell.value
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
