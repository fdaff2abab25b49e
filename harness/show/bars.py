"""A figure of bars for a terminal: a line each, as long as its number; what is below nought has no length."""

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from harness.show.report.model import Figure

_EIGHTHS = " ▏▎▍▌▋▊▉"
_LEAST_WIDTH = 10


def bar_lines(figure: Figure, width: int) -> RenderableType:
    """`width`: of the terminal, in characters; a bar takes what names and numbers leave."""
    values = [float(row["value"] or 0) for row in figure.rows]
    names = [str(row["place"]) for row in figure.rows]
    texts = [f"{value:.4g}" for value in values]
    room = max(_LEAST_WIDTH, width - max(map(len, names)) - max(len(each) for each in (*texts, figure.axes[0])) - 4)
    longest = max(*values, 0.0) or 1.0
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1), title_justify="left")
    for title, justify in (("", "left"), (figure.axes[0], "right"), ("", "left")):
        table.add_column(escape(title), no_wrap=True, justify="right" if justify == "right" else "left")
    for name, text, value in zip(names, texts, values, strict=True):
        table.add_row(escape(name), text, _bar(max(value, 0.0) / longest * room))
    return table


def _bar(length: float) -> str:
    whole, eighths = divmod(round(length * 8), 8)
    return ("█" * whole + _EIGHTHS[eighths]).rstrip()
