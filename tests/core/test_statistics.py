"""Textbook numbers, exact binomials, properties, and the coverage that the docstrings promise, by seeded simulation."""

import math
import random
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core import statistics as stats
from tests.core.vectorised import Floats, autoregressive, effective_n, median_intervals, rounds_intervals

FINITE = st.floats(min_value=-1e12, max_value=1e12, allow_nan=False)
VALUES = st.lists(FINITE, min_size=1, max_size=60)


def test_quantile_type_7_of_the_textbook() -> None:
    # Hyndman and Fan's type 7: rank 1 + (n - 1) q. For 1 … 4 and q = 1/4 that is 1.75, so 1.75.
    assert stats.quantile([4, 1, 3, 2], 0.25) == 1.75
    assert stats.median([3, 1, 2]) == 2
    assert stats.median([4, 1, 3, 2]) == 2.5
    # Deviations from the median 2 are 1 1 0 0 2 4 7: their middle is 1.
    assert stats.mad([1, 1, 2, 2, 4, 6, 9]) == 1


@given(VALUES, st.floats(0, 1), st.floats(0, 1))
def test_quantile_grows_with_q_and_stays_inside(values: list[float], a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert min(values) <= stats.quantile(values, low) <= stats.quantile(values, high) <= max(values)


@given(VALUES, st.randoms())
def test_median_does_not_care_for_order(values: list[float], rng: random.Random) -> None:
    shuffled = list(values)
    rng.shuffle(shuffled)
    assert stats.median(shuffled) == stats.median(values)


@pytest.mark.parametrize("q", [-0.1, 1.1])
def test_quantile_refuses(q: float) -> None:
    with pytest.raises(ValueError, match="outside"):
        stats.quantile([1.0], q)
    with pytest.raises(ValueError, match="no values"):
        stats.quantile([], 0.5)


@pytest.mark.parametrize("q", [0.5, 0.9, 0.95, 0.99, 0.1])
def test_percentile_supported_is_the_exact_tail(q: float) -> None:
    far = max(Fraction(str(q)), 1 - Fraction(str(q)))
    least = next(n for n in range(1, 1000) if far**n <= Fraction(25, 1000))
    assert not stats.percentile_supported(least - 1, q)
    assert stats.percentile_supported(least, q)


def test_percentiles_that_people_ask_for() -> None:
    assert not stats.percentile_supported(20, 0.99)
    assert [stats.percentile_supported(n, 0.95) for n in (71, 72)] == [False, True]


@pytest.mark.parametrize(
    ("probability", "degrees", "expected"),
    # Any printed t table.
    [
        (0.975, 1, 12.706),
        (0.975, 2, 4.303),
        (0.975, 4, 2.776),
        (0.975, 9, 2.262),
        (0.95, 5, 2.015),
        (0.995, 30, 2.750),
    ],
)
def test_t_quantile_of_the_table(probability: float, degrees: int, expected: float) -> None:
    assert stats.t_quantile(probability, degrees) == pytest.approx(expected, abs=6e-4)


def test_t_quantile_of_two_degrees_is_exact() -> None:
    # With two degrees the quantile has a closed form: x = a / sqrt(2 p (1 - p)), a = 2 p - 1.
    for p in (0.6, 0.9, 0.975, 0.9995):
        assert stats.t_quantile(p, 2) == pytest.approx((2 * p - 1) / math.sqrt(2 * p * (1 - p)), rel=1e-12)
    with pytest.raises(ValueError, match="no t quantile"):
        stats.t_quantile(1.0, 3)


def _exact_half_width(n: int) -> float:
    """Hettmansperger–Sheather with exact fractions: gamma(k) = 1 - 2 P(Binomial(n, 1/2) < k)."""

    # P(X < k) for k = 0 … n/2 + 1
    below = list(accumulate((math.comb(n, i) for i in range(n // 2 + 1)), initial=0))

    def gamma(k: int) -> Fraction:
        return 1 - 2 * Fraction(below[k], 2**n)

    wanted = Fraction(95, 100)
    k = max(k for k in range(1, n // 2 + 1) if gamma(k) >= wanted)
    share = (gamma(k) - wanted) / (gamma(k) - gamma(k + 1))
    step = (n - k) * share / (k + (n - 2 * k) * share)
    return float(Fraction(n + 1, 2) - (k + step))


@pytest.mark.parametrize("n", [6, 7, 10, 20, 101, 1000, 1001, 1500])
def test_interval_is_hettmansperger_sheather(n: int) -> None:
    # Alternating far sides of the median: no positive autocorrelation, so nothing is widened.
    ordered = [float(value) for value in range(1, n + 1)]
    samples = [value for pair in zip(ordered, ordered[::-1], strict=True) for value in pair][:n]
    assert stats.effective_n(samples) == n
    found = stats.median_interval(samples)
    half = _exact_half_width(n)
    assert found == pytest.approx(((n + 1) / 2 - half, (n + 1) / 2 + half), rel=1e-9)


@given(st.lists(FINITE, max_size=5))
def test_no_interval_below_six(values: list[float]) -> None:
    assert stats.median_interval(values) is None


@given(st.lists(FINITE, min_size=6, max_size=60))
def test_interval_holds_the_median_and_grows_with_confidence(values: list[float]) -> None:
    wide, narrow = stats.median_interval(values, 0.95), stats.median_interval(values, 0.8)
    assert wide is not None
    assert narrow is not None
    assert min(values) <= wide[0] <= narrow[0] <= stats.median(values) <= narrow[1] <= wide[1] <= max(values)


@given(VALUES)
def test_effective_n_is_between_one_and_n(values: list[float]) -> None:
    assert 1 <= stats.effective_n(values) <= len(values)


def test_a_drift_counts_as_few_samples() -> None:
    assert stats.effective_n([float(i) for i in range(300)]) < 6


def test_many_equal_samples_of_a_coarse_clock() -> None:
    assert stats.median_interval([5.0] * 40) == (5.0, 5.0)


def test_rounds_interval_by_hand() -> None:
    # Logs 0, 1, 2: mean 1, standard deviation 1, t of two degrees 4.302653 over sqrt(3).
    found = stats.rounds_interval([1.0, math.e, math.e**2])
    assert found is not None
    half = 4.302653 / math.sqrt(3)
    assert [math.log(value) for value in found] == pytest.approx([1, 1 - half, 1 + half], abs=1e-6)
    assert stats.rounds_interval([1.0, 2.0]) is None
    assert stats.rounds_interval([1.0, 2.0, 0.0]) is None


@given(st.lists(st.floats(1e-3, 1e6), min_size=3, max_size=12), st.floats(0.01, 100))
def test_rounds_interval_scales_with_its_unit(medians: list[float], factor: float) -> None:
    here, there = stats.rounds_interval(medians), stats.rounds_interval([value * factor for value in medians])
    assert here is not None
    assert there == pytest.approx([value * factor for value in here], rel=1e-6)
    assert here[1] <= here[0] <= here[2]


Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]
INDEPENDENT = [
    pytest.param(lambda rng, shape: rng.normal(size=shape), 0.0, id="normal"),
    pytest.param(lambda rng, shape: rng.lognormal(0, 0.5, size=shape), 1.0, id="lognormal"),
    pytest.param(lambda rng, shape: rng.exponential(size=shape), math.log(2), id="exponential"),
]


def _coverage(draw: Draw, truth: float, n: int, repeats: int) -> float:
    rng = np.random.default_rng([n, repeats])
    low, high = median_intervals(draw(rng, (repeats, n)))
    return float(np.mean((low <= truth) & (truth <= high)))


@pytest.mark.parametrize("n", [6, 20, 51, 200])
@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_the_vectorised_twin_says_what_the_scalar_code_says(n: int, phi: float) -> None:
    series = autoregressive(np.random.default_rng(n), phi, (100, n))
    series[:5] = np.round(series[:5])  # many equal ones
    series[5] = 1.0
    twin = effective_n(series), *median_intervals(series)
    for row, *found in zip(series.tolist(), *(each.tolist() for each in twin), strict=True):
        assert found[0] == pytest.approx(stats.effective_n(row), rel=1e-9)
        assert tuple(found[1:]) == pytest.approx(stats.median_interval(row), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("n", [20, 50, 200])
@pytest.mark.parametrize(("draw", "truth"), INDEPENDENT)
def test_coverage_of_independent_samples(draw: Draw, truth: float, n: int) -> None:
    assert 0.93 <= _coverage(draw, truth, n, 3000) <= 0.975


@pytest.mark.parametrize(("phi", "n", "least"), [(0.5, 50, 0.92), (0.5, 200, 0.92), (0.8, 200, 0.915)])
def test_coverage_of_autocorrelated_samples(phi: float, n: int, least: float) -> None:
    assert _coverage(lambda rng, shape: autoregressive(rng, phi, shape), 0.0, n, 2500) >= least


@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_coverage_over_rounds_that_differ(rounds: int) -> None:
    """Each Round has its own level (8 %), and 15 samples around it (5 %)."""
    rng, repeats = np.random.default_rng(rounds), 3000
    levels = 10 * rng.lognormal(0, 0.08, size=(repeats, rounds))
    medians = levels * np.median(rng.lognormal(0, 0.05, size=(repeats, rounds, 15)), axis=2)
    low, high = rounds_intervals(medians)
    assert 0.93 <= np.mean((low <= 10) & (high >= 10)) <= 0.97
    for row, *found in zip(medians[:200].tolist(), low.tolist()[:200], high.tolist()[:200], strict=True):
        scalar = stats.rounds_interval(row)
        assert scalar is not None and tuple(found) == pytest.approx(scalar[1:], rel=1e-9)
