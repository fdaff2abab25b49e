"""Hartigan's dip: how far a sample is from every distribution with one mode; pure.

The dip is the largest difference between the sample's distribution function and the nearest unimodal one. Of all
unimodal distributions the uniform one dips most, so its quantiles promise the false-alarm rate for every other, however
skewed or heavy-tailed (Hartigan and Hartigan 1985).
"""

import math
from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
LEAST_FOR_DIP = 10
MOST_FOR_DIP = 2000
# Quantiles of sqrt(n) * dip of n uniform values, simulated (2,000,000 samples each up to n = 100, then 1,000,000,
# 600,000, 300,000, 200,000). They agree with the published table of R's `diptest` within 1.5 %. The last two of 2,000
# came out as 0.8076 and 0.9152, by chance below those of 1,000, which stand there instead.
_LEVELS = (0.5, 0.1, 0.05, 0.01, 1e-3, 1e-4, 1e-5)
_QUANTILES = {
    10: (0.3092, 0.4126, 0.4415, 0.5042, 0.5717, 0.6201, 0.6748),
    20: (0.3281, 0.4348, 0.4703, 0.5396, 0.6200, 0.6847, 0.7361),
    50: (0.3455, 0.4587, 0.4967, 0.5729, 0.6635, 0.7401, 0.8098),
    100: (0.3547, 0.4714, 0.5109, 0.5897, 0.6851, 0.7693, 0.8320),
    200: (0.3616, 0.4808, 0.5212, 0.6029, 0.7007, 0.7821, 0.8375),
    500: (0.3680, 0.4888, 0.5301, 0.6142, 0.7167, 0.8069, 0.8842),
    1000: (0.3713, 0.4931, 0.5347, 0.6204, 0.7243, 0.8115, 0.9174),
    2000: (0.3736, 0.4963, 0.5388, 0.6246, 0.7317, 0.8115, 0.9174),
}


def dip(values: _Floats) -> float:
    """The dip of distinct values, between 1 / 2n and 1 / 4. Raises ValueError for fewer than two, or for equal ones.

    The interval of the mode is narrowed until the convex minorant before it and the concave majorant behind it fit the
    sample as closely as anything between them could.
    """
    x = np.sort(values)
    if len(x) < 2 or np.any(np.diff(x) <= 0):
        raise ValueError("the dip is of two or more distinct values")
    low, high, worst = 0, len(x) - 1, 1.0  # `worst` in steps of the distribution function, twice the dip
    while low < high:
        place = np.arange(low, high + 1)
        below, above = _hull(x, low, high, 1), _hull(x, low, high, -1)
        # A step begins at its index and ends one higher: the minorant goes under the steps, the majorant over them.
        under, over = np.interp(x[place], x[below], below), np.interp(x[place], x[above], above) + 1
        from_above, from_below = above + 1 - under[above - low], over[below - low] - below
        apart = max(float(from_above.max()), float(from_below.max()))
        if apart <= worst:
            break
        if from_above.max() >= from_below.max():
            new_high = int(above[from_above.argmax()])
            new_low = int(below[below <= new_high][-1])
        else:
            new_low = int(below[from_below.argmax()])
            new_high = int(above[above >= new_low][0])
        before, behind = place <= new_low, place >= new_high
        worst = max(worst, float((place + 1 - under)[before].max()), float((over - place)[behind].max()))
        if (new_low, new_high) == (low, high):
            break
        low, high = new_low, new_high
    return worst / (2 * len(x))


def dip_quantile(n: float, confidence: float) -> float:
    """What sqrt(n) * dip of `n` unimodal values exceeds in at most `1 - confidence` of samples.

    From the next larger n of the table, whose quantiles are larger; between its levels, and beyond the last, the
    logarithm of the level falls with the square of the quantile.
    """
    sizes = list(_QUANTILES)
    row = _QUANTILES[sizes[min(bisect_left(sizes, n), len(sizes) - 1)]]
    levels = [-math.log(level) for level in _LEVELS]
    wanted = -math.log(max(1 - confidence, 1e-300))
    at = min(max(bisect_left(levels, wanted), 1), len(levels) - 1)
    share = (wanted - levels[at - 1]) / (levels[at] - levels[at - 1])
    return math.sqrt(max(0.0, row[at - 1] ** 2 + share * (row[at] ** 2 - row[at - 1] ** 2)))


def _hull(x: _Floats, low: int, high: int, side: int) -> NDArray[np.int64]:
    """Indices of the corners of the greatest convex minorant (side 1) or least concave majorant (-1) of (x[i], i)."""
    corners: list[int] = []
    at = x.tolist()
    for i in range(low, high + 1):
        while len(corners) > 1:
            a, b = corners[-2], corners[-1]
            if side * ((b - a) * (at[i] - at[b]) - (i - b) * (at[b] - at[a])) < 0:
                break
            corners.pop()
        corners.append(i)
    return np.array(corners)
