"""What was found, as a table for the terminal."""

from typing import Any

from rich.table import Table

_MARKS = {True: "yes", False: "NO", None: "–"}


def bench_table(bench: dict[str, Any]) -> Table:
    """A row per figure, under its section; an aim that was missed says why."""
    table = Table("", "value", "95 % interval", "n", "unit", "aim met", box=None, pad_edge=False, header_style="bold")
    for section in bench["sections"]:
        aim = f"; aim: {section['aim']}" if section["aim"] else ""
        table.add_row(f"[bold]{section['name']}[/bold]", "", "", "", "", _MARKS[section["met"]] if aim else "")
        for row in section["rows"]:
            interval = "" if row["low"] is None else f"{_number(row['low'])}–{_number(row['high'])}"
            table.add_row(
                f"  {row['name']}",
                _number(row["value"]),
                interval,
                str(row.get("n", "")),
                row.get("unit", section["unit"]),
                "",
            )
    return table


def remarks(bench: dict[str, Any]) -> list[str]:
    """What each section asked, what it aimed at, and why it missed."""
    lines = []
    for section in bench["sections"]:
        aim = f" Aim: {section['aim']}." if section["aim"] else ""
        why = f" {section['why_missed']}." if section["why_missed"] else ""
        lines.append(f"{section['name']}: {section['what']}.{aim}{why}")
    return lines


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}"
