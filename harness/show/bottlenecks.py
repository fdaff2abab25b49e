"""Where the time goes, for people and programs: operators by their share of a profiled run."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.analyse.bottlenecks import Bottlenecks
from harness.core.nouns import Case
from harness.core.rounds import CaseResult
from harness.core.text import one_line
from harness.show.table import Results, duration, platform_label, times

_ROWS = 8


def bottleneck_tables(results: Results, profiles: Mapping[str, Bottlenecks]) -> RenderableType:
    """A table per Case that was profiled: the operators that take longest, and what all of them account for."""
    parts: list[RenderableType] = []
    for case, result in results:
        if found := profiles.get(case.case_id):
            parts += [_table(case, result, found), *_notes(found)]
    return Group(*parts)


def _table(case: Case, result: CaseResult, found: Bottlenecks) -> Table:
    what = f"{case.model.short_name} {case.precision} b{case.batch_size}, {platform_label(case, result)}"
    table = Table(
        box=None, pad_edge=False, header_style="bold", padding=(0, 1), title=escape(one_line(what, 100)),
        title_justify="left", title_style="bold",
    )  # fmt: skip
    for title in ("operator", "device"):
        table.add_column(title, no_wrap=True)
    for title in ("calls", "time", "of a run"):
        table.add_column(title, no_wrap=True, justify="right")
    for each in found.operators[:_ROWS]:
        name = escape(one_line(each.operator, 48))
        device = escape(one_line(each.device, 32)) + (" [yellow]fallback[/yellow]" if each.fallback else "")
        table.add_row(name, device, f"{each.calls:g}", duration(each.duration_ms), f"{each.share:.1%}")
    if rest := found.operators[_ROWS:]:
        calls, took = sum(each.calls for each in rest), sum(each.duration_ms for each in rest)
        share = f"{sum(each.share for each in rest):.1%}"
        table.add_row(f"[dim]{len(rest)} more[/dim]", "", f"{calls:g}", duration(took), share)
    return table


def _notes(found: Bottlenecks) -> list[Text]:
    seen = f"all operators {duration(found.operators_ms)} of {duration(found.wall_ms)} ({found.seen_share:.1%})"
    cost = f"a run takes {times(found.profiler_cost)} times as long under the profiler"
    return [Text(f"{seen}; {cost}; mean of {found.runs} runs, by {found.source}", style="dim"), Text()]


def profiles_as_json(profiles: Mapping[str, Bottlenecks]) -> dict[str, dict[str, Any]]:
    """case_id → its profile; times in milliseconds per run, shares of the profiled wall time."""
    return {case_id: _as_json(found) for case_id, found in profiles.items()}


def _as_json(found: Bottlenecks) -> dict[str, Any]:
    return {
        "source": found.source,
        "runs": found.runs,
        "wall_ms": found.wall_ms,
        "unprofiled_ms": found.plain_ms,
        "profiler_cost": found.profiler_cost,
        "operators_ms": found.operators_ms,
        "seen_share": found.seen_share,
        "operators": [
            {"operator": each.operator, "device": each.device, "calls": each.calls, "duration_ms": each.duration_ms,
             "share": each.share, "fallback": each.fallback}
            for each in found.operators
        ],
    }  # fmt: skip
