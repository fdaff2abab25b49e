"""How many times as long one point takes as another, with an interval over Rounds; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.analyse.pairs import Pair, Point
from harness.core.rounds import Round
from harness.core.statistics import LEAST_ROUNDS, median, ratio_interval
from harness.metrics import latencies_ms, timed_rounds, verdict_clock

Verdict = Literal["faster", "slower", "undecided"]


@dataclass(frozen=True)
class Comparison:
    """`ratio` is the latency of `b` ÷ that of `a`: below 1, `b` is faster. `ci95`: None below three Rounds."""

    a: Point
    b: Point
    ratio: float
    ci95: tuple[float, float] | None
    verdict: Verdict
    doubts: tuple[str, ...]


def comparisons(pairs: Iterable[Pair], rounds: Sequence[Round]) -> list[Comparison]:
    """Of the pairs in which both gave the right answer here and now; `rounds` are the Run's."""
    by_case: dict[str, list[Round]] = {}
    for one in rounds:
        by_case.setdefault(one.case_id, []).append(one)
    found = []
    for a, b in pairs:
        if a[1].is_right and b[1].is_right and a[0].case_id in by_case and b[0].case_id in by_case:
            compared = _compare(a, b, by_case)
            found += [compared] if compared is not None else []
    return found


def _compare(a: Point, b: Point, by_case: Mapping[str, Sequence[Round]]) -> Comparison | None:
    sides = [by_case[point[0].case_id] for point in (a, b)]
    medians = [_medians(side) for side in sides]
    turns = sorted(medians[0].keys() & medians[1].keys())
    before, after = ([side[turn] for turn in turns] for side in medians)
    if not turns or min(*before, *after) <= 0:
        return None
    interval = ratio_interval(before, after)
    if interval is None:
        ratio, ci95 = median(after) / median(before), None
        doubts = [f"no interval: {len(turns)} of {LEAST_ROUNDS} turns in which both were measured"]
    else:
        ratio, ci95, doubts = interval[0], (interval[1], interval[2]), []
    clocks = [verdict_clock(side).clock for side in sides]
    same_clock = clocks[0] == clocks[1]
    if not same_clock:
        doubts.append(f"two clocks: {clocks[0]} and {clocks[1]} are not the same quantity")
    if a[1].fallback_share != b[1].fallback_share:
        doubts.append("not the same share of nodes on the CPU, or not known")
    if a[1].software or b[1].software:
        doubts.append("a software adapter")
    return Comparison(a, b, ratio, ci95, _verdict(ci95) if same_clock else "undecided", tuple(doubts))


def _medians(rounds: Sequence[Round]) -> dict[int, float]:
    """Turn → the median latency of the Round in it, of those that count."""
    timed = timed_rounds(rounds)
    pairs = zip(timed, latencies_ms(rounds), strict=True)
    return {one.number: median(latencies) for one, latencies in pairs if latencies}


def _verdict(ci95: tuple[float, float] | None) -> Verdict:
    if ci95 is None or ci95[0] <= 1 <= ci95[1]:
        return "undecided"
    return "faster" if ci95[1] < 1 else "slower"
