"""How long a training step takes against one inference of the same model, batch and length on the same platform."""

from collections.abc import Sequence

from harness.analyse.comparison import Comparison, Side, compare
from harness.analyse.pairs import place_of
from harness.analyse.ranking import measured_in, ranks
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
_Pair = tuple[Side, Side]


def training_report(sides: Sequence[Side]) -> Report:
    """Every training point that has an inference like it in all but the mode."""
    sources = Sources()
    found = _pairs(sides)
    runs = list({run.run_id: run for pair in found for run, _ in pair}.values())
    rows = tuple(_row(training, inference, sources) for training, inference in found)
    return Report(
        kind="training-vs-inference",
        title="Training against inference",
        question="How many inferences does one training step take?",
        answers=(_answer(found),),
        facts=run_facts(runs),
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
        key = (str(side[0].machine.get("machine_id")), place_of(side[1].case, ("mode",)))
        if side[1].case.mode == "training":
            training.append((key, side))
        else:
            inference[key] = side
    return [(side, inference[key]) for key, side in training if key in inference]


def _ratio(pair: _Pair) -> float:
    """By pairs of Rounds where there are such, as the table has it."""
    told = compare(pair[1], pair[0], None)
    if isinstance(told, Comparison):
        return told.ratio.value
    training, inference = (side[1].result.metrics.get("latency_median_ms") or 0.0 for side in pair)
    return training / inference


def _answer(found: Sequence[_Pair]) -> Answer:
    if not found:
        text = "No model was measured and verified in both modes: harness run --mode training, and --mode inference."
        return Answer(text, "bad", "no answer")
    ratios = [_ratio(pair) for pair in found]
    least, most = min(found, key=_ratio), max(found, key=_ratio)
    if len(found) == 1:
        where = f"{work_label(least[0][1].case)} on {place_label(least[0])}"
        text = f"{where}: a training step takes {times(ratios[0])} inferences."
    else:
        text = (
            f"A training step takes {times(median(ratios))} inferences (median of {len(found)}): "
            f"{times(_ratio(least))} for {work_label(least[0][1].case)} on {place_label(least[0])}, "
            f"{times(_ratio(most))} for {work_label(most[0][1].case)} on {place_label(most[0])}."
        )
    apart = sum(measured_in(a) != measured_in(b) for a, b in found)
    told = [compare(b, a, None) for a, b in found]
    why = dict.fromkeys(doubt for one in told if isinstance(one, Comparison) for doubt in one.doubts)
    if why and not apart:
        return Answer(text, "doubt", f"measured side by side, with {len(why)} doubts", tuple(why))
    if apart:
        return Answer(text, "doubt", f"{apart} of {len(found)} pairs were measured in different runs, not side by side")
    return Answer(text, "plain", "measured side by side")


def _row(training: Side, inference: Side, sources: Sources) -> tuple[Cell, ...]:
    told = compare(inference, training, None)
    ratio = told.ratio.value if isinstance(told, Comparison) else _ratio((training, inference))
    doubts = (*doubts_of(inference), *(told.doubts if isinstance(told, Comparison) else (told.why,)))
    same = measured_in(training) == measured_in(inference)
    label, place, source = work_label(training[1].case), place_label(training), sources.id_of(training)
    return (
        Cell(label, label),
        Cell(place, place, source),
        latency_cell(training, sources),
        latency_cell(inference, sources),
        ratio_cell(ratio, source),
        ratio_interval_cell(told.ci95 if isinstance(told, Comparison) else None),
        Cell("yes" if same else "no", same, tone="plain" if same else "doubt"),
        doubts_cell(training, sources, doubts),
    )


def _figures(found: Sequence[_Pair], sources: Sources) -> tuple[Figure, ...]:
    rows: list[Row] = []
    for pair in found[:_MOST_DRAWN]:
        place = f"{work_label(pair[0][1].case)}, {place_label(pair[0])}"
        for name, side in zip(("training step", "inference"), pair, strict=True):
            value = side[1].result.metrics.get("latency_median_ms")
            rows.append({"place": place, "series": name, "value": value, "source": sources.id_of(side)})
    if not rows:
        return ()
    title = "Latency" if len(found) <= _MOST_DRAWN else f"Latency, the first {_MOST_DRAWN} of {len(found)}"
    description = "Per model and platform one bar for a training step and one for an inference, in milliseconds."
    return (pairs("training", title, description, rows, "latency, ms"),)
