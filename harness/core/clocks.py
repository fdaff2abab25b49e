"""A GPU's time by several clocks, and which of them to believe; pure.

submit      until the call returned: before the work is done. Shown to expose it
await       until the outputs could be read; holds what waiting costs even where there is nothing to wait for
slope       what one run more costs when runs follow each other unwaited: the cost of waiting cancels out
timestamp   from the first compute pass's beginning to the last one's end, by the GPU's own clock: without what the
            CPU does before and after
"""

from collections.abc import Sequence
from typing import NamedTuple

from harness.core.events import Samples
from harness.core.statistics import mean, median
from harness.core.units import ms

GPU_CLOCKS = ("submit", "await", "slope", "timestamp")
# Where waiting for nothing takes this share of what the await says, another clock is believed; from the smaller share
# on it is said. Chromium's floor wavers between 0.2 and 2.3 ms: the clock should not with it.
FLOOR_SHARE = 0.25
FLOOR_SAID = 0.1
# A slope is believed where its standard error is below this share of it.
SLOPE_ERROR = 0.2
_LEAST_POINTS = 3


# Of these one is a part of what a run takes, and the other what one run more takes: not what a caller waits.
_NOT_WALL = ("submit", "slope", "timestamp")


def same_quantity(a: str | None, b: str | None) -> bool:
    """Whether two clocks tell the same: all that tell how long a caller waits do, wherever they tick."""
    return a == b or (a not in _NOT_WALL and b not in _NOT_WALL)


class Choice(NamedTuple):
    """The clock that a table shows, and what is to be known of that; None where there is nothing to say."""

    clock: str | None
    why: str | None


def choose_clock(rounds: Sequence[Sequence[Samples]], floor_ns: float | None) -> Choice:
    """The clock whose numbers are the latency, for all Rounds' Samples together; None without any.

    `floor_ns`: how long waiting takes with nothing to wait for.

    A worker's or page's own clock where the CPU computes; else the await, unless its floor dominates it; then the
    slope, if it is sure; then timestamps, which lack the CPU's part; then the await all the same.
    """
    batches = [batch for one in rounds for batch in one]
    present = list(dict.fromkeys(batch.clock for batch in batches if batch.durations_ns))
    plain = [clock for clock in present if clock not in GPU_CLOCKS]
    if plain or "await" not in present:
        believed = plain or [clock for clock in ("slope", "timestamp", "submit") if clock in present]
        return Choice(next(iter(believed), None), None)
    waited_ns = median(per_run_ns(batches, "await"))
    if floor_ns is None or floor_ns < FLOOR_SAID * waited_ns:
        return Choice("await", None)
    why = f"the wait itself takes {ms(floor_ns):.3g} ms of the await's {ms(waited_ns):.3g}"
    if floor_ns < FLOOR_SHARE * waited_ns:
        return Choice("await", why)
    fitted = _fit(_points(batches))
    in_all = all(slopes_ns(one) for one in rounds if one)
    if fitted is not None and fitted.error_ns <= SLOPE_ERROR * fitted.slope_ns and in_all:
        return Choice("slope", f"{why}: the latency is the slope's")
    if "timestamp" in present:
        return Choice("timestamp", f"{why}, and the slope is not sure: the latency is the GPU's own, without the CPU's")
    return Choice("await", f"{why}, and no better clock was there: the latency is dominated by it")


def per_run_ns(batches: Sequence[Samples], clock: str) -> list[float]:
    """Nanoseconds per run in this clock, in the order taken; of a slope one estimate for each time all was repeated."""
    if clock == "slope":
        return slopes_ns(batches)
    return [
        duration / batch.runs_per_sample for batch in batches if batch.clock == clock for duration in batch.durations_ns
    ]


def slopes_ns(batches: Sequence[Samples]) -> list[float]:
    """Nanoseconds per run, one least-squares slope through the points of each repetition.

    The batches hold the duration of `runs_per_sample` unwaited runs, then one wait; the i-th of each size are one
    repetition. Empty where a slope is not above zero: noise has won, and leaving only such ones out would be a lie.
    """
    by_runs: dict[int, list[int]] = {}
    for runs, duration in _points(batches):
        by_runs.setdefault(runs, []).append(duration)
    repeated = min((len(durations) for durations in by_runs.values()), default=0)
    fits = [_fit([(runs, durations[i]) for runs, durations in by_runs.items()]) for i in range(repeated)]
    slopes = [fitted.slope_ns for fitted in fits if fitted is not None]
    return slopes if slopes and min(slopes) > 0 else []


class _Fit(NamedTuple):
    slope_ns: float
    error_ns: float


def _points(batches: Sequence[Samples]) -> list[tuple[int, int]]:
    return [
        (batch.runs_per_sample, duration)
        for batch in batches
        if batch.clock == "slope"
        for duration in batch.durations_ns
    ]


def _fit(points: Sequence[tuple[int, int]]) -> _Fit | None:
    """Least squares with the slope's standard error; None with fewer than three points, or all at one place."""
    if len(points) < _LEAST_POINTS:
        return None
    x, y = [float(runs) for runs, _ in points], [float(duration) for _, duration in points]
    x_mean, y_mean = mean(x), mean(y)
    spread = sum((each - x_mean) ** 2 for each in x)
    if spread == 0:
        return None
    slope = sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True)) / spread
    residuals = sum((b - y_mean - slope * (a - x_mean)) ** 2 for a, b in zip(x, y, strict=True))
    return _Fit(slope, (residuals / (len(points) - 2) / spread) ** 0.5)


def medians_ms(rounds: Sequence[Sequence[Samples]]) -> dict[str, float | None]:
    """Median of each of a GPU's clocks over all Rounds' Samples, in milliseconds; null where not measured."""
    found = {clock: [value for one in rounds for value in per_run_ns(one, clock)] for clock in GPU_CLOCKS}
    return {clock: ms(median(values)) if values else None for clock, values in found.items()}
