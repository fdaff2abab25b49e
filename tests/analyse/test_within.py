"""Two modes and drift inside a Round: found where they are, and the promised false-alarm rates, by simulation."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.analyse.dip import dip, dip_quantile
from harness.analyse.within import drift, two_modes, why_no_drift, why_no_modes

Make = Callable[[np.random.Generator, int], NDArray[np.float64]]
LEVEL = 0.05


def ar(chance: np.random.Generator, n: int, phi: float) -> NDArray[np.float64]:
    """A normal AR(1) process of variance 1."""
    steps = chance.normal(size=n)
    values = np.empty(n)
    values[0] = steps[0]
    for i in range(1, n):
        values[i] = phi * values[i - 1] + math.sqrt(1 - phi**2) * steps[i]
    return values


UNIMODAL: dict[str, Make] = {
    "lognormal": lambda chance, n: np.exp(0.1 * chance.normal(size=n)),
    "heavy tails": lambda chance, n: np.exp(0.05 * chance.standard_t(3, size=n)),
    "skewed": lambda chance, n: 1 + chance.exponential(0.3, size=n),
    "uniform": lambda chance, n: 1 + 0.5 * chance.random(n),
    "a clock of 50 steps": lambda chance, n: np.round(np.exp(0.05 * chance.normal(size=n)) * 50) / 50,
    "neighbours alike": lambda chance, n: np.exp(0.1 * ar(chance, n, 0.8)),
}


def alarms(make: Make, test: Callable[[list[float], float], object], n: int, rounds: int = 150) -> int:
    chance = np.random.default_rng(7)
    return sum(test((1e6 * make(chance, n)).tolist(), 1 - LEVEL) is not None for _ in range(rounds))


@pytest.mark.parametrize("name", UNIMODAL)
@pytest.mark.parametrize("test", [two_modes, drift])
@pytest.mark.parametrize("n", [40, 150])
def test_a_round_with_one_speed_raises_no_more_alarms_than_promised(
    name: str, test: Callable[[list[float], float], object], n: int
) -> None:
    # 150 Rounds at 5 % are 7.5 alarms; more than 14 have a chance below 1 %.
    assert alarms(UNIMODAL[name], test, n) <= 14


def test_a_wandering_round_is_not_called_drift_more_often_than_promised() -> None:
    """phi = 0.95: forty Samples or so remember each other; the docstring says 5.3 %."""
    assert alarms(lambda chance, n: np.exp(0.1 * ar(chance, n, 0.95)), drift, 100, rounds=300) <= 30


def test_the_dip_of_textbook_cases() -> None:
    # Evenly spread values are as unimodal as a sample can be: every step is half above and half below a straight line.
    assert dip(np.arange(10.0)) == pytest.approx(1 / 20)
    # Two far clusters of equal weight: a unimodal function must cross the gap, and is off by a quarter in the limit.
    far = np.concatenate([np.linspace(0, 1, 500), np.linspace(1000, 1001, 500)])
    assert dip(far) == pytest.approx(0.25, abs=0.005)
    # Shape does not change with place and scale.
    values = np.random.default_rng(1).gamma(2, size=50)
    assert dip(values) == pytest.approx(dip(3 * values + 7))


@pytest.mark.parametrize("wrong", [[1.0], [1.0, 1.0, 2.0]])
def test_the_dip_refuses_what_has_none(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="distinct"):
        dip(np.array(wrong))


@pytest.mark.parametrize(
    ("n", "level", "published"),
    # Of the table that comes with R's package diptest (Maechler; 1,000,001 simulated samples each), times sqrt(n).
    [
        (10, 0.95, 0.13961),
        (50, 0.95, 0.07027),
        (50, 0.999, 0.09409),
        (200, 0.99, 0.04269),
        (1000, 0.95, 0.01693),
        (2000, 0.9, 0.01110),
        (100, 0.9999, 0.07626),
    ],
)
def test_the_quantiles_are_those_of_the_published_table(n: int, level: float, published: float) -> None:
    assert dip_quantile(n, level) == pytest.approx(published * math.sqrt(n), rel=0.015)


def test_quantiles_grow_with_confidence_beyond_the_table() -> None:
    at = [dip_quantile(100, 1 - 10.0**-power) for power in range(1, 9)]
    assert at == sorted(at) and at[-1] < 1.2 * at[4]
    assert dip_quantile(150, 0.95) == dip_quantile(200, 0.95), "from the next larger n, whose quantiles are larger"


def test_two_modes_are_told_with_their_places_and_shares() -> None:
    chance = np.random.default_rng(2)
    slow = np.arange(200) % 10 < 3  # three in ten
    samples = np.where(slow, 13.0, 10.0) * np.exp(0.02 * chance.normal(size=200))
    found = two_modes(chance.permutation(samples).tolist(), 0.999)
    assert found is not None
    assert found.fast == pytest.approx(10, rel=0.01)
    assert found.slow == pytest.approx(13, rel=0.01)
    assert found.slow_share == pytest.approx(0.3, abs=0.01)


def test_modes_on_a_coarse_clock_are_found_and_ties_alone_are_none() -> None:
    chance = np.random.default_rng(3)
    ticks = np.where(chance.random(200) < 0.4, 13.0, 10.0) + np.round(chance.normal(size=200) / 2) / 10
    assert two_modes(ticks.tolist(), 0.999) is not None
    assert two_modes(np.where(chance.random(200) < 0.4, 1.01, 1.0).tolist(), 0.999) is None, "two ticks of the clock"
    assert two_modes([1.0] * 100, 0.95) is None


def test_modes_nearer_than_five_percent_are_no_anomaly() -> None:
    chance = np.random.default_rng(4)
    near = np.where(chance.random(400) < 0.5, 1.03, 1.0) * np.exp(0.002 * chance.normal(size=400))
    assert two_modes(near.tolist(), 0.95) is None
    apart = np.where(chance.random(400) < 0.5, 1.07, 1.0) * np.exp(0.002 * chance.normal(size=400))
    assert two_modes(apart.tolist(), 0.95) is not None


def test_a_long_round_is_judged_too() -> None:
    chance = np.random.default_rng(5)
    samples = np.where(chance.random(20_000) < 0.5, 2.0, 1.0) * np.exp(0.05 * chance.normal(size=20_000))
    assert two_modes(samples.tolist(), 0.999) is not None


@pytest.mark.parametrize("sign", [1, -1])
def test_a_drift_is_told_with_an_interval_that_holds_the_truth(sign: int) -> None:
    chance = np.random.default_rng(6)
    held = 0
    for _ in range(100):
        samples = np.exp(sign * math.log(1.3) * np.linspace(0, 1, 200) + 0.03 * chance.normal(size=200))
        found = drift(samples.tolist(), 0.95)
        assert found is not None
        # From the middle of the first of 24 blocks to that of the last.
        held += found.low <= 1.3 ** (sign * 23 / 24) <= found.high
    assert held >= 88  # of 95 expected; fewer have a chance below 1 %


def test_a_step_is_a_drift_and_five_percent_is_none() -> None:
    chance = np.random.default_rng(8)
    step = np.where(np.arange(200) < 100, 1.0, 1.4) * np.exp(0.03 * chance.normal(size=200))
    assert drift(step.tolist(), 0.999) is not None
    limit = [np.exp(math.log(1.05) * np.linspace(0, 1, 200) + 0.01 * chance.normal(size=200)) for _ in range(200)]
    assert sum(drift(samples.tolist(), 0.95) is not None for samples in limit) <= 10


def test_too_few_samples_are_said_not_guessed() -> None:
    assert why_no_drift([1.0, 2.0] * 5) == "too few samples: 10 of 24"
    assert why_no_modes([1.0, 2.0, 1.5]) == "too few independent samples: 3 are worth 3 of 10"
    alike = [1 + 0.01 * (i // 25) + 1e-4 * (i % 7) for i in range(50)]  # two plateaus: worth two Samples or so
    assert "too few independent samples: 50 are worth" in str(why_no_modes(alike))
    assert why_no_drift([]) == "too few samples: 0 of 24" and why_no_modes([]) is not None
    slow = np.exp(0.1 * ar(np.random.default_rng(9), 100, 0.98)).tolist()
    assert str(why_no_drift(slow)).startswith("too few independent samples: 100 make")
    good = np.exp(0.05 * np.random.default_rng(9).normal(size=100)).tolist()
    assert why_no_drift(good) is None and why_no_modes(good) is None
