"""Points → rows, cells and labels that several reports share."""

from collections.abc import Sequence

from harness.analyse.comparison import Side
from harness.analyse.ranking import Work
from harness.core.nouns import Case
from harness.core.text import one_line
from harness.show.report.model import Cell, Column, Row, Table
from harness.show.report.sources import Sources, doubts_of, machine_label
from harness.show.table import duration, interval, or_dash, platform_label, times, work_label

NOTHING = Cell("–")
_LONGEST_TITLE = 600
POINT_COLUMNS = (
    Column("model", "model"),
    Column("platform", "platform"),
    Column("latency_median_ms", "latency", numeric=True),
    Column("latency_ci95_ms", "95 % interval"),
    Column("throughput_items_per_second", "items/s", numeric=True),
    Column("peak_memory_mb", "memory, MB", numeric=True),
    Column("load_ms", "load", numeric=True),
    Column("first_inference_ms", "first", numeric=True),
    Column("answer", "answer"),
    Column("doubts", "doubts", numeric=True),
)


def place_label(side: Side) -> str:
    """`wasm firefox`, `webgpu (software)`, `cpu compile`: where, and with which of a backend's options."""
    case, result = side[1].case, side[1].result
    options = [key if value is True else f"{key}={value}" for key, value in sorted(case.options.items())]
    return one_line(" ".join([platform_label(case, result), *options]), 100)


def kind_of(side: Side) -> str:
    """As `figures.KINDS` has them."""
    case, result = side[1].case, side[1].result
    return "software adapter" if result.software else "native" if case.browser is None else "browser"


def work_labels(works: Sequence[Work]) -> list[str]:
    """A label per Work, each its own: threads and the rest are told where two would be called the same."""
    firsts = [work.standings[0].side[1].case for work in works]
    plain = [case_label(case) for case in firsts]
    machines = [machine_label(work.standings[0].side[0].machine) for work in works]
    if len(set(machines)) > 1:
        plain = [f"{label}, {machine}" for label, machine in zip(plain, machines, strict=True)]
    told = [
        label if plain.count(label) == 1 else f"{label}, {case.threads} threads, {case.model.weights}"
        for label, case in zip(plain, firsts, strict=True)
    ]
    return [label if told.count(label) == 1 else f"{label} #{place}" for place, label in enumerate(told, start=1)]


def case_label(case: Case) -> str:
    """The work as people call it; what is measured usually is an inference."""
    label = work_label(case)
    return label if case.mode == "inference" else f"{label}, {case.mode}"


def number(value: float | None, side: Side, sources: Sources, text: str | None = None) -> Cell:
    """A measured number that links to where it comes from; a dash for what was never measured."""
    if value is None:
        return NOTHING
    return Cell(times(value) if text is None else text, value, sources.id_of(side))


def answer_cell(side: Side) -> Cell:
    """Right, wrong, not checked, or why there is none."""
    result = side[1].result
    if result.code == "wrong_output":
        return Cell("wrong", "wrong", tone="bad", title=one_line(result.reason or "", 300))
    if result.outcome == "ok":
        checked = result.is_right
        return Cell("correct", "correct", tone="good") if checked else Cell("not checked", "not checked", tone="doubt")
    reason = one_line(result.reason or result.code or "no reason was given", 300)
    return Cell(result.outcome, result.outcome, tone="bad" if result.outcome == "failed" else "plain", title=reason)


def doubts_cell(side: Side, sources: Sources, more: Sequence[str] = ()) -> Cell:
    """How many, which are told by the source; `more` come on top of the point's own."""
    doubts = list(dict.fromkeys((*doubts_of(side), *more)))
    if not doubts:
        return Cell("none", 0)
    return Cell(str(len(doubts)), len(doubts), sources.id_of(side), "doubt", title="; ".join(doubts)[:_LONGEST_TITLE])


def ratio_cell(value: float | None, source: str) -> Cell:
    return NOTHING if value is None else Cell(times(value), value, source)


def ratio_interval_cell(pair: tuple[float, float] | None) -> Cell:
    """Both ends, without a unit."""
    return NOTHING if pair is None else Cell(f"{times(pair[0])}–{times(pair[1])}", f"{pair[0]:.4g}..{pair[1]:.4g}")


def latency_cell(side: Side, sources: Sources) -> Cell:
    value = side[1].result.metrics.get("latency_median_ms")
    return number(value, side, sources, None if value is None else duration(value))


def memory_cell(side: Side, sources: Sources) -> Cell:
    value = side[1].result.metrics.get("peak_memory_mb")
    return number(value, side, sources, or_dash(value, "{:.0f}".format))


def interval_cell(side: Side) -> Cell:
    pair = side[1].result.latency_ci95_ms
    return NOTHING if pair is None else Cell(interval(*pair), f"{pair[0]:.6g}..{pair[1]:.6g}")


def point_table(name: str, caption: str, sides: Sequence[tuple[str, Side]], sources: Sources) -> Table:
    """Every point with what was measured of it; (label of the model, point), in the order given."""
    return Table(name, caption, POINT_COLUMNS, tuple(_point_row(label, side, sources) for label, side in sides))


def _point_row(label: str, side: Side, sources: Sources) -> tuple[Cell, ...]:
    get = side[1].result.metrics.get
    wrong = side[1].result.outcome != "ok"
    load, first = get("load_ms"), get("first_inference_ms")
    place = place_label(side)
    return (
        Cell(label, label),
        Cell(place, place, sources.id_of(side)),
        latency_cell(side, sources), interval_cell(side),
        NOTHING if wrong else number(get("throughput_items_per_second"), side, sources),
        memory_cell(side, sources),
        number(load, side, sources, or_dash(load, duration)),
        number(first, side, sources, or_dash(first, duration)),
        answer_cell(side), doubts_cell(side, sources),
    )  # fmt: skip


def bar_row(side: Side, sources: Sources, value: float, pair: tuple[float, float] | None = None) -> Row:
    """A row as `figures.bars` takes them."""
    low, high = pair or (None, None)
    doubts = len(doubts_of(side))
    said = "no doubts" if not doubts else "1 doubt" if doubts == 1 else f"{doubts} doubts"
    return {
        "place": place_label(side), "value": value, "low": low, "high": high, "kind": kind_of(side), "said": said,
        "source": sources.id_of(side),
    }  # fmt: skip
