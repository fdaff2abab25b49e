"""Which platform wins for my model, by how much, and can I trust it."""

from collections import Counter
from collections.abc import Sequence

from harness.analyse.comparison import Comparison, LeftOut, Side
from harness.analyse.ranking import Standing, Work, ranked
from harness.core.statistics import median
from harness.show.report.figures import bars, spread
from harness.show.report.model import Answer, Cell, Column, Figure, Report, Row, Section, Table
from harness.show.report.points import (
    NOTHING,
    POINT_COLUMNS,
    answer_cell,
    bar_row,
    doubts_cell,
    interval_cell,
    kind_of,
    latency_cell,
    memory_cell,
    number,
    place_label,
    ratio_cell,
    ratio_interval_cell,
    work_labels,
)
from harness.show.report.sources import Sources, doubts_of, run_facts
from harness.show.table import duration, interval, times

# A drawing per piece of work up to so many; beyond that one of all together.
_MOST_DRAWN = 8
_MOST_ANSWERS = 6


_COLUMNS = (
    *POINT_COLUMNS[:4],
    Column("times_as_long", "times as long", numeric=True),
    Column("times_as_long_ci95", "its interval"),
    Column("verdict", "than the fastest"),
    *POINT_COLUMNS[4:6],
    *POINT_COLUMNS[-2:],
)


def comparison_report(sides: Sequence[Side]) -> Report:
    """All points of one Run or several, those of the same work against each other."""
    sources = Sources()
    works = ranked(sides)
    labels = work_labels(works)
    named = list(zip(labels, works, strict=True))
    return Report(
        kind="comparison",
        title="Which platform is fastest",
        question="Which platform wins for my model, by how much, and can I trust it?",
        answers=_answers(named),
        facts=run_facts(sides),
        sections=(
            *_latency_section(named, sources),
            *_heat_section(named, sources),
            Section("All that was measured", (), (), (_ranking(named, sources),)),
            *_left_out_section(named),
        ),
        sources=sources.all(),
    )  # fmt: skip


_HOW_TO_READ = (
    "Less is faster. The line over a mark is the 95 % interval of the median over fresh processes or tabs. Only what "
    "gave the right answer is ranked: fast but wrong has failed. Of many that are nearly alike the first is partly "
    "luck: each interval is of one pair.",
)


def _answers(named: Sequence[tuple[str, Work]]) -> tuple[Answer, ...]:
    if len(named) <= _MOST_ANSWERS:
        return tuple(_answer(label, work) for label, work in named)
    return _answers_together(named)


def _answer(label: str, work: Work) -> Answer:
    best, second = work.best, work.runner_up
    if best is None:
        outcomes = Counter(_why_not(each.side) for each in work.standings)
        told = ", ".join(f"{count} {what}" for what, count in outcomes.items())
        return Answer(f"{label}: nothing can be ranked ({told}).", "bad", "no answer")
    text = f"{label}: {place_label(best.side)} is fastest, {_took(best)}"
    if second is not None:
        text += f"; {_against(work, second)}"
    other = work.best_on_other_side
    if other is not None and other is not second:
        side = "natively" if best.side[1].case.browser is not None else "in a browser"
        text += f"; {side} {_against(work, other)}"
    return _trusted(f"{text}.", work)


def _took(standing: Standing) -> str:
    pair = standing.side[1].result.latency_ci95_ms
    told = duration(standing.latency_ms or 0)
    return told if pair is None else f"{told} ({interval(*pair)})"


def _against(work: Work, standing: Standing) -> str:
    place, against = place_label(standing.side), standing.against
    ratio = work.times_as_long(standing)
    if not isinstance(against, Comparison):
        return f"{place} takes {times(ratio or 0)} times as long, not measured side by side"
    told = f"{times(against.ratio.value)} times as long"
    if against.ci95 is not None:
        told += f" ({times(against.ci95[0])}–{times(against.ci95[1])})"
    if against.verdict == "slower":
        return f"{place} takes {told}"
    if against.verdict == "same":
        return f"{place} is as fast, within {against.margin:.0%}: {told}"
    return f"whether {place} is slower is not decided: {told}"


