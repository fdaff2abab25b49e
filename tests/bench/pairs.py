"""Interleaved pairs: the same work on two sides, one right after the other, in an order drawn for each pair.

What differs from minute to minute falls on both sides of a pair and leaves with the ratio.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from harness.core.statistics import median, rounds_interval
from tests.bench.section import Row, row

BAND = (0.99, 1.01)


@dataclass(frozen=True)
class Timed:
    """One side of a pair: the median of its steady state, from how many samples, and its first inference."""

    median_ms: float
    n: int
    first_ms: float


Side = Callable[[], Awaitable[Timed]]


@dataclass
class Pairs:
    """`ours` over `bare`, pair by pair."""

    ours: list[Timed] = field(default_factory=list)
    bare: list[Timed] = field(default_factory=list)
    ours_first: list[bool] = field(default_factory=list)

    async def take(self, ours: Side, bare: Side, drawn: random.Random) -> None:
        """One more pair; one that breaks off on its second side leaves nothing."""
        first = drawn.random() < 0.5
        if first:
            mine = await ours()
            other = await bare()
        else:
            other = await bare()
            mine = await ours()
        self.ours.append(mine)
        self.bare.append(other)
        self.ours_first.append(first)

    def row(self, name: str) -> Row:
        """The ratio of the medians and all that it came from."""
        return ratio_row(
            name, [each.median_ms for each in self.ours], [each.median_ms for each in self.bare],
            samples=[[a.n, b.n] for a, b in zip(self.ours, self.bare, strict=True)], ours_first=list(self.ours_first),
        )  # fmt: skip

    def first_row(self, name: str) -> Row:
        """The same of the first inferences."""
        return ratio_row(name, [each.first_ms for each in self.ours], [each.first_ms for each in self.bare])


def ratio_row(name: str, ours_ms: list[float], bare_ms: list[float], **more: object) -> Row:
    """Geometric mean of the pairs' ratios with its 95 % interval (Student's t on the logarithms).

    Below three pairs there is no interval; the value is then the median ratio.
    """
    ratios = [mine / other for mine, other in zip(ours_ms, bare_ms, strict=True)]
    found = rounds_interval(ratios)
    value = found[0] if found else median(ratios) if ratios else None
    interval = (found[1], found[2]) if found else None
    return row(
        name, value, interval, n=len(ratios), overlaps_band=_overlaps(interval), within_band=_within(interval),
        bare_median_ms=median(bare_ms) if bare_ms else None, ours_ms=ours_ms, bare_ms=bare_ms, **more,
    )  # fmt: skip


def judged(rows: list[Row]) -> tuple[bool | None, str | None]:
    """Whether every interval overlaps the band, and which do not; null while one has no interval."""
    if not rows or any(each["overlaps_band"] is None for each in rows):
        return None, "too few pairs for an interval"
    off = [f"{each['name']}: {each['low']:.3f}–{each['high']:.3f}" for each in rows if not each["overlaps_band"]]
    return not off, "; ".join(off) or None


def _overlaps(interval: tuple[float, float] | None) -> bool | None:
    return None if interval is None else interval[0] <= BAND[1] and interval[1] >= BAND[0]


def _within(interval: tuple[float, float] | None) -> bool | None:
    """Overlapping is easy for a wide interval; lying within says that the pairs were enough."""
    return None if interval is None else interval[0] >= BAND[0] and interval[1] <= BAND[1]
