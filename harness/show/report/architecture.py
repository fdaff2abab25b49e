"""Throughput and speed-up of each family and architecture, by platform, against PyTorch on the CPU."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analyse.comparison import Side
from harness.analyse.ranking import Work, measured_in, ranked, ranks
from harness.show.report.figures import spread
from harness.show.report.model import Answer, Cell, Column, Figure, Report, Row, Section, Table
from harness.show.report.points import NOTHING, kind_of, place_label, point_table, work_labels
from harness.show.report.sources import Sources, run_facts
from harness.show.table import times

_HOW = (
    "Speed-up is throughput ÷ that of PyTorch on the CPU in the same precision, at the same work. A family's is the "
    "geometric mean over the models that both have; how many those are stands behind it.",
)


@dataclass(frozen=True)
class _SpeedUp:
    label: str
    family: str
    place: str
    ratio: float
    side: Side
    same_run: bool


def architecture_report(sides: Sequence[Side]) -> Report:
    """Points of one Run, or the newest of each Case: every family and every architecture by platform."""
    sources = Sources()
    works = ranked(sides)
    named = list(zip(work_labels(works), works, strict=True))
    found = [each for label, work in named for each in _speed_ups(label, work)]
    points = sorted(
        ((label, each.side) for label, work in named for each in work.standings),
        key=lambda pair: (pair[1][1].case.model.family, pair[0]),
    )
    everything = point_table("results", "Every point, by family", points, sources)
    return Report(
        kind="architecture",
        title="Families and architectures by platform",
        question="Which kinds of model does each platform make faster, and by how much?",
        answers=_answers(found),
        facts=run_facts(sides),
        sections=(
            Section("Speed-up by family", _HOW, (), (_families(found),)),
            Section("Speed-up by architecture", (), _figures(found, sources), (_architectures(found, sources),)),
            Section("All that was measured", (), (), (everything,)),
        ),
        sources=sources.all(),
    )


def _speed_ups(label: str, work: Work) -> list[_SpeedUp]:
    """Of each ranked point but the CPU's own; none where that was not measured at this work."""
    ours = [each.side for each in work.standings if each.is_ranked and _rate(each.side)]
    cpu = next((side for side in ours if _is_reference(side)), None)
    if cpu is None:
        return []
    return [
        _SpeedUp(
            label,
            side[1].case.model.family,
            place_label(side),
            _rate(side) / _rate(cpu),
            side,
            measured_in(side) == measured_in(cpu),
        )
        for side in ours
        if side is not cpu and side[1].case.browser != "attached"  # perhaps another machine
    ]


def _is_reference(side: Side) -> bool:
    case = side[1].case
    return case.platform == "cpu" and case.backend == "pytorch" and not case.options


def _rate(side: Side) -> float:
    return (side[1].result.metrics.get("throughput_items_per_second") or 0.0) if ranks(side) else 0.0


def _mean(ratios: Sequence[float]) -> float:
    return math.exp(sum(math.log(ratio) for ratio in ratios) / len(ratios))


def _answers(found: Sequence[_SpeedUp]) -> tuple[Answer, ...]:
    if not found:
        text = "No speed-up is known: nothing was measured and verified beside PyTorch on the CPU."
        return (Answer(text, "bad", "add cpu to --hardware"),)
    answers = []
    for place in _by_size(found):
        mine = [each for each in found if each.place == place]
        mean, slower = _mean([each.ratio for each in mine]), sum(each.ratio < 1 for each in mine)
        count = f"{len(mine)} {'point' if len(mine) == 1 else 'points'}"
        text = f"{place}: {times(mean)} times PyTorch on the CPU (geometric mean of {count})"
        apart = sum(not each.same_run for each in mine)
        trust = f"{apart} of them measured in another run than the CPU, not side by side" if apart else ""
        words = f"{text}, slower for {slower or 'none'}."
        answers.append(Answer(words, "doubt" if apart else "plain", trust))
    return tuple(answers)


def _by_size(found: Sequence[_SpeedUp]) -> list[str]:
    places = list(dict.fromkeys(each.place for each in found))
    return sorted(places, key=lambda place: -_mean([each.ratio for each in found if each.place == place]))


def _families(found: Sequence[_SpeedUp]) -> Table:
    places = _by_size(found)
    columns = (Column("family", "family"), *(Column(f"speedup {place}", place, numeric=True) for place in places))
    rows = []
    for family in sorted({each.family for each in found}):
        cells = []
        for place in places:
            ratios = [each.ratio for each in found if each.place == place and each.family == family]
            cells.append(_speed_cell(_mean(ratios), None, f" ({len(ratios)})") if ratios else NOTHING)
        rows.append((Cell(family, family), *cells))
    return Table("families", "Speed-up against the CPU, by family (number of points)", columns, tuple(rows))


def _architectures(found: Sequence[_SpeedUp], sources: Sources) -> Table:
    places = _by_size(found)
    columns = (Column("model", "model"), *(Column(f"speedup {place}", place, numeric=True) for place in places))
    rows = []
    for label in dict.fromkeys(each.label for each in found):
        mine = {each.place: each for each in found if each.label == label}
        cells = [
            _speed_cell(mine[place].ratio, sources.id_of(mine[place].side)) if place in mine else NOTHING
            for place in places
        ]
        rows.append((Cell(label, label), *cells))
    return Table("architectures", "Speed-up against the CPU, by architecture", columns, tuple(rows))


def _speed_cell(ratio: float, source: str | None, tail: str = "") -> Cell:
    """The darker, the slower than the CPU; what is faster is not shaded."""
    heat = None if ratio >= 1 else min(1.0, -math.log10(ratio) / 2)
    return Cell(times(ratio) + tail, ratio, source, "good" if ratio > 1 else "plain", heat)


def _figures(found: Sequence[_SpeedUp], sources: Sources) -> tuple[Figure, ...]:
    rows: list[Row] = [
        {
            "place": each.place,
            "ratio": each.ratio,
            "work": each.label,
            "kind": kind_of(each.side),
            "source": sources.id_of(each.side),
        }
        for each in found
    ]
    if not rows:
        return ()
    description = "Per platform a tick for each model and a diamond at the median; 1 is PyTorch on the CPU."
    return (spread("speedup", "Speed-up against the CPU", description, rows, "times PyTorch on the CPU (log)"),)
