"""How many times as long one takes as the other, over Rounds: pure, standard library only.

What differs between fresh processes is invisible within one, so an interval is over Rounds and never over Samples. Two
sides measured in turn are compared in pairs, from which the machine's drift cancels out; two that were measured at
different times by Welch's interval. What a Round's own Samples leave open is a floor below which no
variance is believed: three Rounds that agree by luck are no surer than what they are made of.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from pydantic import Field

from harness.core.nouns import Decision, Frozen
from harness.core.statistics import LEAST_ROUNDS, effective_n, mean, median, t_quantile

# The looks of a sequential comparison, in pairs of Rounds. One in between is no look: each costs some certainty.
LOOKS = (3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50)
# What may go wrong over all looks together → what may go wrong at each of them: Pocock's constant level for
# Student's t, found by simulating 2,000,000 sequences of normal differences at those looks.
_AT_EACH_LOOK = {0.10: 0.015474, 0.05: 0.006891, 0.02: 0.002481, 0.01: 0.001154}
_SHARE_OF_SD = 1.2533  # a median's standard error ÷ a mean's, for normal values: sqrt(pi / 2)
_MAD_TO_SD = 1.4826
_MOST_NEEDED = 1000

Verdict = Literal["faster", "slower", "same", "undecided"]


class RoundMedian(Frozen):
    """A Round's median in any one unit."""

    turn: int = Field(description="the Round's number: Rounds of one Run with the same are of the same turn")
    value: float
    error: float = Field(description="standard error relative to the median, from the Round's own Samples alone")


