"""Anomalies and trends, for people and programs: tables with the reasons under them, and JSON."""

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.analyse.again import Again, counts
from harness.analyse.anomalies import Anomaly, Findings, NotJudged
from harness.analyse.differences import VersionChange
from harness.analyse.trends import LEAST_CHANGE, LEAST_RUNS, LEVEL, Change, Trend
from harness.core.text import one_line
from harness.show.table import duration, mark, or_dash, times

_VERDICTS = {"confirmed": "[red]confirmed[/red]", "not_confirmed": "not confirmed", "undecided": "undecided"}
_BARS = "▁▂▃▄▅▆▇█"
_MOST_BARS = 40
_LEAST_SPAN = math.log(1.2)
_DIGESTS = {"artifact": "the artifact", "loop": "the measuring code"}  # nobody reads digests
_METHOD = "binary segmentation with the energy statistic, 999 seeded shuffles"


def anomaly_lines(findings: Findings, again: Sequence[Again] | None) -> RenderableType:
    """A row per anomaly, its reason beneath; what could not be judged; what all that means."""
    lines: list[RenderableType] = []
    if findings.anomalies:
        lines += [_anomaly_table(findings.anomalies, again), Text()]
    lines += [Text(one_line(text), style="dim") for text in _not_judged(findings.not_judged)]
    found = len(findings.anomalies)
    lines.append(
        Text(
            f"{found or 'No'} {'anomaly' if found == 1 else 'anomalies'} in {_count(findings.rounds, 'round')} of "
            f"{_count(len(findings.subjects), 'case')}; {_count(findings.tests, 'test')}, so strict that of runs "
            f"without anything odd at most {1 - findings.confidence:.2g} have a false alarm."
        )
    )
    if again:
        told = ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in counts(again).items())
        lines.append(Text(f"Measured again: {told}."))
    return Group(*lines)


def _anomaly_table(anomalies: Sequence[Anomaly], again: Sequence[Again] | None) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("anomaly", no_wrap=True)
    table.add_column("case", overflow="fold")
    for title in ("round", "value", "expected"):
        table.add_column(title, no_wrap=True, justify="right")
    if again:
        table.add_column("again", no_wrap=True)
    marks: dict[str, str] = {}
    for place, one in enumerate(anomalies):
        second = again[place] if again else None
        reasons = [one.sentence, *([second.reason, *second.doubts] if second else [])]
        letters = " ".join(mark(marks, one_line(reason)) for reason in reasons)
        row = [
            f"{one.kind.replace('_', ' ')} [dim]{letters}[/dim]", escape(one_line(one.case.slug, 120)),
            ", ".join(map(str, (one.number, *one.also))), _valued(one, one.value),
            _expected(one),
        ]  # fmt: skip
        table.add_row(*row, *([_VERDICTS[second.verdict]] if second else []))
    return Group(table, Text(), *(Text(f"{letter} {text}", style="dim") for text, letter in marks.items()))


def _expected(one: Anomaly) -> str:
    return "–" if one.expected is None else " … ".join(_valued(one, end) for end in one.expected)


def _valued(one: Anomaly, value: float | None) -> str:
    return or_dash(value, duration if one.what == "latency_median_ms" else "{:.4g}".format)


def _not_judged(found: Sequence[NotJudged]) -> list[str]:
    """A line per kind and reason, with how many Rounds of how many Cases, and the details of the first."""
    groups: dict[tuple[str, str], list[NotJudged]] = {}
    for one in found:
        groups.setdefault((one.kind, one.reason.partition(":")[0]), []).append(one)
    lines = []
    for (kind, _), mine in groups.items():
        rounds, cases = sum(len(one.rounds) for one in mine), len({one.case.case_id for one in mine})
        reasons = list(dict.fromkeys(one.reason for one in mine))
        more = f", and {len(reasons) - 1} like it" if len(reasons) > 1 else ""
        lines.append(f"not judged for {kind}: {_count(rounds, 'round')} of {_count(cases, 'case')}: {reasons[0]}{more}")
    return lines


def anomalies_as_json(
    findings: Findings, again: Sequence[Again] | None = None, second_run: str | None = None
) -> dict[str, object]:
    """`rerun` is null where nothing was measured again; else each anomaly has `again`: verdict, reason, doubts."""
    again_or_none: Sequence[Again | None] = again or [None] * len(findings.anomalies)
    return {
        "run_id": findings.run.run_id,
        "confidence": findings.confidence,
        "judged": {
            "cases": len(findings.subjects),
            "rounds": findings.rounds,
            "tests": findings.tests,
            "confidence_each": findings.each,
        },
        "anomalies": [
            {**_anomaly_as_json(one), "again": _again_as_json(second)}
            for one, second in zip(findings.anomalies, again_or_none, strict=True)
        ],
        "not_judged": [
            {
                "kind": one.kind,
                "case_id": one.case.case_id,
                "slug": one.case.slug,
                "rounds": list(one.rounds),
                "reason": one.reason,
            }
            for one in findings.not_judged
        ],
        "rerun": None if again is None else {"run_id": second_run, "verdicts": counts(again)},
    }


