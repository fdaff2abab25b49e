"""What a larger batch brings: throughput over the batch size, and how much of it is left per item."""

from collections.abc import Sequence

from harness.analyse.comparison import Side
from harness.analyse.pairs import place_of
from harness.analyse.ranking import machine_of, measured_in, ranks
from harness.show.report.figures import lines
from harness.show.report.model import Answer, Cell, Column, Figure, Report, Row, Section, Table
from harness.show.report.points import (
    NOTHING,
    case_label,
    doubts_cell,
    interval_cell,
    latency_cell,
    number,
    place_label,
    ratio_cell,
)
from harness.show.report.sources import Sources, run_facts
from harness.show.table import times

_MOST_DRAWN = 8
_MOST_ANSWERS = 6
_COLUMNS = (
    Column("model", "model"), Column("platform", "platform"), Column("batch_size", "batch", numeric=True),
    Column("latency_median_ms", "latency", numeric=True), Column("latency_ci95_ms", "95 % interval"),
    Column("throughput_items_per_second", "items/s", numeric=True),
    Column("throughput_ratio", "times batch 1", numeric=True),
    Column("batch_efficiency", "efficiency", numeric=True), Column("doubts", "doubts", numeric=True),
)  # fmt: skip
_HOW = (
    "Throughput in items per second; at an efficiency of 100 % a batch takes no longer than one item, at 1 ÷ batch it "
    "brings nothing. Without a verified batch 1 there is nothing to hold it against.",
)


def batch_scaling_report(sides: Sequence[Side]) -> Report:
    """Points of one machine that are alike in all but the batch size, two sizes or more."""
    sources = Sources()
    series = _series(sides)
    rows = [row for one in series for row in _rows(one, sources)]
    answers = tuple(_answer(one) for one in series[:_MOST_ANSWERS])
    if not series:
        answers = (Answer("No model was measured and verified at two batch sizes or more.", "bad", "no answer"),)
    elif len(series) > _MOST_ANSWERS:
        answers = (_together(series),)
    return Report(
        kind="batch-scaling",
        title="What a larger batch brings",
        question="How many items per second does each batch size reach, and where does it stop being worth it?",
        answers=answers,
        facts=run_facts([side for one in series for side in one]),
        sections=(
            Section("Throughput over batch size", _HOW, _figures(series, sources), (
                Table("results", "Each batch size against batch 1", _COLUMNS, tuple(rows)),
            )),
        ),
        sources=sources.all(),
    )  # fmt: skip


def _series(sides: Sequence[Side]) -> list[list[Side]]:
    groups: dict[tuple[str, str], list[Side]] = {}
    for side in sides:
        if ranks(side) and _rate(side):
            key = (machine_of(side), place_of(side[1].case, ("batch_size",)))
            groups.setdefault(key, []).append(side)
    found = [sorted(group, key=lambda side: side[1].case.batch_size) for group in groups.values()]
    return [group for group in found if len({side[1].case.batch_size for side in group}) > 1]


def _rate(side: Side) -> float:
    return side[1].result.metrics.get("throughput_items_per_second") or 0.0


def _model(side: Side) -> str:
    """What all batches of a series are called."""
    return case_label(side[1].case.model_copy(update={"batch_size": 1}))


def _first(series: Sequence[Side]) -> Side | None:
    return series[0] if series[0][1].case.batch_size == 1 else None


def _answer(series: Sequence[Side]) -> Answer:
    best, first = max(series, key=_rate), _first(series)
    batch = best[1].case.batch_size
    text = f"{_model(best)} on {place_label(best)}: most at batch {batch}, {times(_rate(best))} items/s"
    if first is None:
        return Answer(f"{text}.", "doubt", "batch 1 was not measured, so there is no efficiency")
    ratio = _rate(best) / _rate(first)
    text += f", {times(ratio)} times batch 1" if batch > 1 else ": a larger batch brings nothing"
    runs = {measured_in(side) for side in series}
    if len(runs) > 1:
        return Answer(f"{text}.", "doubt", f"measured in {len(runs)} runs, not side by side")
    if batch > 1 and not _is_apart(first, best):
        return Answer(f"{text}.", "doubt", "not decided: the intervals overlap")
    if best is series[-1] and batch > 1:
        return Answer(f"{text}.", "plain", "the largest that was tried: a larger one may bring more")
    return Answer(f"{text}.", "good" if batch > 1 else "plain", "the largest that was tried brings less")


def _is_apart(first: Side, best: Side) -> bool:
    """Whether the larger batch brings more also at the bad end of both intervals."""
    ends = [side[1].result.latency_ci95_ms for side in (first, best)]
    if ends[0] is None or ends[1] is None:
        return False
    return best[1].case.batch_size / ends[1][1] > first[1].case.batch_size / ends[0][0]


def _together(series: Sequence[Sequence[Side]]) -> Answer:
    gains = [(max(_rate(side) for side in one) / _rate(first), one) for one in series if (first := _first(one))]
    if not gains:
        return Answer("Nothing was measured at batch 1, so there is no efficiency.", "bad", "no answer")
    gain, one = max(gains, key=lambda pair: pair[0])
    worth = sum(each > 1.1 for each, _ in gains)
    text = f"A larger batch brings more than 10 % in {worth} of {len(gains)} places; most for {_model(one[0])} on "
    return Answer(f"{text}{place_label(one[0])}: {times(gain)} times batch 1.")


def _rows(series: Sequence[Side], sources: Sources) -> list[tuple[Cell, ...]]:
    first = _first(series)
    rows: list[tuple[Cell, ...]] = []
    for side in series:
        batch, place, model = side[1].case.batch_size, place_label(side), _model(side)
        ratio = None if first is None else _rate(side) / _rate(first)
        efficiency = None if ratio is None else ratio / batch
        rows.append((
            Cell(model, model), Cell(place, place, sources.id_of(side)), Cell(str(batch), batch),
            latency_cell(side, sources), interval_cell(side), number(_rate(side), side, sources),
            ratio_cell(ratio, sources.id_of(side)),
            NOTHING if efficiency is None else Cell(f"{efficiency:.0%}", efficiency, sources.id_of(side)),
            doubts_cell(side, sources, _other_run(first, side)),
        ))  # fmt: skip
    return rows


def _other_run(first: Side | None, side: Side) -> tuple[str, ...]:
    if first is None or measured_in(first) == measured_in(side):
        return ()
    return (f"batch 1 was measured in run {measured_in(first)}, not side by side",)


def _figures(series: Sequence[Sequence[Side]], sources: Sources) -> tuple[Figure, ...]:
    """A drawing per model of the first few; a line per platform."""
    models: dict[str, list[Row]] = {}
    for one in series:
        models.setdefault(_model(one[0]), []).extend(
            {"x": side[1].case.batch_size, "y": _rate(side), "place": place_label(side), "work": _model(side),
             "source": sources.id_of(side)}
            for side in one
        )  # fmt: skip
    drawn = list(models.items())[:_MOST_DRAWN]
    return tuple(
        lines(f"batch-{place}", model, f"Items per second of {model} over the batch size, a line per platform.", rows,
              ("batch size", "items per second"))
        for place, (model, rows) in enumerate(drawn)
    )  # fmt: skip
