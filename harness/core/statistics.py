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

    n / tau, where tau = 1 + 2 * sum of the autocorrelations of the indicator "above the median": exactly what inflates
    the variance of a median of dependent samples. An indicator has no outliers, so one pause of the operating
    system does not blur the estimate. tau is the larger of two estimates: Geyer's initial positive sequence, which
    assumes nothing, and the tau of an AR(1) process with the same first autocorrelation, which is less often too small
    when n is.
    """
    n = len(samples)
    if n < 3:
        return float(n)
    correlation = _indicator_autocorrelation(samples, max(3, n // 3))
    return max(1.0, n / max(1.0, _tau_of_sequence(correlation), _tau_of_ar1(correlation, n)))


def median_interval(samples: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Interval for the median: Hettmansperger–Sheather's interpolated order statistics, widened for dependence.

    `samples` in the order taken. None below n = 6, where not even the extremes cover 95 %. The half-width in ranks
    grows by sqrt(n / effective_n); it ends at the extremes, so with very few effective samples it covers less.

    True coverage of the 95 % interval (10,000 simulations each, standard error 0.2 to 0.4 points): independent normal,
    lognormal, exponential 96.0–96.7 % at n = 10 … 200. AR(1) with phi = 0.5: 93.4 % at n = 50, 95.0 % at 200, but
    91.5 % at 20 and 87 % at 10; with phi = 0.8: 93.9 % at 200, but 88.7 % at 50 and 83 % at 20, since so few samples
    cannot show how alike they are. Without the widening it is 80 % and 56 % at every n.
    """
    n = len(samples)
    if n < LEAST_FOR_INTERVAL:
        return None
    half = _half_width_ranks(n, confidence)
    if half is None:
        return None
    half *= math.sqrt(n / effective_n(samples))
    ordered, middle = sorted(samples), (n + 1) / 2
    return _at_rank(ordered, middle - half), _at_rank(ordered, middle + half)


def rounds_interval(round_medians: Sequence[float], confidence: float = 0.95) -> tuple[float, float, float] | None:
    """(geometric mean, low, high) over the medians of three or more Rounds; None for fewer or if one is not above 0.

    Student's t on the logarithms: durations are positive and their noise multiplies, and what differs between fresh
    processes (layout of memory, frequency, placement of threads) is invisible within one of them. With three
    Rounds t is 4.3: wide, and that is the truth.

    True coverage of the 95 % interval with lognormal variance between Rounds (10,000 simulations each): 94.8 % with 3,
    94.9 % with 5, 95.2 % with 10 Rounds.
    """
    n = len(round_medians)
    if n < LEAST_ROUNDS or min(round_medians) <= 0:
        return None
    logs = [math.log(value) for value in round_medians]
    center = mean(logs)
    spread = math.sqrt(math.fsum((value - center) ** 2 for value in logs) / (n - 1) / n)
    half = t_quantile(0.5 + confidence / 2, n - 1) * spread
    return math.exp(center), math.exp(center - half), math.exp(center + half)


@lru_cache(maxsize=4096)
def t_quantile(probability: float, degrees: int) -> float:
    """Quantile of Student's t with whole degrees of freedom, 0.5 <= probability < 1, to 12 digits.

    The distribution function has a closed form for whole degrees (Abramowitz and Stegun 26.7.3 and 26.7.4), which is
    bisected. Raises ValueError outside that range.
    """
    if not 0.5 <= probability < 1 or degrees < 1:
        raise ValueError(f"no t quantile for probability {probability} and {degrees} degrees of freedom")
    central = 2 * probability - 1
    low, high = 0.0, 1.0
    while _t_central(high, degrees) < central:
        low, high = high, high * 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if _t_central(middle, degrees) < central else (low, middle)
    return high


