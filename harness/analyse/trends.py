"""A Case's latency over Runs: where it changed for good, by how much, and which versions changed there; pure.

Binary segmentation with the energy statistic of Székely and Rizzo on the logarithms of the Runs' medians, as E-divisive
(Matteson and James 2014) has it: the place where the Runs before and some right behind differ most is a change if fewer
than 5 % of shuffled orders have a place that is as good; then both sides are looked at by themselves. A permutation
test assumes no distribution, only that without a change any order of the Runs is as likely as another.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from harness.analyse.differences import VersionChange
from harness.core.history import PastResult
from harness.core.statistics import median

_Floats = NDArray[np.float64]
LEVEL = 0.05
# Of seven Runs even a perfect separation is an accident in 2 of 35 orders, more than 5 %; of eight in 2 of 70.
LEAST_RUNS = 8
# A single Run that is off is an anomaly, not a change.
_LEAST_ON_A_SIDE = 2
# A machine wanders by two percent or three from hour to hour: Runs of a day are alike, and that is no accident, but
# nobody changed anything.
LEAST_CHANGE = 1.05
# The work grows with their square.
MOST_RUNS = 400
_SHUFFLES = 999
_NUMBERS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Change:
    """Between two Runs in a row; `ratio` is the median of the Runs behind ÷ that of those before, up to the next
    change. `p`: share of shuffled orders with a place as good."""

    before: PastResult
    after: PastResult
    before_ms: float
    after_ms: float
    p: float
    versions: tuple[VersionChange, ...]

    @property
    def ratio(self) -> float:
        return self.after_ms / self.before_ms


@dataclass(frozen=True)
class Trend:
    """One Case on one machine in one clock; `reason` says why nothing is said about changes, None where it is."""

    results: tuple[PastResult, ...]
    changes: tuple[Change, ...] = ()
    reason: str | None = None

    @property
    def latest(self) -> PastResult:
        return self.results[-1]


def trends_of(results: Iterable[PastResult], words: Sequence[str] = ()) -> list[Trend]:
    """The oldest Run first; `words` must all be in a Case's slug. Two clocks are two quantities, so two trends."""
    wanted = [word.casefold() for word in words]
    groups: dict[tuple[str, str, str | None], list[PastResult]] = {}
    for one in results:
        if all(word in one.slug.casefold() for word in wanted):
            groups.setdefault((one.case_id, one.machine_id, one.clock), []).append(one)
    return [_trend(group[-MOST_RUNS:]) for group in groups.values()]


def _trend(results: Sequence[PastResult]) -> Trend:
    if len(results) < LEAST_RUNS:
        return Trend(tuple(results), reason=f"{len(results)} of {LEAST_RUNS} runs")
    latencies = [one.latency_ms for one in results]
    p_values = dict(change_points(np.log(np.array(latencies))))
    edges = _large_enough(latencies, [0, *p_values, len(results)])
    changes = []
    for low, index, high in zip(edges, edges[1:], edges[2:], strict=False):
        before, after = results[index - 1], results[index]
        levels = median(latencies[low:index]), median(latencies[index:high])
        changes.append(Change(before, after, *levels, p_values[index], tuple(version_changes(before, after))))
    return Trend(tuple(results), tuple(changes))


def _large_enough(latencies: Sequence[float], edges: Sequence[int]) -> list[int]:
    """The edges without those between Runs that are less than 5 % apart, the smallest left out first: a creep of small
    steps comes to one change."""
    left = list(edges)
    while len(left) > 2:
        levels = [math.log(median(latencies[low:high])) for low, high in pairwise(left)]
        steps = [abs(after - before) for before, after in pairwise(levels)]
        smallest = min(range(len(steps)), key=steps.__getitem__)
        if steps[smallest] >= math.log(LEAST_CHANGE):
            break
        del left[smallest + 1]
    return left


def change_points(values: _Floats, level: float = LEVEL, shuffles: int = _SHUFFLES) -> list[tuple[int, float]]:
    """(index of the first value behind, p) of each change, in order. The shuffling is seeded: the same values, the same
    answer.

    False alarms at 5 % (1,000 series each, 199 shuffles; normal noise, Student's t with two and three degrees,
    exponential): 2.4 to 4.0 % of 8 Runs, 4.1 to 5.1 % of 12, 3.9 to 6.3 % of 20, 3.3 to 4.7 % of 40. Found, with noise
    of Student's t with three degrees and scale 3 %: 10 % more half way 45 % of 8 Runs, 67 % of 10, 91 % of 20; 20 %
    more 82, 93 and 100 %, and in the last two of 20 Runs 79 %, but in the last two of 10 only 6 %. A machine that
    wanders from Run to Run has changes, and they are found; a Trend leaves out those below 5 %.
    """
    chance = np.random.default_rng(0)
    found: list[tuple[int, float]] = []
    open_ = [(0, len(values))]
    while open_:
        low, high = open_.pop()
        if high - low < LEAST_RUNS:
            continue
        apart = np.abs(values[low:high, None] - values[None, low:high])
        left, _ = _places(high - low)
        energies = _energies(apart[None])[0]
        p = _p_value(apart, float(energies.max()), shuffles, chance)
        if p <= level:
            index = low + int(left[energies.argmax()])
            found.append((index, p))
            open_ += [(low, index), (index, high)]
    return sorted(found)


def _p_value(apart: _Floats, energy: float, shuffles: int, chance: np.random.Generator) -> float:
    """Share of orders, this one among them, whose best place is as good."""
    n = len(apart)
    at_once = max(1, _NUMBERS_AT_ONCE // n**2)
    as_good = 0
    for begin in range(0, shuffles, at_once):
        orders = chance.permuted(np.tile(np.arange(n), (min(at_once, shuffles - begin), 1)), axis=1)
        shuffled = apart[orders[:, :, None], orders[:, None, :]]
        # What rounding makes of equal sums must not decide.
        as_good += int(np.count_nonzero(_energies(shuffled).max(axis=1) >= energy * (1 - 1e-9)))
    return (1 + as_good) / (1 + shuffles)


def _places(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(values before, values before and behind) of every pair of neighbouring stretches from the first value on: the
    second need not reach the end, else what went up and came back would hide itself."""
    left, until = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    wanted = (left >= _LEAST_ON_A_SIDE) & (until - left >= _LEAST_ON_A_SIDE)
    return left[wanted], until[wanted]


def _energies(apart: _Floats) -> _Floats:
    """Distances [orders, n, n] → energy statistic [orders, places] of the two stretches, in the order of `_places`."""
    left, until = _places(apart.shape[1])
    right = until - left
    sums = np.pad(np.cumsum(np.cumsum(apart, axis=1), axis=2), ((0, 0), (1, 0), (1, 0)))
    before, both, across = sums[:, left, left], sums[:, until, until], sums[:, left, until]
    behind, between = both - 2 * across + before, across - before
    energies: _Floats = left * right / until * (2 * between / (left * right) - before / left**2 - behind / right**2)
    return energies


def version_changes(before: PastResult, after: PastResult) -> list[VersionChange]:
    """What else is not the same in two Runs; None: that Run does not tell of it."""
    old, new = _versions(before), _versions(after)
    return [
        VersionChange(name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _versions(one: PastResult) -> Mapping[str, str]:
    """As they were when the Run began; a page's runtime and browser also as they told it themselves."""
    told = dict(one.versions or {})
    package, _, version = (one.runtime or "").rpartition("@")
    if package:
        told.setdefault(package, version)
    if one.browser_version is not None:
        told["browser_version"] = one.browser_version
    return told
