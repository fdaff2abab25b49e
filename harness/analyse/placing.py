"""On which side of a change of latency a version lies, and how far the ends of the change are apart; pure.

All versions of a question are measured in one Run, in turns, so that the machine's drift cancels out of their ratios,
until it is decided (`plan/until_decided.py`); the intervals hold for all looks at once.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from harness.core.nouns import Decision
from harness.core.ratios import Ratio, RoundMedian, at_last_look, paired_ratio

Side = Literal["before", "after"]
# version → run_id → medians of its Rounds in that Run
Medians = Mapping[str, Mapping[str, Sequence[RoundMedian]]]
# Those for which `core/ratios.py` knows the levels of its looks.
_CONFIDENCES = (0.95, 0.98, 0.99)
_FOR_EYES = 0.95


def confidence_of_each(decisions: int) -> float:
    """How sure each of so many decisions has to be for all of them together to be 95 % sure, or the surest there is.

    Bonferroni's inequality: whatever depends on what. The surest is enough for five decisions: sixteen versions.
    """
    wanted = 1 - (1 - _FOR_EYES) / decisions
    return next((each for each in _CONFIDENCES if each >= wanted - 1e-9), _CONFIDENCES[-1])


def ratio_of(medians: Medians, before: str, after: str, run_id: str, confidence: float = _FOR_EYES) -> Ratio | None:
    """Latency of `after` ÷ that of `before` over the turns of that Run; None where they share none."""
    sides = [list(medians.get(version, {}).get(run_id, ())) for version in (before, after)]
    turns = sorted(set.intersection(*({one.turn for one in side} for side in sides)))
    seen = set(turns[: at_last_look(len(turns))] or turns)
    first, second = ([one for one in side if one.turn in seen] for side in sides)
    return paired_ratio(first, second, confidence, looked=True)


def differ(ratio: Ratio, threshold: float) -> bool:
    """Whether it is decided that they differ, and they do so by the threshold or more."""
    if ratio.low is None or ratio.high is None:
        return False
    return (ratio.low > 1 or ratio.high < 1) and abs(math.log(ratio.value)) >= math.log1p(threshold)


def is_settled(ratio: Ratio, threshold: float) -> bool:
    """Whether it is decided that they do not differ by the threshold or more."""
    if ratio.low is None or ratio.high is None:
        return False
    return 1 / (1 + threshold) < ratio.low and ratio.high < 1 + threshold


def to_place(ratio: Ratio, threshold: float, confidence: float) -> Decision:
    """What is to be decided of a version: whether it takes more or less than the geometric middle of the ends.

    `ratio` is the ends'. A noisy machine may have made it larger than it is, and then the middle might lie beyond both;
    so for it counts what lies half-way to the end of its interval that is nearest to 1. In shares of the lower end's
    latency; below 0 where the upper end is faster.
    """
    low, high = ratio.interval or (ratio.value, ratio.value)
    careful = math.sqrt(ratio.value * (low if ratio.value > 1 else high))
    least = max(careful, 1 + threshold) if ratio.value > 1 else min(careful, 1 / (1 + threshold))
    return Decision(kind="side", size=math.sqrt(least) - 1, confidence=confidence)


def placed(medians: Medians, ends: tuple[str, str], version: str, run_id: str, decision: Decision) -> Side | None:
    """The side of the version; None where it is not decided, or where the ends did not differ in that Run."""
    edge = 1 + decision.size
    sides = []
    for other in (version, ends[1]):
        found = ratio_of(medians, ends[0], other, run_id, decision.confidence)
        if found is None or found.low is None or found.high is None or found.low <= edge <= found.high:
            return None
        sides.append(found.low > edge)
    upper_is_slower = edge > 1
    if sides[1] != upper_is_slower:
        return None
    return "after" if sides[0] == upper_is_slower else "before"
