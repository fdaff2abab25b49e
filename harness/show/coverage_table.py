"""A coverage on a terminal: family × platform with how many are ok of how many, and where the others stopped."""

from collections import Counter

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.analyse.coverage import OWN_STAGES, Coverage, Total
from harness.core.text import one_line

_ALL = "all"
_STOPS = ("plan", "build", "forward", "export", "start", "load", "run", "agree")
_NARROW = 100
MORE = "More: --why (what is behind the holes, by cause), --html FILE (each architecture), --json."


def coverage_table(coverage: Coverage, width: int = 120) -> RenderableType:
    """`ok/asked percent` per family and column. Below 100 columns of `width` the percent of single families gives way."""
    if not coverage.rows:
        return Text("No architecture was asked for.")
    titles = [*OWN_STAGES, *(column.name for column in coverage.columns)]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("family", no_wrap=True)
    for title in titles:
        table.add_column(escape(one_line(title, 40)), justify="right")
    for family in (*coverage.families, None):
        totals = [coverage.totals[family, title] for title in titles]
        cells = [_cell(total, family is None or width >= _NARROW) for total in totals]
        table.add_row(escape(one_line(family or _ALL, 40)), *cells, style="bold" if family is None else "")
    if any(_of_agreed(coverage.totals[None, title]) for title in titles):
        shares = [_of_agreed(coverage.totals[None, title]) for title in titles]
        table.add_row(Text("of what ONNX Runtime agrees with", style="dim"), *(Text(each, "dim") for each in shares))
    return Group(
        table, Text(), *_stop_lines(coverage), *_not_here_lines(coverage), Text(_counted(coverage)), Text(MORE)
    )


def _cell(total: Total, with_percent: bool) -> Text:
    if total.percent is None:
        return Text("not here" if total.names["not_here"] else "–", style="dim")
    told = f"{total.ok}/{total.asked}" + (f" {percent(total.percent):>4}" if with_percent else "")
    return Text(told, style="green" if total.ok == total.asked else "yellow" if total.ok else "red")


def percent(share: float) -> str:
    """Whole percents; 100 % is all and 0 % is none, never rounded to."""
    whole = round(share)
    if whole == 100 and share < 100:
        return ">99%"
    return "<1%" if whole == 0 and share > 0 else f"{whole}%"


def _of_agreed(total: Total) -> str:
    share = total.percent_of_agreed
    return "" if share is None or total.agreed is None else f"of {len(total.agreed)} {percent(share):>4}"


def _stop_lines(coverage: Coverage) -> list[Text]:
    """How many architectures stopped for good (all columns alike), and how many cells on the way through a platform."""
    own = Counter(
        stage for row in coverage.rows for stage in OWN_STAGES if row.stages[stage] in ("failed", "unsupported")
    )
    holes = [cell for cell in coverage.cells if cell.state in ("failed", "unsupported")]
    cells = Counter(cell.stage or "not known" for cell in holes)
    lines = []
    if own:
        told = ", ".join(f"{own[stage]} at {stage}" for stage in OWN_STAGES if own[stage])
        lines.append(Text(f"Architectures that stopped before any platform: {told}."))
    told = ", ".join(f"{cells[stage]} at {stage}" for stage in (*_STOPS, "not known") if cells[stage])
    return [*lines, Text(f"Cells that stopped: {told}.")] if told else lines


def _not_here_lines(coverage: Coverage) -> list[Text]:
    """A column that is not here has its reason said once."""
    lines = []
    for column in coverage.columns:
        total = coverage.totals[None, column.name]
        if total.names["not_here"]:
            cell = next(c for c in coverage.cells if c.column == column.name and c.state == "not_here")
            told = one_line(
                f"{column.name}: not here for {len(total.names['not_here'])}: {cell.reason or cell.code}", 300
            )
            lines.append(Text(told, style="dim"))
    return lines


def _counted(coverage: Coverage) -> str:
    cells = coverage.cells
    states = Counter(cell.state for cell in cells)
    names = (("ok", "ok"), ("failed", "failed"), ("unsupported", "unsupported"), ("not_here", "not here"))
    told = ", ".join(f"{states[state]} {name}" for state, name in names if states[state])
    unchecked = sum(cell.state == "ok" and not cell.checked for cell in cells)
    more = f" {unchecked} of the ok ran and were not checked." if unchecked else ""
    return f"{len(coverage.rows)} architectures, {len(cells)} cells: {told}.{more} Nothing here was timed."
