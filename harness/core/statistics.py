"""Medians, quantiles and intervals whose true coverage is known: pure, standard library only, no unit of its own.

Every function takes plain numbers and gives back numbers in the same unit. What an interval promises is proved by
seeded simulation in `tests/core/test_statistics.py`; what was found stands in each docstring.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

LEAST_FOR_INTERVAL = 6
LEAST_ROUNDS = 3


def median(values: Sequence[float]) -> float:
    """Middle value, or the mean of the two in the middle. Raises ValueError on nothing."""
    return quantile(values, 0.5)


def quantile(values: Sequence[float], q: float) -> float:
    """Hyndman–Fan type 7 (linear between order statistics; numpy's and R's default), 0 <= q <= 1.

    Raises ValueError on no values or on q outside [0, 1].
    """
    if not values:
        raise ValueError("no values")
    if not 0 <= q <= 1:
        raise ValueError(f"q = {q} is outside [0, 1]")
    return _at_rank(sorted(values), 1 + (len(values) - 1) * q)


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean with exact summation. Raises ValueError on nothing."""
    if not values:
        raise ValueError("no values")
    return math.fsum(values) / len(values)


def mad(values: Sequence[float]) -> float:
    """Median absolute deviation from the median, not scaled to a normal's sigma. Raises ValueError on nothing."""
    middle = median(values)
    return median([abs(value - middle) for value in values])


def percentile_supported(n: int, q: float) -> bool:
    """Whether n samples say anything about the q-quantile: q = 0.9 needs 36, 0.95 needs 72, 0.99 needs 368.

    The rule: a 95 % interval made of order statistics exists, that is, the chance that all n samples fall on one
    side of the true quantile is at most 2.5 %. For the median the same rule gives n >= 6. Below that even the largest
    sample may well lie under the quantile, and the number printed would be an extrapolation.
    """
    if not 0 < q < 1:
        raise ValueError(f"q = {q} is outside (0, 1)")
    return n >= 1 and max(q, 1 - q) ** n <= 0.025


def effective_n(samples: Sequence[float]) -> float:
    """How many independent samples these, in the order taken, are worth for their median; between 1 and n.

    n / tau, where tau = 1 + 2 * sum of the autocorrelations of the indicator "above the median": exactly what
    inflates the variance of a median of dependent samples. The sum runs over pairs of lags until a pair is no longer
    positive (Geyer's initial positive sequence), made to decrease. An indicator has no outliers, so one pause
    of the operating system does not blur the estimate.
    """
    n = len(samples)
    return n / _inflation(samples) if n else 0.0