def _anomaly_as_json(one: Anomaly) -> dict[str, object]:
    return {
        "kind": one.kind,
        "case_id": one.case.case_id,
        "slug": one.case.slug,
        "run_id": one.run_id,
        "round_id": one.round_id,
        "round": one.number,
        "also_rounds": list(one.also),
        "what": one.what,
        "value": one.value,
        "expected": None if one.expected is None else list(one.expected),
        "sentence": one.sentence,
    }


def _again_as_json(one: Again | None) -> dict[str, object] | None:
    return None if one is None else {"verdict": one.verdict, "reason": one.reason, "doubts": list(one.doubts)}


def trend_lines(trends: Sequence[Trend]) -> RenderableType:
    """A row per Case and machine with its line over the Runs; each change beneath, with the versions that changed."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    several = len({trend.latest.machine_id for trend in trends}) > 1
    table.add_column("case", overflow="fold")
    if several:
        table.add_column("machine", no_wrap=True)
    for title in ("runs", "latest"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("over the runs", no_wrap=True)
    table.add_column("after ÷ before")
    marks: dict[str, str] = {}
    for trend in trends:
        changes = [f"{times(one.ratio)} [dim]{mark(marks, _change_sentence(one))}[/dim]" for one in trend.changes]
        table.add_row(
            escape(one_line(trend.latest.slug, 120)),
            *([escape(one_line(trend.latest.machine_id, 12))] if several else []),
            str(len(trend.results)),
            duration(trend.latest.latency_ms),
            sparkline([one.latency_ms for one in trend.results]),
            f"[dim]{escape(trend.reason)}[/dim]" if trend.reason else "  ".join(changes) or "no change",
        )
    return Group(table, Text(), *(Text(f"{letter} {text}") for text, letter in marks.items()), _reading(trends))


def _reading(trends: Sequence[Trend]) -> Text:
    judged = [trend for trend in trends if trend.reason is None]
    few = len(trends) - len(judged)
    lines = []
    if judged:
        changed = sum(bool(trend.changes) for trend in judged)
        lines.append(
            f"{changed} of {_count(len(judged), 'case')} changed by {LEAST_CHANGE - 1:.0%} or more, at a level of "
            f"{LEVEL:.0%} each: at most so many of those without a change show one by chance."
        )
    if few:
        lines.append(f"Of {_count(few, 'case')} with fewer than {LEAST_RUNS} runs nothing is said.")
    return Text(" ".join(lines))


def _change_sentence(one: Change) -> str:
    versions = ", ".join(map(_version_change, one.versions)) or "no version that is known of changed"
    when = " and ".join(f"{run.started_at[:16]} (run {run.run_id})" for run in (one.before, one.after))
    return one_line(
        f"between {when} from {duration(one.before_ms)} to {duration(one.after_ms)}, p = {one.p:.3f}: {versions}"
    )


def _version_change(one: VersionChange) -> str:
    if one.name in _DIGESTS:
        return f"{_DIGESTS[one.name]} changed"
    return f"{one.name} {one.before or 'unknown'} → {one.after or 'unknown'}"


def sparkline(values: Sequence[float]) -> str:
    """A bar per value above 0, the last forty of them, by its logarithm between the least and the largest.

    The bars span at least 20 %: a percent of noise would look like mountains.
    """
    logs = [math.log(value) for value in values[-_MOST_BARS:]]
    middle, span = (max(logs) + min(logs)) / 2, max(max(logs) - min(logs), _LEAST_SPAN)
    return "".join(_BARS[round(((log - middle) / span + 0.5) * (len(_BARS) - 1))] for log in logs)


def trends_as_json(trends: Sequence[Trend]) -> dict[str, object]:
    """`verdict`: changed, none_found, or too_few_runs (with the `reason`)."""
    return {
        "level": LEVEL,
        "least_runs": LEAST_RUNS,
        "least_change": LEAST_CHANGE,
        "method": _METHOD,
        "trends": [
            {
                "case_id": trend.latest.case_id,
                "slug": trend.latest.slug,
                "machine_id": trend.latest.machine_id,
                "clock": trend.latest.clock,
                "verdict": "too_few_runs" if trend.reason else "changed" if trend.changes else "none_found",
                "reason": trend.reason,
                "runs": [
                    {"run_id": one.run_id, "started_at": one.started_at, "latency_median_ms": one.latency_ms}
                    for one in trend.results
                ],
                "changes": [_change_as_json(one) for one in trend.changes],
            }
            for trend in trends
        ],
    }


def _change_as_json(one: Change) -> dict[str, object]:
    return {
        "last_run_before": one.before.run_id,
        "first_run_after": one.after.run_id,
        "at": one.after.started_at,
        "before_ms": one.before_ms,
        "after_ms": one.after_ms,
        "ratio": one.ratio,
        "p": one.p,
        "versions": [{"name": each.name, "before": each.before, "after": each.after} for each in one.versions],
    }


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
