"""One Run as a whole: what it came to, how fast, how much memory, where the time goes, and on what machine."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from harness.analyse.bottlenecks import Bottlenecks
from harness.analyse.comparison import Side
from harness.analyse.ranking import ranked
from harness.core.imported import doubts_of, imported_from
from harness.core.measured import MeasuredRun
from harness.core.noise import noise_lines, was_quiet
from harness.core.text import one_line
from harness.show.report.figures import bars
from harness.show.report.model import Answer, Cell, Column, Figure, Report, Row, Section, Table, Tone
from harness.show.report.points import bar_row, place_label, point_table, work_labels
from harness.show.report.sources import Sources, run_facts
from harness.show.table import duration, reading

# Bars beyond that many are no picture; the table has them all.
_MOST_BARS = 24
_MOST_OPERATORS = 8
_MOST_SENTENCES = 6


def run_report(run: MeasuredRun, profiles: Mapping[str, Bottlenecks]) -> Report:
    """All of one Run. `profiles` go by case_id."""
    sources = Sources()
    sides: list[Side] = [(run, one) for one in run.cases]
    works = ranked(sides)
    labels = work_labels(works)
    points = [(label, each.side) for label, work in zip(labels, works, strict=True) for each in work.standings]
    everything = point_table("results", "Every point that was asked for", points, sources)
    return Report(
        kind="run",
        title=f"Run {run.run_id}",
        question="What was measured, on what, and what came of it?",
        answers=_answers(run, sides),
        facts={**run_facts(sides), **_machine(run)},
        sections=(
            Section("What was measured", (), _figures(points, sources), (everything,)),
            *_profile_section(points, profiles, sources),
            *_reasons_section(points),
        ),
        sources=sources.all(),
        notes=tuple(one_line(line) for line in noise_lines(run.machine)),
    )


def _answers(run: MeasuredRun, sides: Sequence[Side]) -> tuple[Answer, ...]:
    outcomes = Counter("wrong" if one.result.code == "wrong_output" else one.result.outcome for _, one in sides)
    told = ", ".join(f"{count} {what}" for what, count in outcomes.items())
    unchecked = sum(one.result.outcome == "ok" and not one.result.is_right for _, one in sides)
    told += f", of which {unchecked} not checked" if unchecked else ""
    is_good = outcomes["ok"] > unchecked == 0
    tone: Tone = "bad" if outcomes["failed"] or outcomes["wrong"] else "good" if is_good else "doubt"
    imported = imported_from(run.run_id, run.machine)
    quiet = was_quiet(run.machine)
    trust = {
        True: "on a quiet machine",
        False: "on a noisy machine",
        None: "nobody looked whether the machine was quiet",
    }
    why = (*(doubts_of(imported) if imported else ()), *noise_lines(run.machine))
    points = f"{len(sides)} {'point' if len(sides) == 1 else 'points'}"
    where = f"imported from {imported.label}" if imported else trust[quiet]
    head = Answer(f"{points}: {told or 'nothing'}.", tone, where, why)
    sentences = [line for line in reading([(one.case, one.result) for _, one in sides]).splitlines() if line]
    return (head, *(Answer(one_line(line)) for line in sentences[:_MOST_SENTENCES]))


def _machine(run: MeasuredRun) -> dict[str, str]:
    """What numbers depend on beyond the CPU: memory, and the versions of what is measured."""
    machine = run.machine
    packages = machine.get("packages")
    versions = [f"{name} {value}" for name, value in packages.items() if value] if isinstance(packages, dict) else []
    runtimes = {one.result.runtime for one in run.cases if one.result.runtime}
    told = [*versions, *sorted(runtimes - {version.replace(" ", "@") for version in versions})]
    return {"versions": one_line(", ".join(told), 600)} if told else {}


def _figures(points: Sequence[tuple[str, Side]], sources: Sources) -> tuple[Figure, ...]:
    asked: list[tuple[str, str, str, Callable[[Side], float | None]]] = [
        (
            "throughput",
            "Throughput",
            "items per second",
            lambda side: _ranked_metric(side, "throughput_items_per_second"),
        ),
        ("memory", "Peak memory", "memory, MB", lambda side: _ran(side, "peak_memory_mb")),
        ("load", "Loading", "load, ms", lambda side: _ran(side, "load_ms")),
        (
            "first",
            "First inference",
            "first inference, ms",
            lambda side: _ran(side, "first_inference_ms"),
        ),
    ]
    several = len({label for label, _ in points}) > 1
    drawn = []
    for name, title, unit, value_of in asked:
        rows: list[Row] = []
        for label, side in points:
            value = value_of(side)
            if value is not None:
                row = bar_row(side, sources, value)
                rows.append({**row, "place": f"{label}, {row['place']}"} if several else row)
        if rows:
            more = f", the first {_MOST_BARS} of {len(rows)}" if len(rows) > _MOST_BARS else ""
            drawn.append(bars(name, title + more, f"{title} of each point, {unit}.", rows[:_MOST_BARS], unit))
    return tuple(drawn)


def _ran(side: Side, name: str) -> float | None:
    """Of what failed, also by a wrong answer, no bar stands beside what did not."""
    return side[1].result.metrics.get(name) if side[1].result.outcome == "ok" else None


def _ranked_metric(side: Side, name: str) -> float | None:
    return side[1].result.metrics.get(name) if side[1].result.is_right else None


def _profile_section(
    points: Sequence[tuple[str, Side]], profiles: Mapping[str, Bottlenecks], sources: Sources
) -> tuple[Section, ...]:
    columns = (
        Column("model", "model"), Column("platform", "platform"), Column("operator", "operator"),
        Column("device", "device"), Column("calls", "calls", numeric=True),
        Column("duration_ms", "time", numeric=True), Column("share", "of a run", numeric=True),
        Column("fallback", "fallback"),
    )  # fmt: skip
    rows = []
    for label, side in points:
        found = profiles.get(side[1].case.case_id)
        for each in found.operators[:_MOST_OPERATORS] if found else ():
            place, source = place_label(side), sources.id_of(side)
            operator, device = one_line(each.operator, 80), one_line(each.device, 60)
            rows.append((
                Cell(label, label), Cell(place, place, source), Cell(operator, operator), Cell(device, device),
                Cell(f"{each.calls:g}", each.calls), Cell(duration(each.duration_ms), each.duration_ms, source),
                Cell(f"{each.share:.1%}", each.share, source),
                Cell("yes", True, tone="doubt") if each.fallback else Cell("", False),
            ))  # fmt: skip
    if not rows:
        return ()
    text = f"The {_MOST_OPERATORS} longest operators of each point that was profiled, in rounds of their own."
    return (Section("Where the time goes", (text,), (), (Table("operators", "Operators", columns, tuple(rows)),)),)


def _reasons_section(points: Sequence[tuple[str, Side]]) -> tuple[Section, ...]:
    columns = (
        Column("model", "model"), Column("platform", "platform"), Column("outcome", "outcome"),
        Column("stage", "stage"), Column("reason", "reason"),
    )  # fmt: skip
    rows = []
    for label, side in points:
        result, place = side[1].result, place_label(side)
        if result.outcome != "ok":
            reason = one_line(result.reason or result.code or "no reason was given", 400)
            tone: Tone = "bad" if result.outcome == "failed" else "plain"
            outcome = Cell(result.outcome, result.outcome, tone=tone)
            stage = Cell(result.stage or "", result.stage)
            rows.append((Cell(label, label), Cell(place, place), outcome, stage, Cell(reason, reason)))
    if not rows:
        return ()
    return (Section("What did not run", (), (), (Table("reasons", "Each with its reason", columns, tuple(rows)),)),)
