"""Ratios over Rounds: by hand, and what their intervals promise, by seeded simulation."""

import math
import random

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.nouns import Decision
from harness.core.ratios import (
    LOOKS,
    Ratio,
    RoundMedian,
    at_each_look,
    at_last_look,
    is_decided,
    is_regression,
    is_surely_beyond,
    paired_ratio,
    relative,
    round_median,
    rounds_needed,
    unpaired_ratio,
    verdict_of,
)
from harness.core.statistics import t_quantile
from tests.core.vectorised import Floats, paired_intervals


def rounds(*values: float, error: float = 0.0) -> list[RoundMedian]:
    return [RoundMedian(turn=turn, value=value, error=error) for turn, value in enumerate(values, 1)]


def some(low: float, high: float, **changes: float) -> Ratio:
    fields = {"value": math.sqrt(low * high), "rounds": 5, "spread": 0.02, "confidence": 0.95, **changes}
    return Ratio(**fields, low=low, high=high, paired=True, looked=False)  # type: ignore[arg-type]


def test_a_paired_ratio_by_hand() -> None:
    # Ratios e^0.1, e^0.2, e^0.3: mean 0.2, standard deviation 0.1, so 0.2 ± 4.3027 · 0.1 / sqrt(3).
    found = paired_ratio(rounds(1, 1, 1), rounds(math.exp(0.1), math.exp(0.2), math.exp(0.3)))
    assert found is not None and found.interval is not None
    half = 4.30265 * 0.1 / math.sqrt(3)
    assert found.value == pytest.approx(math.exp(0.2))
    assert found.interval == pytest.approx((math.exp(0.2 - half), math.exp(0.2 + half)), rel=1e-5)


def test_only_turns_that_both_have_make_pairs() -> None:
    late = [one.model_copy(update={"turn": one.turn + 1}) for one in rounds(2, 4, 6)]
    found = paired_ratio(rounds(9, 1, 2), late)
    assert found is not None and found.rounds == 2 and found.value == pytest.approx(2) and found.interval is None
    assert paired_ratio(rounds(1), []) is None
    assert paired_ratio(rounds(1, 0, 1), rounds(1, 1, 1)) is None


def test_rounds_that_agree_by_luck_are_no_surer_than_their_samples() -> None:
    """Three equal ratios have no variance; what the Rounds' own samples leave open stays."""
    found = paired_ratio(rounds(1, 1, 1, error=0.03), rounds(2, 2, 2, error=0.04))
    assert found is not None and found.low is not None
    # Errors of 3 % and 4 % make 5 % of each pair.
    assert math.log(2 / found.low) == pytest.approx(4.30265 * 0.05 / math.sqrt(3), rel=1e-5)


def test_welch_by_hand() -> None:
    # Sides of variances 0.01 (n = 4) and 0.04 (n = 3): error² = 0.0025 + 0.01333; degrees (Welch–Satterthwaite)
    # 0.015833² / (0.0025² / 3 + 0.013333² / 2) = 2.76, rounded down 2.
    a = [-0.1, 0.1, -0.1, 0.1]
    spread_a = 0.1 * math.sqrt(4 / 3)
    b = [0.5 - 0.2, 0.5, 0.5 + 0.2]
    found = unpaired_ratio(rounds(*(math.exp(x * 0.1 / spread_a) for x in a)), rounds(*map(math.exp, b)))
    assert found is not None and found.high is not None
    assert found.value == pytest.approx(math.exp(0.5))
    assert math.log(found.high) - 0.5 == pytest.approx(4.30265 * math.sqrt(0.0025 + 0.04 / 3), rel=1e-4)