def _t_central(t: float, degrees: int) -> float:
    """P(|T| <= t)."""
    angle = math.atan(t / math.sqrt(degrees))
    cosine_squared = math.cos(angle) ** 2
    if degrees == 1:
        return 2 * angle / math.pi
    odd = degrees % 2
    term = total = math.cos(angle) if odd else 1.0
    for k in range(2 if odd else 1, degrees - 2, 2):
        term *= k / (k + 1) * cosine_squared
        total += term
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total


def _at_rank(ordered: Sequence[float], rank: float) -> float:
    """Linear between order statistics; rank 1 is the smallest, and ranks outside 1 … n are the extremes."""
    rank = min(max(rank, 1.0), float(len(ordered)))
    below = int(rank)
    low, high = ordered[below - 1], ordered[min(below, len(ordered) - 1)]
    # min and max, because rounding may carry low + (high - low) * fraction a bit beyond high.
    return min(max(low + (high - low) * (rank - below), low), high)


@lru_cache(maxsize=1024)
def _half_width_ranks(n: int, confidence: float) -> float | None:
    """Distance in ranks from the middle to the ends of Hettmansperger–Sheather's interval; None if n is too small.

    With the k-th order statistics from both ends covering gamma(k) = 1 - 2 P(Binomial(n, 1/2) < k), take the largest
    k that covers enough and go the share lambda towards k + 1.
    """
    below = math.exp(-n * math.log(2))
    if n > 1000:  # 2^-n underflows; far from the middle nothing is lost by starting 20 standard deviations out
        k = max(0, n // 2 - int(10 * math.sqrt(n)))
        below = math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2))
    else:
        k = 0
    term = below
    if 1 - 2 * below < confidence:
        return None
    while True:  # here: below = P(X <= k), so gamma(k + 1) = 1 - 2 * below is enough
        k += 1
        term *= (n - k + 1) / k
        if 1 - 2 * (below + term) < confidence:
            break
        below += term
    enough, little = 1 - 2 * below, 1 - 2 * (below + term)
    share = (enough - confidence) / (enough - little)
    step = (n - k) * share / (k + (n - 2 * k) * share)
    return (n + 1) / 2 - (k + step)


def _indicator_autocorrelation(samples: Sequence[float], most_lag: int) -> list[float]:
    """Autocorrelation of "above the median" at lags 0 … most_lag; empty when no sample is above it.

    The indicators are bits of one integer, so that a lag costs a shift and a count of bits.
    """
    n, middle = len(samples), median(samples)
    bits = int("".join("1" if value > middle else "0" for value in samples), 2)
    share = bits.bit_count() / n
    if share == 0:
        return []
    found = []
    for lag in range(min(most_lag, n - 1) + 1):
        early, late = bits >> lag, bits & ((1 << (n - lag)) - 1)
        product = (bits & early).bit_count() - share * (early.bit_count() + late.bit_count()) + share**2 * (n - lag)
        found.append(product / (n * share * (1 - share)))
    return found


def _tau_of_sequence(correlation: Sequence[float]) -> float:
    """Sum over pairs of lags while a pair is positive, made to decrease (Geyer 1992)."""
    total, previous = 0.0, math.inf
    for lag in range(0, len(correlation) - 1, 2):
        pair = min(correlation[lag] + correlation[lag + 1], previous)
        if pair <= 0:
            break
        total, previous = total + pair, pair
    return 2 * total - 1


def _tau_of_ar1(correlation: Sequence[float], n: int) -> float:
    """tau of a normal AR(1) process whose indicator has this first autocorrelation (plus 1/n: its bias).

    The indicator of a normal process with autocorrelation r has autocorrelation 2/pi * asin(r).
    """
    if len(correlation) < 2:
        return 1.0
    return _tau_of_first(min(0.99, max(0.0, correlation[1] + 1 / n)))


@lru_cache(maxsize=1024)
def _tau_of_first(first: float) -> float:
    """Kept, because all that is asked of a Round asks for it, and close to 1 the sum has tens of thousands of terms."""
    phi = power = math.sin(math.pi / 2 * first)
    tau = 1.0
    while power > 1e-4:
        tau += 4 / math.pi * math.asin(power)
        power *= phi
    return tau
