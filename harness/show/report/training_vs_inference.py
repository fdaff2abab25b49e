"""How long a training step takes against one inference of the same model, batch and length on the same platform."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.analyse.comparison import Comparison, LeftOut, Side, compare
from harness.analyse.pairs import place_of
from harness.analyse.ranking import machine_of, measured_in, ranks
from harness.core.statistics import median
from harness.show.report.figures import pairs
from harness.show.report.model import Answer, Cell, Column, Figure, Report, Row, Section, Table
from harness.show.report.points import doubts_cell, latency_cell, place_label, ratio_cell, ratio_interval_cell
from harness.show.report.sources import Sources, doubts_of, run_facts
from harness.show.table import times, work_label

_MOST_DRAWN = 12
_COLUMNS = (
    Column("model", "model"), Column("platform", "platform"),
    Column("training_latency_median_ms", "training step", numeric=True),
    Column("inference_latency_median_ms", "inference", numeric=True),
    Column("training_latency_ratio", "times as long", numeric=True),
    Column("training_latency_ratio_ci95", "95 % interval"),
    Column("same_run", "same run"), Column("doubts", "doubts", numeric=True),
)  # fmt: skip


@dataclass(frozen=True)
class _Pair:
    training: Side
    inference: Side
    told: Comparison | LeftOut

    @property
    def ratio(self) -> float:
        """By pairs of Rounds where there are such."""
        if isinstance(self.told, Comparison):
            return self.told.ratio.value
        latencies = (side[1].result.metrics.get("latency_median_ms") or 0.0 for side in (self.training, self.inference))
        return next(latencies) / next(latencies)

    @property
    def name(self) -> str:
        return f"{work_label(self.training[1].case)} on {place_label(self.training)}"

    @property
    def is_side_by_side(self) -> bool:
        return measured_in(self.training) == measured_in(self.inference)

    @property
    def doubts(self) -> tuple[str, ...]:
        return self.told.doubts if isinstance(self.told, Comparison) else (self.told.why,)


def training_report(sides: Sequence[Side]) -> Report:
    """Every training point that has an inference like it in all but the mode."""
    sources = Sources()
    found = _pairs(sides)
    rows = tuple(_row(pair, sources) for pair in found)
    return Report(
        kind="training-vs-inference",
        title="Training against inference",
        question="How many inferences does one training step take?",
        answers=(_answer(found),),
        facts=run_facts([side for pair in found for side in (pair.training, pair.inference)]),
        sections=(
            Section(
                "A step against one inference",
                ("One training step is forward, loss, backward and optimizer; an inference is forward alone.",),
                _figures(found, sources),
                (Table("results", "Each pair that differs in nothing but the mode", _COLUMNS, rows),),
            ),
        ),
        sources=sources.all(),
    )


def _pairs(sides: Sequence[Side]) -> list[_Pair]:
    inference: dict[tuple[str, str], Side] = {}
    training: list[tuple[tuple[str, str], Side]] = []
    for side in sides:
        if not ranks(side):
            continue
        key = (machine_of(side), place_of(side[1].case, ("mode",)))
        if side[1].case.mode == "training":
            training.append((key, side))
        else:
            inference[key] = side
    return [
        _Pair(side, inference[key], compare(inference[key], side, None)) for key, side in training if key in inference
    ]


def _answer(found: Sequence[_Pair]) -> Answer:
    if not found:
        text = "No model was measured and verified in both modes: harness run --mode training, and --mode inference."
        return Answer(text, "bad", "no answer")
    least, most = (choose(found, key=lambda pair: pair.ratio) for choose in (min, max))
    if len(found) == 1:
        text = f"{least.name}: a training step takes {times(least.ratio)} inferences."
    else:
        middle = times(median([pair.ratio for pair in found]))
        text = (
            f"A training step takes {middle} inferences (median of {len(found)}): "
            f"{times(least.ratio)} for {least.name}, {times(most.ratio)} for {most.name}."
        )
    apart = sum(not pair.is_side_by_side for pair in found)
    if apart:
        return Answer(text, "doubt", f"{apart} of {len(found)} pairs were measured in different runs, not side by side")
    why = dict.fromkeys(doubt for pair in found if isinstance(pair.told, Comparison) for doubt in pair.doubts)
    if why:
        return Answer(text, "doubt", f"measured side by side, with {len(why)} doubts", tuple(why))
    return Answer(text, "plain", "measured side by side")


def _row(pair: _Pair, sources: Sources) -> tuple[Cell, ...]:
    training, inference, same = pair.training, pair.inference, pair.is_side_by_side
    label, place, source = work_label(training[1].case), place_label(training), sources.id_of(training)
    return (
        Cell(label, label),
        Cell(place, place, source),
        latency_cell(training, sources),
        latency_cell(inference, sources),
        ratio_cell(pair.ratio, source),
        ratio_interval_cell(pair.told.ci95 if isinstance(pair.told, Comparison) else None),
        Cell("yes" if same else "no", same, tone="plain" if same else "doubt"),
        doubts_cell(training, sources, (*doubts_of(inference), *pair.doubts)),
    )


def _figures(found: Sequence[_Pair], sources: Sources) -> tuple[Figure, ...]:
    rows: list[Row] = []
    for pair in found[:_MOST_DRAWN]:
        place = f"{work_label(pair.training[1].case)}, {place_label(pair.training)}"
        for name, side in (("training step", pair.training), ("inference", pair.inference)):
            value = side[1].result.metrics.get("latency_median_ms")
            rows.append({"place": place, "series": name, "value": value, "source": sources.id_of(side)})
    if not rows:
        return ()
    title = "Latency" if len(found) <= _MOST_DRAWN else f"Latency, the first {_MOST_DRAWN} of {len(found)}"
    description = "Per model and platform one bar for a training step and one for an inference, in milliseconds."
    return (pairs("training", title, description, rows, "latency, ms"),)
