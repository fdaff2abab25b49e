"""A coverage on a terminal: family × platform with how many are ok of how many, and where the others stopped."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.analyse.coverage import OWN_STAGES, Coverage, Total
from harness.core.text import one_line

_ALL = "all"
_STOPS = ("plan", "build", "forward", "export", "start", "load", "run", "agree")
MORE = "More: --why (what is behind the holes, by cause), --html FILE (each architecture), --json."


def coverage_table(coverage: Coverage, width: int = 120) -> RenderableType:
    """`ok/asked percent` per family and column. Where `width` does not do, the percents stand in a row of their own."""
    if not coverage.rows:
        return Text("No architecture was asked for.")
    titles = [*OWN_STAGES, *(column.name for column in coverage.columns)]
    cells = {key: _counts(total) for key, total in coverage.totals.items()}
    broad = {key: f"{text} {_percent(coverage.totals[key]):>4}".rstrip() for key, text in cells.items()}
    longest = max(len(family) for family in (*coverage.families, _ALL)) + 2
    needed = longest + sum(
        2 + max(len(title), *(len(broad[f, title]) for f in (*coverage.families, None))) for title in titles
    )
    in_cells = needed <= width
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("family", overflow="fold")
    for title in titles:
        table.add_column(escape(one_line(title, 40)), justify="right", overflow="fold")
    for family in (*coverage.families, None):
        texts = [
            Text((broad if in_cells else cells)[family, title], _style(coverage.totals[family, title]))
            for title in titles
        ]
        table.add_row(escape(one_line(family or _ALL, 40)), *texts, style="bold" if family is None else "")
    totals = [coverage.totals[None, title] for title in titles]
    if not in_cells:
        table.add_row("percent", *(_percent(total) for total in totals), style="bold")
    if any(total.agreed for total in totals):
        table.add_row(Text("of agreed*", style="dim"), *(Text(_of_agreed(total), "dim") for total in totals))
    return Group(table, Text(), *_agreed_lines(totals), *_stop_lines(coverage), *_not_here_lines(coverage),
                 Text(_counted(coverage)), Text(MORE))  # fmt: skip


def _counts(total: Total) -> str:
    if total.percent is None:
        return "not here" if total.names["not_here"] else "–"
    return f"{total.ok}/{total.asked}"


def _percent(total: Total) -> str:
    return "" if total.percent is None else percent(total.percent)


def _style(total: Total) -> str:
    if total.percent is None:
        return "dim"
    return "green" if total.ok == total.asked else "yellow" if total.ok else "red"


def _agreed_lines(totals: Sequence[Total]) -> list[Text]:
    counts = sorted({len(total.agreed) for total in totals if total.agreed})
    told = " or ".join(map(str, counts))
    return [Text(f"* of the {told} that ONNX Runtime without a browser agrees with", style="dim")] if counts else []


def percent(share: float) -> str:
    """Whole percents; 100 % is all and 0 % is none, never rounded to."""
    whole = round(share)
    if whole == 100 and share < 100:
        return ">99%"
    return "<1%" if whole == 0 and share > 0 else f"{whole}%"


def _of_agreed(total: Total) -> str:
    share = total.percent_of_agreed
    return "" if share is None else percent(share)


def _stop_lines(coverage: Coverage) -> list[Text]:
    """How many architectures stopped in a stage of their own, then how many cells in each stage."""
    own = Counter(
        stage for row in coverage.rows for stage in OWN_STAGES if row.stages[stage] in ("failed", "unsupported")
    )
    holes = [cell for cell in coverage.cells if cell.state in ("failed", "unsupported")]
    cells = Counter(cell.stage or "not known" for cell in holes)
    lines = []
    if own:
        told = ", ".join(f"{own[stage]} at {stage}" for stage in OWN_STAGES if own[stage])
        lines.append(Text(f"Architectures that stopped: {told}."))
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
    states: Counter[str] = Counter(cell.state for cell in cells)
    names = (("ok", "ok"), ("failed", "failed"), ("unsupported", "unsupported"), ("not_here", "not here"))
    told = ", ".join(f"{states[state]} {name}" for state, name in names if states[state])
    unchecked = sum(cell.state == "ok" and not cell.checked for cell in cells)
    more = f" {unchecked} of the ok ran and were not checked." if unchecked else ""
    return f"{len(coverage.rows)} architectures, {len(cells)} cells: {told}.{more} Nothing here was timed."
