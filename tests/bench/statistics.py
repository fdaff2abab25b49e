"""A figure and its interval from some repetitions."""

from collections.abc import Sequence

from harness.core.statistics import median, median_interval


def middle(values: Sequence[float]) -> tuple[float, tuple[float, float] | None]:
    """Median, and its 95 % interval where there are six or more."""
    return median(values), median_interval(values)
