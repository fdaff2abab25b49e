"""What is odd inside one Round, from its Samples in the order taken: two modes, or a drift; pure.

What each promises is proved by seeded simulation in `tests/analyse/test_within.py`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analyse.dip import LEAST_FOR_DIP, MOST_FOR_DIP, dip, dip_quantile
from harness.core.statistics import effective_n, t_quantile

_Floats = NDArray[np.float64]
# Modes nearer than this are two ways through the same code, not something to look into; of fewer Samples than this
# share on one side nobody would say that a Round has two speeds: those are its tail.
MODES_APART = 1.05
_LEAST_SHARE = 0.05
# The twin loops call two windows of the warm-up that differ by less the same.
DRIFT_SHARE = 0.05
_MOST_BLOCKS = 24
_LEAST_BLOCKS = 6
_INDEPENDENT_PER_BLOCK = 4


@dataclass(frozen=True)
class Modes:
    """Two speeds in one Round: their medians in the Samples' unit, and the share of Samples at the slower one."""

    fast: float
    slow: float
    slow_share: float

    @property
    def ratio(self) -> float:
        return self.slow / self.fast


@dataclass(frozen=True)
class Drift:
    """How many times as long a run takes at the end of the Round as at its beginning, with an interval."""

    ratio: float
    low: float
    high: float


def why_no_modes(samples: Sequence[float]) -> str | None:
    """Why nothing can be said about modes, in words; None where it can."""
    independent = effective_n(_thinned(samples)) if samples else 0
    if independent < LEAST_FOR_DIP:
        return f"too few independent samples: {len(samples)} are worth {independent:.0f} of {LEAST_FOR_DIP}"
    return None


def two_modes(samples: Sequence[float], confidence: float) -> Modes | None:
    """Two separate modes, at least 5 % apart and each with 5 % of the Samples; None: nothing speaks for them.

    Hartigan's dip of the logarithms against the quantiles of the uniform distribution, with the effective number of
    Samples for n. Values that a coarse clock made equal are spread over its step first.

    False alarms at confidence 0.95 (400 simulated Rounds each, n = 40 … 400): uniform 2.0 %, exponential 0.5 %,
    lognormal and Student's t with three degrees below 0.3 %, a clock of 50 steps and AR(1) with phi = 0.5 … 0.95 none.
    Found: two modes 10 % apart with 1 % noise 99 % with 100 Samples; 30 % apart with 5 % noise 50 % with 100 Samples
    and 99 % with 400. A Round that changes its speed only some ten times has too few independent Samples to be told
    from one that wanders.
    """
    taken = _thinned(samples)
    independent = effective_n(taken)
    if independent < LEAST_FOR_DIP or min(taken) <= 0:
        return None
    logs = np.log(_spread_ties(np.sort(np.asarray(taken, dtype=np.float64))))
    if np.any(np.diff(logs) <= 0) or math.sqrt(independent) * dip(logs) <= dip_quantile(independent, confidence):
        return None
    cut = _between(logs)
    fast, slow = math.exp(float(np.median(logs[:cut]))), math.exp(float(np.median(logs[cut:])))
    return Modes(fast, slow, 1 - cut / len(logs)) if slow / fast >= MODES_APART else None


def why_no_drift(samples: Sequence[float]) -> str | None:
    """Why nothing can be said about drift, in words; None where it can."""
    least = _LEAST_BLOCKS * _INDEPENDENT_PER_BLOCK
    if len(samples) < least:
        return f"too few samples: {len(samples)} of {least}"
    if (blocks := _blocks(samples)) < _LEAST_BLOCKS:
        return f"too few independent samples: {len(samples)} make {blocks} of {_LEAST_BLOCKS} blocks"
    return None


def drift(samples: Sequence[float], confidence: float) -> Drift | None:
    """A rise or fall whose interval lies wholly beyond 5 %; None: there is none, or it is not sure.

    Student's t for the slope through the logarithms of the medians of up to 24 blocks in a row. A block is so long that
    it is worth four independent Samples, so that blocks hardly depend on each other; how much neighbours do is taken
    from differences, which neither a drift nor a step moves.

    False alarms at confidence 0.95 (400 simulated Rounds each, n = 40 … 400): AR(1) with phi = 0, 0.5, 0.8, 0.9 below
    0.3, 0.8, 1.3, 2.8 %, with 0.95 5.3 %; exponential 1.8 %. At 0.995 with 0.9 up to 0.5 %, but with 0.95 2.3 %. A
    Round that wanders by 10 % under 10 % of white noise has really another speed at its end: 27 %. Found: a rise of
    20 % with 5 % noise 96 % with 100 Samples; a step of 30 % half way with 3 % noise 96 %.
    """
    blocks = _blocks(samples)
    if blocks < _LEAST_BLOCKS or min(samples) <= 0:
        return None
    parts = np.array_split(np.log(np.asarray(samples, dtype=np.float64)), blocks)
    medians = np.array([float(np.median(part)) for part in parts])
    at = np.arange(blocks) - (blocks - 1) / 2
    spread = float(np.sum(at**2))
    slope = float(np.sum(at * medians)) / spread
    residuals = medians - medians.mean() - slope * at
    error = math.sqrt(float(np.sum(residuals**2)) / (blocks - 2) / spread)
    change, half = slope * (blocks - 1), t_quantile(0.5 + confidence / 2, blocks - 2) * error * (blocks - 1)
    least = math.log1p(DRIFT_SHARE)
    if change - half <= least and change + half >= -least:
        return None
    return Drift(math.exp(change), math.exp(change - half), math.exp(change + half))


def _blocks(samples: Sequence[float]) -> int:
    """How many blocks of four independent Samples there are, at most 24.

    Of an AR(1) process the squares of differences two apart and one apart are as 1 + phi to 1.
    """
    n = len(samples)
    if n < _LEAST_BLOCKS * _INDEPENDENT_PER_BLOCK or min(samples) <= 0:
        return 0
    logs = np.log(np.asarray(samples, dtype=np.float64))
    one, two = np.median(np.abs(logs[1:] - logs[:-1])), np.median(np.abs(logs[2:] - logs[:-2]))
    phi = min(max(float(two / one) ** 2 - 1, 0.0), 0.99) if one > 0 else 0.0
    return min(_MOST_BLOCKS, int(n * (1 - phi) / (1 + phi)) // _INDEPENDENT_PER_BLOCK)


def _thinned(samples: Sequence[float]) -> Sequence[float]:
    return samples[:: math.ceil(len(samples) / MOST_FOR_DIP)] if len(samples) > MOST_FOR_DIP else samples


def _spread_ties(ordered: _Floats) -> _Floats:
    """Equal values spread evenly over the smallest step between different ones: what the clock rounded away."""
    values, counts = np.unique(np.round(ordered, 9), return_counts=True)
    if len(values) == len(ordered) or len(values) < 2:
        return ordered
    step = float(np.min(np.diff(values)))
    within = np.concatenate([(np.arange(count) + 0.5) / count - 0.5 for count in counts])
    return np.repeat(values, counts) + step * within


def _between(ordered: _Floats) -> int:
    """How many values belong to the lower of two groups: the cut with the least spread within both (Otsu)."""
    n = len(ordered)
    edge = max(1, math.ceil(_LEAST_SHARE * n))
    cuts = np.arange(edge, n - edge + 1)
    sums = np.cumsum(ordered)
    lower, upper = sums[cuts - 1] / cuts, (sums[-1] - sums[cuts - 1]) / (n - cuts)
    return int(cuts[np.argmax(cuts * (n - cuts) * (upper - lower) ** 2)])