def test_the_same_point_has_one_variance() -> None:
    # Pooled: (3 · 0.01 + 2 · 0.04) / 5 = 0.022; error² = 0.022 · (1/4 + 1/3); 5 degrees: t = 2.5706.
    a = [x * 0.1 / (0.1 * math.sqrt(4 / 3)) for x in (-0.1, 0.1, -0.1, 0.1)]
    found = unpaired_ratio(rounds(*map(math.exp, a)), rounds(*map(math.exp, (-0.2, 0.0, 0.2))), alike=True)
    assert found is not None and found.high is not None
    assert math.log(found.high) == pytest.approx(2.5706 * math.sqrt(0.022 * 7 / 12), rel=1e-4)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.03, 1.08, "slower"),
        (0.90, 0.95, "faster"),
        (0.985, 1.015, "same"),
        (1.001, 1.015, "same"),  # slower, and by less than anybody asked for
        (0.97, 1.01, "undecided"),
        (1.01, 1.03, "slower"),
        (1 / 1.02, 1.01, "undecided"),  # an end is not within
    ],
)
def test_verdicts(low: float, high: float, verdict: str) -> None:
    ratio = some(low, high)
    assert verdict_of(ratio, 0.02) == verdict
    assert is_decided(ratio, Decision(kind="difference", size=0.02)) == (verdict != "undecided")


def test_a_regression_is_significant_and_as_large_as_asked() -> None:
    assert is_regression(some(1.02, 1.15), 0.10)
    assert not is_regression(some(1.02, 1.08), 0.10)  # real, and smaller
    assert not is_regression(some(0.99, 1.20), 0.10)
    assert is_surely_beyond(some(1.11, 1.30), 0.10) and not is_surely_beyond(some(1.09, 1.30), 0.10)
    gate = Decision(kind="regression", size=0.10)
    assert is_decided(some(1.05, 1.20), gate) and is_decided(some(0.9, 1.05), gate)
    assert not is_decided(some(0.99, 1.30), gate)
    assert not is_decided(some(1.02, 1.12), gate)  # slower; whether by so much is not known yet
    side = Decision(kind="side", size=0.10)
    assert [is_decided(some(*ends), side) for ends in ((1.11, 1.2), (1.0, 1.09), (1.05, 1.15))] == [True, True, False]


def test_how_many_rounds_more_are_those_that_decide() -> None:
    """5 % with a spread of 4 %: with n pairs the half-width is t · 4 % / sqrt(n), which must fall below log 1.05."""
    ratio = some(0.98, 1.125, value=1.05, rounds=5, spread=0.04)
    more = rounds_needed(ratio, 0.02)
    assert more is not None
    halves = [t_quantile(0.975, n - 1) * 0.04 / math.sqrt(n) for n in (5 + more - 1, 5 + more)]
    assert halves[1] < math.log(1.05) <= halves[0]
    assert rounds_needed(some(1.03, 1.08), 0.02) is None


def test_beside_what_drifts_alike_nothing_has_drifted() -> None:
    drift = [1.0, 1.3, 0.8]
    found = relative(rounds(*(2 * each for each in drift)), [rounds(*drift), rounds(*(4 * each for each in drift))])
    assert [one.value for one in found] == pytest.approx([1, 1, 1])  # 2 ÷ sqrt(1 · 4)
    assert relative(rounds(1, 2), []) == rounds(1, 2)
    assert [one.turn for one in relative(rounds(1, 2, 3), [rounds(1, 2)])] == [1, 2]


def test_a_rounds_error_knows_its_samples_are_alike() -> None:
    rng = random.Random(5)
    independent = [10 + rng.gauss(0, 0.1) for _ in range(400)]
    alike = [value for value in independent[:40] for _ in range(10)]
    # A normal sample's median has a standard error of 1.2533 sd / sqrt(n): 0.0627 of 10 ms here.
    assert round_median(1, independent).error == pytest.approx(1.2533 * 0.01 / 20, rel=0.4)
    assert round_median(1, alike).error > 2 * round_median(1, independent).error


def test_samples_that_agree_to_the_clocks_step_agree_no_better() -> None:
    samples = [100.0] * 7 + [101.0] * 5
    assert round_median(1, samples).error == 0
    assert round_median(1, samples, step=1.0).error == pytest.approx(1 / math.sqrt(12) / 100)


def test_hopeless_noise_is_told_at_once() -> None:
    assert rounds_needed(some(0.3, 3.4, value=1.01, rounds=3, spread=0.5), 0.02) is None


