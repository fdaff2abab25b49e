"""The causes behind a coverage's holes, those first that stop most architectures: on a terminal and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.analyse.why import Cause, Why
from harness.core.text import one_line

_NAMED = 4


def coverage_why(causes: Sequence[Cause], width: int = 120, most: int = 30) -> RenderableType:
    """A line per cause: how many architectures, whose it is to mend, what it is; beneath it the first few of them."""
    if not causes:
        return Text("There is no hole to explain.")
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("models", justify="right", no_wrap=True)
    for title in ("stage", "class", "to mend"):
        table.add_column(title, no_wrap=True)
    table.add_column("cause", overflow="fold")
    for cause in causes[:most]:
        where = f"{', '.join(cause.architectures[:_NAMED])}{_more(cause)} on {', '.join(cause.columns)}"
        text = Text(one_line(cause.text, 2 * width)).append(f"\n{one_line(where, 2 * width)}", style="dim")
        count = str(len(cause.architectures))
        table.add_row(count, escape(cause.stage), escape(cause.why.kind), escape(cause.why.owner), text)
    left = len(causes) - most
    lines = [Text(f"{left} more causes: --json has all.")] if left > 0 else []
    return Group(table, *lines)


def _more(cause: Cause) -> str:
    left = len(cause.architectures) - _NAMED
    return f" and {left} more" if left > 0 else ""


def why_as_json(why: Why | None) -> dict[str, Any] | None:
    return None if why is None else {"class": why.kind, "owner": why.owner, "subject": why.subject}


def causes_as_json(causes: Sequence[Cause]) -> list[dict[str, Any]]:
    return [
        {
            "class": cause.why.kind,
            "owner": cause.why.owner,
            "subject": cause.why.subject,
            "stage": cause.stage,
            "signature": cause.why.signature,
            "architectures": list(cause.architectures),
            "columns": list(cause.columns),
            "example": cause.reason,
        }
        for cause in causes
    ]