def _trusted(text: str, work: Work) -> Answer:
    """Green only where the order is decided, no doubt was raised, and the machine was quiet."""
    second = work.runner_up
    best = work.standings[0]
    why = [*doubts_of(best.side)]
    if second is None:
        return Answer(text, "doubt", "alone: nothing else can be ranked", tuple(why))
    why += [f"{place_label(second.side)}: {doubt}" for doubt in doubts_of(second.side) if doubt not in why]
    if isinstance(second.against, Comparison):
        why += [doubt for doubt in second.against.doubts if doubt not in why]
        decided = second.against.verdict != "undecided"
    else:
        decided = False
        if isinstance(second.against, LeftOut):
            why.append(second.against.why)
    if not decided:
        would_do = isinstance(second.against, Comparison) and (second.against.needed or second.against.ci95 is None)
        return Answer(text, "doubt", "not decided: measure more rounds" if would_do else "not decided", tuple(why))
    if why:
        return Answer(text, "doubt", f"decided, with {len(why)} {'doubt' if len(why) == 1 else 'doubts'}", tuple(why))
    return Answer(text, "good", "decided, answers checked, no doubts")


def _answers_together(named: Sequence[tuple[str, Work]]) -> tuple[Answer, ...]:
    wins: Counter[str] = Counter()
    across: list[float] = []
    undecided = 0
    for _, work in named:
        if work.best is None:
            continue
        wins[place_label(work.best.side)] += 1
        second, other = work.runner_up, work.best_on_other_side
        undecided += second is not None and not (
            isinstance(second.against, Comparison) and second.against.verdict == "slower"
        )
        ratio = None if other is None else work.times_as_long(other)
        if ratio is not None and work.best.side[1].case.browser is None:
            across.append(ratio)
    total = sum(wins.values())
    if not total:
        return (Answer(f"Nothing of {len(named)} pieces of work can be ranked.", "bad", "no answer"),)
    first, most = wins.most_common(1)[0]
    text = f"{first} is fastest in {most} of {total}"
    rest = [f"{place} in {count}" for place, count in wins.most_common(4)[1:]]
    text += f"; {', '.join(rest)}." if rest else "."
    alone = sum(work.best is not None and work.runner_up is None for _, work in named)
    doubted = sum(work.best is not None and _trusted("", work).tone != "good" for _, work in named)
    told = (
        f"{undecided} of {total} not decided against the next" if undecided else "",
        f"{alone} alone: nothing else can be ranked" if alone else "",
        f"{doubted} with doubts" if doubted else "",
    )
    trust = ", ".join(filter(None, told)) or "each decided, answers checked, no doubts"
    answers = [Answer(text, "doubt" if doubted else "good", trust)]
    if across:
        slower = f"the best browser takes {times(median(across))} times as long (median of {len(across)})"
        answers.append(Answer(f"Where a native platform is fastest, {slower}."))
    missing = len(named) - total
    if missing:
        answers.append(Answer(f"Of {missing} nothing can be ranked: see what is left out.", "bad"))
    return tuple(answers)


def _latency_section(named: Sequence[tuple[str, Work]], sources: Sources) -> tuple[Section, ...]:
    figures = _figures(named, sources)
    return (Section("Latency", _HOW_TO_READ, figures),) if figures else ()


def _figures(named: Sequence[tuple[str, Work]], sources: Sources) -> tuple[Figure, ...]:
    drawable = [(label, work) for label, work in named if work.best is not None]
    if len(drawable) > _MOST_DRAWN:
        rows = [row for label, work in drawable for row in _ratio_rows(label, work, sources)]
        title = f"How many times as long as the fastest, over {len(drawable)} pieces of work"
        description = "Per platform a tick for each piece of work and a diamond at the median; 1 is the fastest."
        return (spread("spread", title, description, rows, "times as long as the fastest (log)"),)
    return tuple(_bars_of(f"latency-{place}", label, work, sources) for place, (label, work) in enumerate(drawable))


def _bars_of(name: str, label: str, work: Work, sources: Sources) -> Figure:
    """In seconds, milliseconds or microseconds: whichever the longest asks for."""
    shown = [each for each in work.standings if each.is_ranked and each.latency_ms]
    longest = max(each.latency_ms or 0 for each in shown)
    unit, factor = ("s", 1e-3) if longest >= 1000 else ("ms", 1.0) if longest >= 1 else ("µs", 1e3)
    rows = []
    for each in shown:
        pair = each.side[1].result.latency_ci95_ms
        scaled = None if pair is None else (pair[0] * factor, pair[1] * factor)
        rows.append(bar_row(each.side, sources, (each.latency_ms or 0) * factor, scaled))
    told = ", ".join(f"{place_label(each.side)} {duration(each.latency_ms or 0)}" for each in shown[:6])
    return bars(name, label, f"Latency of {label}, the fastest first: {told}.", rows, f"latency, {unit}")


def _ratio_rows(label: str, work: Work, sources: Sources) -> list[Row]:
    return [
        {
            "place": place_label(each.side), "ratio": work.times_as_long(each) or 1.0, "work": label,
            "kind": kind_of(each.side), "source": sources.id_of(each.side),
        }
        for each in work.standings if each.is_ranked
    ]  # fmt: skip


