"""On which side of a change of latency a version lies: decided over turns that it shared with both ends; pure.

In each turn (one Run's n-th Round of every version) all were measured shortly after one another, so that the machine's
drift, which falls on all of a turn alike, cancels out in their ratios.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.core.statistics import ratio_interval

Side = Literal["before", "after"]
Turn = tuple[str, int]  # run_id, number of the Round
# version → turn → median latency of its Round in that turn, in milliseconds
Turns = Mapping[str, Mapping[Turn, float]]
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """How many times as long, its 95 % interval for eyes, and the wider one that decides: it is one of several
    decisions, whose errors add up."""

    ratio: float
    ci95: tuple[float, float]
    deciding: tuple[float, float]
    turns: int

    def beyond(self, threshold: float) -> bool:
        """Whether it differs by more than noise, and by the threshold or more."""
        low, high = self.deciding
        return (low > 1 or high < 1) and abs(math.log(self.ratio)) >= math.log1p(threshold)

    def within(self, threshold: float) -> bool:
        """Whether it is decided that it does not differ by the threshold."""
        return 1 / (1 + threshold) < self.deciding[0] and self.deciding[1] < 1 + threshold


def ratio_of(turns: Turns, before: str, after: str, decisions: int) -> Ratio | None:
    """Latency of `after` ÷ that of `before`; None below three shared turns. `decisions`: how many are made in all."""
    shared = _shared(turns, (before, after))
    return _ratio([turns[before][turn] for turn in shared], [turns[after][turn] for turn in shared], decisions)


def placed(turns: Turns, ends: tuple[str, str], version: str, decisions: int) -> Side | None:
    """On which side of the ends' geometric middle the version lies; None where that is not decided.

    The middle is taken turn by turn, so the noise of the ends is in the interval as well.
    """
    shared = _shared(turns, (*ends, version))
    middles = [math.sqrt(turns[ends[0]][turn] * turns[ends[1]][turn]) for turn in shared]
    found = _ratio(middles, [turns[version][turn] for turn in shared], decisions)
    whole = ratio_of(turns, *ends, decisions)
    if found is None or whole is None or found.deciding[0] <= 1 <= found.deciding[1]:
        return None
    return "after" if (found.ratio > 1) == (whole.ratio > 1) else "before"


def _shared(turns: Turns, versions: Sequence[str]) -> list[Turn]:
    each = [set(turns.get(version, ())) for version in versions]
    return sorted(set.intersection(*each))


def _ratio(before: Sequence[float], after: Sequence[float], decisions: int) -> Ratio | None:
    usual = ratio_interval(before, after, _CONFIDENCE) if before else None
    # Bonferroni's inequality: whatever depends on what, all decisions together are wrong no more often than one at 95 %.
    strict = ratio_interval(before, after, 1 - (1 - _CONFIDENCE) / decisions) if before else None
    if usual is None or strict is None:
        return None
    return Ratio(usual[0], usual[1:], strict[1:], len(before))
