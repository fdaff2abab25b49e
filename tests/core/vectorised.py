"""Twins of `core/statistics` and `core/ratios` for many series at once: one row each. The tests hold them against the
scalar code, and simulate with them."""

import math

import numpy as np
from numpy.typing import NDArray

from harness.core import statistics as stats
from harness.core.ratios import at_each_look

Floats = NDArray[np.float64]


def median_intervals(samples: Floats, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """(low, high) of `statistics.median_interval` for each row of samples, in the order taken; at least 6 columns."""
    n = samples.shape[1]
    half = stats._half_width_ranks(n, confidence)
    assert half is not None
    halves = half * np.sqrt(n / effective_n(samples))
    ordered, middle = np.sort(samples, axis=1), (n + 1) / 2
    return _at_ranks(ordered, middle - halves), _at_ranks(ordered, middle + halves)


def effective_n(samples: Floats) -> Floats:
    """`statistics.effective_n` of each row; at least 3 columns."""
    n = samples.shape[1]
    correlation = _indicator_autocorrelation(samples, max(3, n // 3))
    pairs = np.minimum.accumulate(correlation[:, 0:-1:2] + correlation[:, 1::2], axis=1)
    of_sequence = 2 * np.where(np.cumprod(pairs > 0, axis=1), pairs, 0.0).sum(axis=1) - 1
    firsts, places = np.unique(np.nan_to_num(np.clip(correlation[:, 1] + 1 / n, 0.0, 0.99)), return_inverse=True)
    of_ar1 = np.array([stats._tau_of_first(float(first)) for first in firsts])[places]
    tau = np.maximum(1.0, np.maximum(of_sequence, of_ar1))
    tau[np.isnan(correlation[:, 0])] = 1.0
    effective: Floats = np.maximum(1.0, n / tau)
    return effective


def paired_intervals(before: Floats, after: Floats, confidence: float, looked: bool) -> tuple[Floats, Floats]:
    """(low, high) of `ratios.paired_ratio` for each row of Rounds' medians, which have no error of their own."""
    logs, n = np.log(after / before), before.shape[1]
    return _students(logs, at_each_look(confidence) if looked else confidence, np.sqrt(logs.var(axis=1, ddof=1) / n))


def rounds_intervals(medians: Floats, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """(low, high) of `statistics.rounds_interval` for each row of three or more medians above 0."""
    logs, n = np.log(medians), medians.shape[1]
    return _students(logs, confidence, np.sqrt(logs.var(axis=1, ddof=1) / n))


def _students(logs: Floats, confidence: float, error: Floats) -> tuple[Floats, Floats]:
    center, half = logs.mean(axis=1), stats.t_quantile(0.5 + confidence / 2, logs.shape[1] - 1) * error
    return np.exp(center - half), np.exp(center + half)


def _indicator_autocorrelation(samples: Floats, most_lag: int) -> Floats:
    """Row × lag; nan in a row without a sample above its median."""
    rows, n = samples.shape
    above = samples > np.median(samples, axis=1, keepdims=True)
    share = above.mean(axis=1)
    lags = min(most_lag, n - 1) + 1
    found = np.zeros((rows, lags))
    with np.errstate(invalid="ignore"):
        for lag in range(lags):
            early, late = above[:, : n - lag], above[:, lag:]
            ends = early.sum(axis=1) + late.sum(axis=1)
            product = (early & late).sum(axis=1) - share * ends + share**2 * (n - lag)
            found[:, lag] = product / (n * share * (1 - share))
    return found


def _at_ranks(ordered: Floats, ranks: Floats) -> Floats:
    n = ordered.shape[1]
    clipped = np.clip(ranks, 1.0, float(n))
    below = clipped.astype(int)
    rows = np.arange(len(ordered))
    low, high = ordered[rows, below - 1], ordered[rows, np.minimum(below, n - 1)]
    between: Floats = np.clip(low + (high - low) * (clipped - below), low, high)
    return between


def autoregressive(rng: np.random.Generator, phi: float, shape: tuple[int, int]) -> Floats:
    """Rows of AR(1) series with a variance of 1."""
    found = np.empty(shape)
    value = rng.normal(size=shape[0])
    for place in range(shape[1]):
        value = phi * value + math.sqrt(1 - phi * phi) * rng.normal(size=shape[0])
        found[:, place] = value
    return found
