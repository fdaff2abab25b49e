"""Versions side by side, for people and programs: how many times as long, what broke, what was mended."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.analyse.comparison import Comparison
from harness.analyse.differences import Difference, VersionChange
from harness.analyse.differences import Group as Alike
from harness.analyse.pairs import Point
from harness.core.nouns import Case
from harness.core.rounds import CaseResult
from harness.core.text import one_line
from harness.show.matrix import not_usual
from harness.show.table import browser_label, mark, model_labels, or_dash, platform_label, times

_COLOURS = {"broke": "red", "mended": "green", "faster": "green", "slower": "red", "same": "default"}


def comparison_table(found: Sequence[Comparison]) -> RenderableType:
    """A row per pair: the latency of the second ÷ that of the first, with its 95 % interval."""
    labels = model_labels([point for each in found for point in (each.a, each.b)])
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    for title in ("model", "first", "second", "second ÷ first", "95 % interval", "second is"):
        table.add_column(title, no_wrap=True, justify="right" if "÷" in title or "%" in title else "left")
    marks: dict[str, str] = {}
    for each in found:
        letters = " ".join(mark(marks, text) for text in each.doubts)
        colour = _COLOURS.get(each.verdict, "dim")
        table.add_row(
            escape(" ".join([labels[each.a[0].case_id], *not_usual(each.a[0])])),
            escape(platform_label(*each.a)), escape(platform_label(*each.b)),
            times(each.ratio.value), or_dash(each.ci95, lambda pair: f"{times(pair[0])}–{times(pair[1])}"),
            f"[{colour}]{verdict_words(each)}[/{colour}] [dim]{letters}[/dim]",
        )  # fmt: skip
    return Group(table, *(Text(f"{letter} {text}", style="dim") for text, letter in marks.items()))


def difference_lines(found: Sequence[Difference], against: str | None) -> RenderableType:
    """A line per difference, what broke first; a Run that was to be compared with is named also where there is none."""
    if not found:
        return Text("" if against is None else f"Nothing broke or was mended since run {against}.")
    points = [point for each in found for point in (each.before, each.after) if point is not None]
    labels = model_labels(points)
    return Group(Text(), *(_line(each, labels[_point(each)[0].case_id]) for each in found))


def coverage_difference_lines(
    groups: Sequence[Alike], changes: Sequence[VersionChange], against: str, most: int = 8
) -> RenderableType:
    """Which versions stand between two Runs, then per kind the models by family and cause, what broke first."""
    told = ", ".join(f"{one.name} {one.before or 'not known'} → {one.after or 'not known'}" for one in changes)
    lines = [Text(one_line(f"Since run {against}: {told or 'the same versions'}.", 1000))]
    if not groups:
        return Group(Text(), *lines, Text("Nothing broke or was mended."))
    for kind in dict.fromkeys(group.kind for group in groups):
        mine = [group for group in groups if group.kind == kind]
        points = sum(len(group.found) for group in mine)
        lines.append(
            Text(f"{kind}: {points} {'point' if points == 1 else 'points'}", style=_COLOURS.get(kind, "yellow"))
        )
        lines += [Text(one_line(_alike(group, most), 600)) for group in mine]
    return Group(Text(), *lines)


def _alike(group: Alike, most: int) -> str:
    why = group.why
    cause = f" [{why.kind}{f' {why.subject}' if why.subject else ''}, to mend: {why.owner}]" if why else ""
    points = [point for each in group.found if (point := each.after or each.before) is not None]
    where = ", ".join(dict.fromkeys(case.hardware for case, _ in points))
    left = len(group.models) - most
    names = ", ".join(group.models[:most]) + (f" and {left} more" if left > 0 else "")
    return f"  {group.family} on {where}{cause}: {names}: {group.found[0].text}"


def version_changes_as_json(changes: Sequence[VersionChange]) -> list[dict[str, str | None]]:
    return [{"name": one.name, "before": one.before, "after": one.after} for one in changes]


def _line(each: Difference, model: str) -> Text:
    case, _ = _point(each)
    versions = [_version(point[0]) for point in (each.before, each.after) if point is not None]
    between = " → ".join(dict.fromkeys(versions))
    line = Text(f"{each.kind:8}", style=_COLOURS.get(each.kind, "yellow"))
    where = " ".join(filter(None, (model, *not_usual(case), case.hardware, case.unusual_backend, between)))
    return line.append(one_line(f"{where}: {each.text}", 600), style="default")


def _point(each: Difference) -> Point:
    point = each.after or each.before
    assert point is not None
    return point


def _version(case: Case) -> str:
    return " ".join(filter(None, (browser_label(case), case.runtime))) or "native"


def comparisons_as_json(found: Sequence[Comparison]) -> list[dict[str, object]]:
    return [
        {
            "a": _named(*each.a),
            "b": _named(*each.b),
            "ratio": each.ratio.value,
            "ci95": list(each.ci95) if each.ci95 else None,
            "verdict": each.verdict,
            "margin": each.margin,
            "rounds": each.ratio.rounds,
            "rounds_needed": each.needed,
            "method": each.ratio.method,
            "doubts": list(each.doubts),
        }
        for each in found
    ]


def differences_as_json(found: Sequence[Difference]) -> list[dict[str, object]]:
    return [
        {
            "kind": each.kind,
            "before": _named(*each.before) if each.before else None,
            "after": _named(*each.after) if each.after else None,
            "text": each.text,
        }
        for each in found
    ]


def _named(case: Case, result: CaseResult) -> dict[str, object]:
    return {"run_id": result.run_id, "case_id": case.case_id, "slug": case.slug}


def verdict_words(each: Comparison) -> str:
    """`slower`; `the same within 2 %`; `undecided: about 7 rounds more`."""
    if each.verdict == "same":
        return f"the same within {100 * each.margin:g} %"
    if each.verdict == "undecided" and each.needed is not None:
        return f"undecided: about {each.needed} {'round' if each.needed == 1 else 'rounds'} more"
    return each.verdict