def test_looks_are_few_and_the_levels_known() -> None:
    assert [at_last_look(n) for n in (2, 3, 7, 8, 1000)] == [0, 3, 6, 8, LOOKS[-1]]
    assert at_each_look(0.95) == pytest.approx(0.993109)
    with pytest.raises(ValueError, match="no levels are known"):
        at_each_look(0.97)


@pytest.mark.parametrize("confidence", [0.95, 0.98])
def test_whoever_stops_when_he_likes_is_wrong_as_seldom_as_he_is_told(confidence: float) -> None:
    """True ratio 1, looked at until it is decided or there are 50 pairs: 3,000 sequences, so ± 0.4 points (1 sd)."""
    rng = np.random.default_rng(11)
    before, after = np.exp(rng.normal(0, 0.02, size=(2, 3000, LOOKS[-1])))
    wrong, naive = (
        np.any([_exclude_one(before[:, :n], after[:, :n], confidence, looked) for n in LOOKS], axis=0)
        for looked in (True, False)
    )
    assert (1 - confidence) * 0.7 < wrong.mean() < (1 - confidence) + 0.012
    assert naive.mean() > 2.5 * (1 - confidence)  # what the allowance is for


def _exclude_one(before: Floats, after: Floats, confidence: float, looked: bool) -> NDArray[np.bool_]:
    low, high = paired_intervals(before, after, confidence, looked)
    return (low > 1) | (high < 1)


@pytest.mark.parametrize("looked", [True, False])
def test_the_vectorised_twin_says_what_the_scalar_code_says(looked: bool) -> None:
    before, after = np.exp(np.random.default_rng(3).normal(0, 0.1, size=(2, 50, 20)))
    for n in (3, 8, 20):
        low, high = paired_intervals(before[:, :n], after[:, :n], 0.95, looked)
        for row in range(len(before)):
            found = paired_ratio(rounds(*before[row, :n]), rounds(*after[row, :n]), 0.95, looked)
            assert found is not None and found.interval == pytest.approx((low[row], high[row]), rel=1e-9)


@pytest.mark.parametrize("alike", [True, False])
def test_two_times_are_covered_where_the_machine_was_the_same(alike: bool) -> None:
    """Sides of 3 and 6 Rounds, and for Welch of different spreads. 2,000 each: ± 0.5 points (1 sd)."""
    rng = random.Random(12)
    covered = 0
    for _ in range(2000):
        a = rounds(*(math.exp(rng.gauss(0, 0.03)) for _ in range(3)))
        b = rounds(*(1.1 * math.exp(rng.gauss(0, 0.03 if alike else 0.01)) for _ in range(6)))
        found = unpaired_ratio(a, b, alike=alike)
        assert found is not None and found.low is not None and found.high is not None
        covered += found.low <= 1.1 <= found.high
    assert 0.93 < covered / 2000 < 0.99


def _wandering(rng: random.Random, turns: int) -> Ratio:
    """Two sides whose ratio is 1.3, on a machine whose speed differs from turn to turn far more than they do."""
    levels = [rng.lognormvariate(0, 0.2) for _ in range(turns)]
    before, after = (rounds(*(level * ratio * rng.lognormvariate(0, 0.05) for level in levels)) for ratio in (1.0, 1.3))
    found = paired_ratio(before, after)
    assert found is not None and found.low is not None
    return found


@pytest.mark.parametrize("turns", [3, 5, 10])
def test_coverage_of_a_ratio_on_a_machine_that_wanders(turns: int) -> None:
    rng = random.Random(f"ratio {turns}")
    found = [_wandering(rng, turns) for _ in range(3000)]
    hits = sum(one.interval is not None and one.interval[0] <= 1.3 <= one.interval[1] for one in found)
    assert 0.93 <= hits / 3000 <= 0.97


def test_pairs_see_what_the_wandering_hides() -> None:
    """A thousand times: how often 30 % are seen in five turns."""
    rng = random.Random("seen")
    assert sum(verdict_of(_wandering(rng, 5), 0.02) == "slower" for _ in range(1000)) > 950