@dataclass(frozen=True)
class Ratio:
    """`value` is the second ÷ the first. `low`, `high`: None where there are too few Rounds for an interval.

    `spread`: standard deviation of the logarithm that one Round more (or one pair) has. `looked`: whether the
    interval holds for all looks of a sequential comparison at once.
    """

    value: float
    low: float | None
    high: float | None
    rounds: int
    spread: float
    paired: bool
    looked: bool
    confidence: float

    @property
    def interval(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def method(self) -> str:
        how = "pairs of rounds" if self.paired else "rounds a side, measured at two times"
        first = "repeated confidence interval" if self.looked else "interval"
        return f"{self.confidence:.0%} {first}, Student's t on logarithms of {self.rounds} {how}"


def round_median(turn: int, samples: Sequence[float], step: float = 0.0) -> RoundMedian:
    """Of a Round's Samples in the order taken; their dependence makes the error larger. Raises ValueError on none.

    `step`: that of the clock, in the same unit: Samples that agree to the step agree no better than that.
    """
    middle = median(samples)
    spread = _MAD_TO_SD * median([abs(value - middle) for value in samples])
    error = _SHARE_OF_SD * spread / math.sqrt(effective_n(samples))
    error = math.hypot(error, step / math.sqrt(12)) / middle if middle > 0 else 0.0
    return RoundMedian(turn=turn, value=middle, error=error)


def paired_ratio(
    before: Sequence[RoundMedian], after: Sequence[RoundMedian], confidence: float = 0.95, looked: bool = False
) -> Ratio | None:
    """Of the Rounds whose turn both have; None where they share none, or a median is not above 0."""
    sides: list[Mapping[int, RoundMedian]] = [{one.turn: one for one in side} for side in (before, after)]
    pairs = [(sides[0][turn], sides[1][turn]) for turn in sorted(sides[0].keys() & sides[1].keys())]
    if not pairs or min(min(a.value, b.value) for a, b in pairs) <= 0:
        return None
    logs = [math.log(b.value / a.value) for a, b in pairs]
    within = mean([a.error**2 + b.error**2 for a, b in pairs])
    n = len(logs)
    variance = max(_variance(logs), within)
    return _ratio(logs, n, math.sqrt(variance / n), n - 1, (confidence, True, looked), math.sqrt(variance))


def unpaired_ratio(
    before: Sequence[RoundMedian], after: Sequence[RoundMedian], confidence: float = 0.95, alike: bool = False
) -> Ratio | None:
    """Of two sides that were measured at different times: what the machine was like then is in the ratio.

    Welch's interval with the degrees of freedom of Welch and Satterthwaite, rounded down. `alike`: both are the same
    point, whose Rounds vary alike, so that one variance is estimated from both (Student's interval).
    """
    if not before or not after or min(one.value for one in (*before, *after)) <= 0:
        return None
    logs = [[math.log(one.value) for one in side] for side in (before, after)]
    found = [
        max(_variance(side), mean([one.error**2 for one in told]))
        for side, told in zip(logs, (before, after), strict=True)
    ]
    fewest = min(map(len, logs))
    degrees = fewest - 1
    if alike and degrees > 0:
        freedoms = [len(side) - 1 for side in logs]
        degrees = sum(freedoms)
        found = [sum(each * free for each, free in zip(found, freedoms, strict=True)) / degrees] * 2
    shares = [variance / len(side) for variance, side in zip(found, logs, strict=True)]
    error_squared = sum(shares)
    if not alike and error_squared > 0 and degrees > 0:
        below = sum(share**2 / (len(side) - 1) for share, side in zip(shares, logs, strict=True))
        degrees = max(1, int(error_squared**2 / below))
    center = [mean(logs[1]) - mean(logs[0])]
    spread = math.sqrt(error_squared * fewest)
    return _ratio(center, fewest, math.sqrt(error_squared), degrees, (confidence, False, False), spread)


def verdict_of(ratio: Ratio, margin: float) -> Verdict:
    """`same`: the whole interval lies within 1 ÷ (1 + margin) and 1 + margin. `faster` is the second, below 1."""
    if ratio.low is None or ratio.high is None:
        return "undecided"
    if 1 / (1 + margin) < ratio.low and ratio.high < 1 + margin:
        return "same"
    if ratio.low > 1:
        return "slower"
    return "faster" if ratio.high < 1 else "undecided"


def is_decided(ratio: Ratio, decision: Decision) -> bool:
    """Whether the interval says enough; what it says is for whoever asked."""
    if ratio.low is None or ratio.high is None:
        return False
    edge = 1 + decision.size
    if decision.kind == "difference":
        return verdict_of(ratio, decision.size) != "undecided"
    if decision.kind == "regression":
        # Not as soon as it is slower at all: the interval is widest then, and what is half as slow would be an alarm.
        return ratio.high < edge or (ratio.low > 1 and ratio.value >= edge)
    return ratio.low > edge or ratio.high < edge


def is_regression(ratio: Ratio, threshold: float) -> bool:
    """Significance and size: the interval lies above 1, and a slowdown of `threshold` lies in it or below it."""
    return ratio.low is not None and ratio.high is not None and ratio.low > 1 and ratio.high >= 1 + threshold


def is_surely_beyond(ratio: Ratio, threshold: float) -> bool:
    """Whether the whole interval lies beyond the threshold: where what the machine was like at two times is in the
    ratio, nothing less is a regression."""
    return ratio.low is not None and ratio.low > 1 + threshold


def relative(medians: Sequence[RoundMedian], others: Sequence[Sequence[RoundMedian]]) -> list[RoundMedian]:
    """Each Round's median ÷ the geometric mean of the others' of the same turn: the machine's drift cancels out.

    Only turns that all have; without others, the medians as they are.
    """
    sides = [{one.turn: one for one in side} for side in others]
    found = []
    for one in medians:
        beside = [side[one.turn] for side in sides if one.turn in side and side[one.turn].value > 0]
        if len(beside) < len(sides):
            continue
        level = math.exp(mean([math.log(each.value) for each in beside])) if beside else 1.0
        error = math.sqrt(one.error**2 + sum(each.error**2 for each in beside) / max(1, len(beside)) ** 2)
        found.append(RoundMedian(turn=one.turn, value=one.value / level, error=error))
    return found


def rounds_needed(ratio: Ratio, margin: float) -> int | None:
    """About how many Rounds more each side needs for a verdict, if the ratio is what it seems to be.

    None where none is needed, or where a thousand would not do: so noisy, or so near the margin's end.
    """
    if verdict_of(ratio, margin) != "undecided":
        return None
    seen, edge = abs(math.log(ratio.value)), math.log(1 + margin)
    distance = max(seen, edge - seen)
    confidence = at_each_look(ratio.confidence) if ratio.looked else ratio.confidence

    def would_do(n: int) -> bool:
        return t_quantile(0.5 + confidence / 2, n - 1) * ratio.spread / math.sqrt(n) < distance

    least, most = max(LEAST_ROUNDS, ratio.rounds + 1), ratio.rounds + _MOST_NEEDED
    if not would_do(most):
        return None
    return bisect_left(range(least, most), True, key=would_do) + least - ratio.rounds


@lru_cache(maxsize=16)
def at_each_look(confidence: float) -> float:
    """The confidence at each look with which all looks together have this one. Raises ValueError for one not tabled.

    Repeated confidence intervals (Jennison and Turnbull 1989): whoever looks at every one of them and stops when he
    likes is wrong as seldom as `confidence` says. True rates for normal noise: see `tests/core/test_ratios.py`; for
    realistic noise `tests/core/test_false_alarms.py`.
    """
    found = _AT_EACH_LOOK.get(round(1 - confidence, 6))
    if found is None:
        offered = ", ".join(f"{1 - each:g}" for each in _AT_EACH_LOOK)
        raise ValueError(f"no levels are known for confidence {confidence}; there are {offered}")
    return 1 - found


def at_last_look(rounds: int) -> int:
    """The most pairs up to `rounds` at which one may look; 0 before the first."""
    return max((look for look in LOOKS if look <= rounds), default=0)


def _ratio(
    logs: Sequence[float], n: int, error: float, degrees: int, how: tuple[float, bool, bool], spread: float
) -> Ratio:
    confidence, paired, looked = how
    center = mean(logs)
    if n < LEAST_ROUNDS:
        return Ratio(math.exp(center), None, None, n, spread, paired, looked, confidence)
    half = t_quantile(0.5 + (at_each_look(confidence) if looked else confidence) / 2, degrees) * error
    return Ratio(
        math.exp(center), math.exp(center - half), math.exp(center + half), n, spread, paired, looked, confidence
    )


def _variance(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    center = mean(values)
    return math.fsum((value - center) ** 2 for value in values) / (len(values) - 1)