def _ranking(named: Sequence[tuple[str, Work]], sources: Sources) -> Table:
    """What is ranked by what it takes, then what is not, model by model."""
    rows = tuple(_ranking_row(label, work, each, sources) for label, work in named for each in work.standings)
    return Table("results", "The fastest first, and how many times as long the others take", _COLUMNS, rows)


def _ranking_row(label: str, work: Work, standing: Standing, sources: Sources) -> tuple[Cell, ...]:
    side, against, get = standing.side, standing.against, standing.side[1].result.metrics.get
    place, source = place_label(side), sources.id_of(side)
    if isinstance(against, Comparison):
        pair = ratio_interval_cell(against.ci95)
        verdict = Cell(against.verdict, against.verdict, tone="doubt" if against.verdict == "undecided" else "plain")
    elif standing is work.standings[0] and standing.is_ranked:
        pair, verdict = NOTHING, Cell("the fastest", "fastest", tone="good")
    else:
        why = "" if against is None else against.why
        pair, verdict = NOTHING, Cell("not compared", "not compared", title=why)
    return (
        Cell(label, label),
        Cell(place, place, source),
        latency_cell(side, sources),
        interval_cell(side),
        ratio_cell(work.times_as_long(standing), source),
        pair,
        verdict,
        number(get("throughput_items_per_second") if standing.is_ranked else None, side, sources),
        memory_cell(side, sources),
        answer_cell(side),
        doubts_cell(side, sources, against.doubts if isinstance(against, Comparison) else ()),
    )


def _heat_section(named: Sequence[tuple[str, Work]], sources: Sources) -> tuple[Section, ...]:
    """Only where there is more than one row: a single one is the figure above again."""
    if len(named) < 2:
        return ()
    places = list(dict.fromkeys(place_label(each.side) for _, work in named for each in work.standings))
    columns = (Column("model", "model"), *(Column(place, place, numeric=True) for place in places))
    rows = []
    for label, work in named:
        cells = {place_label(each.side): _heat_cell(work, each, sources) for each in reversed(work.standings)}
        rows.append((Cell(label, label), *(cells.get(place, NOTHING) for place in places)))
    table = Table("heat", "Times as long as the fastest of its row", columns, tuple(rows))
    text = "1 is the fastest of its row; the darker, the longer it takes. What is not ranked says why."
    return (Section("Model × platform", (text,), (), (table,)),)


def _heat_cell(work: Work, standing: Standing, sources: Sources) -> Cell:
    ratio = work.times_as_long(standing) if standing is not work.best else 1.0
    source = sources.id_of(standing.side)
    if ratio is None:
        why = _why_not(standing.side)
        return Cell(why, why, source, "bad" if why in ("failed", "wrong") else "plain", title=_reason(standing.side))
    # Ten times as long is as dark as it gets: beyond that nobody chooses it.
    return Cell(
        times(ratio),
        ratio,
        source,
        heat=min(1.0, max(0.0, (ratio - 1) / 9) ** 0.5),
        title=duration(standing.latency_ms or 0),
    )


def _left_out_section(named: Sequence[tuple[str, Work]]) -> tuple[Section, ...]:
    columns = (
        Column("reason", "why it is not ranked"),
        Column("points", "points", numeric=True),
        Column("example", "for example"),
    )
    reasons: dict[str, list[str]] = {}
    for label, work in named:
        for each in work.standings:
            if not each.is_ranked:
                what, reason = _why_not(each.side), _reason(each.side)
                reasons.setdefault(f"{what}: {reason}" if reason else what, []).append(
                    f"{label}, {place_label(each.side)}"
                )
    if not reasons:
        return ()
    by_count = sorted(reasons.items(), key=lambda item: -len(item[1]))
    rows = tuple((Cell(why, why), Cell(str(len(of)), len(of)), Cell(of[0], of[0])) for why, of in by_count)
    return (Section("What is left out", (), (), (Table("left_out", "Not ranked, and why", columns, rows),)),)


def _why_not(side: Side) -> str:
    result = side[1].result
    if result.code == "wrong_output":
        return "wrong"
    if result.outcome != "ok":
        return result.outcome
    return "not timed" if result.is_right else "not checked"


def _reason(side: Side) -> str:
    result = side[1].result
    if result.is_right:
        return "coverage times nothing" if side[0].policy.purpose == "coverage" else "no latency was measured"
    return (
        (result.reason or result.code or "")[:300]
        if result.outcome != "ok"
        else "its answer was not checked against anything independent"
    )
