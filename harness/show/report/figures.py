"""Every figure that reports, and later the dashboard, can show: its rows and axes, drawn by `drawing`.

What cannot be compared is not drawn side by side: each figure has rows of one unit and one meaning. A row's `source` is
the id of the Source that its number comes from; a click on its mark goes there.
"""

from collections.abc import Sequence

from harness.show.report.model import Figure, Row

KINDS = ("native", "browser", "software adapter")
STATES = ("ok", "not checked", "failed", "unsupported", "not here")


def bars(name: str, title: str, description: str, rows: Sequence[Row], unit: str) -> Figure:
    """A bar per place with its interval: rows of `place`, `value`, `low`, `high` (or null), `kind`, `said`, `source`.

    Where one takes many times as long as another, points on a logarithmic axis: a bar has to begin at zero.
    """
    return Figure(name, title, description, "bars", tuple(rows), (unit,))


def spread(name: str, title: str, description: str, rows: Sequence[Row], axis: str) -> Figure:
    """A tick per piece of work and a point for the median, per place: rows of `place`, `ratio`, `work`, `kind`,
    `source`. The axis is logarithmic: twice and half are equally far from 1."""
    return Figure(name, title, description, "spread", tuple(rows), (axis,))


def lines(name: str, title: str, description: str, rows: Sequence[Row], axes: tuple[str, str]) -> Figure:
    """A line per place over a doubling axis: rows of `x`, `y`, `place`, `work`, `source`; `axes`: titles with units."""
    return Figure(name, title, description, "lines", tuple(rows), axes)


def over_time(name: str, title: str, description: str, rows: Sequence[Row], changes: Sequence[Row]) -> Figure:
    """A point per Run and a rule where it changed: rows of `at` (ISO 8601), `latency_ms`, `run`, `source`; changes of
    `at`, `what`."""
    return Figure(name, title, description, "over_time", tuple(rows), (), tuple(changes))


def shares(name: str, title: str, description: str, rows: Sequence[Row]) -> Figure:
    """Stacked to all that were asked for: rows of `place`, `state` (see STATES), `rank`, `count`."""
    return Figure(name, title, description, "shares", tuple(rows))


def pairs(name: str, title: str, description: str, rows: Sequence[Row], unit: str) -> Figure:
    """Two bars per place beside each other: rows of `place`, `series`, `value`, `source`."""
    return Figure(name, title, description, "pairs", tuple(rows), (unit,))
