"""On which side of a change of latency a version lies, by what was taken in turns."""

import pytest

from harness.analyse.placing import confidence_of_each, differ, is_settled, placed, ratio_of, to_place
from harness.core.ratios import Ratio, RoundMedian

ENDS = ("1", "9")
# Turns of a machine that wanders by a half; what is divided in the same turn does not feel it.
_DRIFT = (1.0, 1.5, 0.8, 1.2, 0.9, 1.4)


def medians(**levels: float) -> dict[str, dict[str, list[RoundMedian]]]:
    """Version (`v1`) → its Rounds in Run `r`, each off by up to 1 %."""
    found = {}
    for place, (name, level) in enumerate(levels.items()):
        noise = [1 + 0.01 * ((turn * 3 + place * 5) % 7 - 3) / 3 for turn in range(len(_DRIFT))]
        values = [level * drift * off for drift, off in zip(_DRIFT, noise, strict=True)]
        found[name[1:]] = {"r": [RoundMedian(turn=t, value=v, error=0.002) for t, v in enumerate(values, 1)]}
    return found


def of_ends(value: float, low: float, high: float) -> Ratio:
    return Ratio(value, low, high, 6, 0.01, paired=True, looked=True, confidence=0.99)


@pytest.mark.parametrize(
    ("upper", "middle", "side"),
    [(12, 10, "before"), (12, 12, "after"), (8, 10, "before"), (8, 8, "after"), (12, 30, "after"), (12, 5, "before")],
)
def test_a_version_is_like_the_end_on_whose_side_of_the_middle_it_lies(upper: float, middle: float, side: str) -> None:
    taken = medians(v1=10, v5=middle, v9=upper)
    ratio = ratio_of(taken, *ENDS, "r", 0.99)
    assert ratio is not None and differ(ratio, 0.05)
    assert placed(taken, ENDS, "5", "r", to_place(ratio, 0.05, 0.99)) == side


def test_on_the_middle_it_is_not_decided() -> None:
    decision = to_place(of_ends(1.2, 1.2, 1.2), 0.05, 0.99)
    assert decision.size == pytest.approx(1.2**0.5 - 1)
    assert placed(medians(v1=10, v5=10 * 1.2**0.5, v9=12), ENDS, "5", "r", decision) is None


def test_ends_that_do_not_differ_in_that_run_place_nothing() -> None:
    decision = to_place(of_ends(1.2, 1.15, 1.25), 0.05, 0.99)
    assert placed(medians(v1=10, v5=12, v9=10), ENDS, "5", "r", decision) is None
    assert placed(medians(v1=10, v5=12), ENDS, "5", "r", decision) is None
    assert placed(medians(v1=10, v5=12, v9=12), ENDS, "5", "another run", decision) is None


def test_of_a_wide_interval_the_nearer_part_counts_and_never_less_than_the_threshold() -> None:
    """Half-way from 2.25 to 1 is 1.5, whose middle is the root of it; of a ratio below 1 likewise."""
    assert to_place(of_ends(2.25, 1.0, 3.5), 0.05, 0.99).size == pytest.approx(1.5**0.5 - 1)
    assert to_place(of_ends(1.1, 1.0, 1.7), 0.0609, 0.99).size == pytest.approx(0.03)
    assert to_place(of_ends(0.64, 0.3, 1.0), 0.05, 0.99).size == pytest.approx(0.8**0.5 - 1)


def test_a_difference_is_decided_and_as_large_as_the_threshold() -> None:
    assert differ(of_ends(1.2, 1.1, 1.3), 0.05) and differ(of_ends(0.8, 0.7, 0.9), 0.05)
    assert not differ(of_ends(1.2, 0.99, 1.4), 0.05) and not differ(of_ends(1.03, 1.01, 1.05), 0.05)
    assert is_settled(of_ends(1.03, 1.01, 1.04), 0.05) and not is_settled(of_ends(1.03, 1.0, 1.06), 0.05)


@pytest.mark.parametrize(("decisions", "confidence"), [(1, 0.95), (2, 0.98), (3, 0.99), (5, 0.99), (9, 0.99)])
def test_all_decisions_together_are_to_be_sure(decisions: int, confidence: float) -> None:
    assert confidence_of_each(decisions) == confidence
