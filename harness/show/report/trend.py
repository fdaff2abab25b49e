"""Each case's latency over all runs: where it changed, by how much, and which versions changed there."""

from collections.abc import Sequence

from harness.analyse.trends import LEAST_CHANGE, LEAST_RUNS, Change, Trend
from harness.core.text import one_line
from harness.show.report.figures import over_time
from harness.show.report.model import Answer, Cell, Column, Figure, Report, Row, Section, Source, Table
from harness.show.report.points import NOTHING
from harness.show.table import duration, times

_MOST_DRAWN = 12
_MOST_ANSWERS = 5
_COLUMNS = (
    Column("case", "case"), Column("runs", "runs", numeric=True), Column("latest_ms", "latest", numeric=True),
    Column("least_ms", "least", numeric=True), Column("most_ms", "most", numeric=True),
    Column("changes", "changes", numeric=True), Column("latest_change_ratio", "last change", numeric=True),
    Column("changed_at", "when"), Column("versions", "versions that changed there"),
)  # fmt: skip


def trend_report(trends: Sequence[Trend]) -> Report:
    """Trends as `analyse.trends` has them; those that changed come first, the largest change at their head."""
    ordered = sorted(trends, key=lambda trend: (not trend.changes, -_largest(trend), -len(trend.results)))
    sources = tuple(_source(place, trend) for place, trend in enumerate(ordered, start=1))
    ids = [source.id for source in sources]
    rows = tuple(_row(trend, source) for trend, source in zip(ordered, ids, strict=True))
    runs = {one.run_id for trend in trends for one in trend.results}
    days = sorted(one.started_at[:10] for trend in trends for one in trend.results)
    facts = {"runs": str(len(runs)), "cases": str(len(trends)), **({"from": days[0], "to": days[-1]} if days else {})}
    table = Table("results", "A line per case, those that changed first", _COLUMNS, rows)
    judged = sum(trend.reason is None for trend in trends)
    return Report(
        kind="trend",
        title="Latency over time",
        question="Did something become slower or faster, when, and what changed there?",
        answers=_answers(ordered, judged),
        facts=facts,
        sections=(
            Section("Over time", (_how(),), _figures(ordered, ids), (table,)),
        ),
        sources=sources,
    )  # fmt: skip


def _how() -> str:
    return (
        f"A dashed line is a change for good: a place where the runs before and behind differ more than chance would "
        f"have them, by {LEAST_CHANGE - 1:.0%} or more. It takes {LEAST_RUNS} runs of a case on one machine to see one."
    )


def _largest(trend: Trend) -> float:
    return max((max(each.ratio, 1 / each.ratio) for each in trend.changes), default=1.0)


def _answers(ordered: Sequence[Trend], judged: int) -> tuple[Answer, ...]:
    changed = [trend for trend in ordered if trend.changes]
    if not judged:
        least = f"a case needs {LEAST_RUNS} runs on one machine before a change can be told from chance"
        return (Answer("Nothing can be said of changes yet.", "doubt", least),)
    if not changed:
        return (Answer(f"Nothing changed: {judged} cases were looked at.", "good", "by change points, 5 % level"),)
    slower = sum(trend.changes[-1].ratio > 1 for trend in changed)
    last = f"the last time {slower} became slower, {len(changed) - slower} faster"
    head = f"{len(changed)} of {judged} cases changed: {last}."
    told = [_told(trend, max(trend.changes, key=lambda each: max(each.ratio, 1 / each.ratio))) for trend in changed]
    return (Answer(head, "doubt"), *told[:_MOST_ANSWERS])


def _told(trend: Trend, change: Change) -> Answer:
    took = f"{duration(change.before_ms)} → {duration(change.after_ms)}"
    since = change.after.started_at[:10]
    text = f"{trend.latest.slug} takes {times(change.ratio)} times as long since {since}: {took}."
    versions = _versions(change)
    trust = f"changed there: {versions}" if versions else "no version that is recorded changed there"
    return Answer(one_line(text, 300), "bad" if change.ratio > 1 else "good", one_line(trust, 300))


def _versions(change: Change) -> str:
    hidden = ("artifact", "loop")  # digests, which nobody reads
    told = [
        f"{one.name} {one.before or 'not known'} → {one.after or 'not known'}"
        for one in change.versions
        if one.name not in hidden
    ]
    return ", ".join([*told, *(name for name in hidden if any(one.name == name for one in change.versions))])


def _row(trend: Trend, source: str) -> tuple[Cell, ...]:
    latencies = [one.latency_ms for one in trend.results]
    slug = one_line(trend.latest.slug, 160)
    changes = Cell(str(len(trend.changes)), len(trend.changes))
    return (
        Cell(slug, slug, source),
        Cell(str(len(latencies)), len(latencies)),
        *(Cell(duration(value), value, source) for value in (latencies[-1], min(latencies), max(latencies))),
        changes if trend.reason is None else Cell("not judged", None, tone="doubt", title=trend.reason),
        *(_change_cells(trend.changes[-1], source) if trend.changes else (NOTHING,) * 3),
    )


def _change_cells(last: Change, source: str) -> tuple[Cell, ...]:
    versions = one_line(_versions(last), 300)
    return (
        Cell(times(last.ratio), last.ratio, source, "bad" if last.ratio > 1 else "good"),
        Cell(last.after.started_at[:10], last.after.started_at),
        Cell(versions, versions),
    )


def _figures(ordered: Sequence[Trend], ids: Sequence[str]) -> tuple[Figure, ...]:
    drawn = [(trend, source) for trend, source in zip(ordered, ids, strict=True) if len(trend.results) > 1][
        :_MOST_DRAWN
    ]
    return tuple(_drawing(f"trend-{place}", trend, source) for place, (trend, source) in enumerate(drawn))


def _drawing(name: str, trend: Trend, source: str) -> Figure:
    rows: list[Row] = [
        {"at": one.started_at, "latency_ms": one.latency_ms, "run": one.run_id, "source": source}
        for one in trend.results
    ]
    changes: list[Row] = [
        {"at": each.after.started_at, "what": f"{times(each.ratio)} times; {_versions(each)}"} for each in trend.changes
    ]
    told = f"{len(rows)} runs, {len(changes)} {'change' if len(changes) == 1 else 'changes'}"
    slug = one_line(trend.latest.slug, 120)
    return over_time(name, slug, f"Latency of {slug} over {told}.", rows, changes)


def _source(place: int, trend: Trend) -> Source:
    latest = trend.latest
    facts = {
        "case": latest.case_id[:12], "machine": latest.machine_id[:12], "clock": latest.clock or "not known",
        "first run": trend.results[0].run_id, "latest run": latest.run_id,
        "runtime": " ".join(filter(None, (latest.runtime, latest.browser_version))),
    }  # fmt: skip
    return Source(
        f"s{place}",
        one_line(latest.slug, 200),
        {k: one_line(v, 200) for k, v in facts.items() if v},
        tuple(filter(None, (trend.reason,))),
    )
