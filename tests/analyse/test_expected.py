"""Where another Round's median is expected: textbook numbers, and false alarms by seeded simulation."""

import math

import numpy as np
import pytest

from harness.analyse.expected import LEAST_SPREAD, Expected, expected_of

ROUNDS_DIFFER = 0.03


def test_rounds_of_one_run_give_students_prediction_interval() -> None:
    """Mean ± t * s * sqrt(1 + 1/n) of the logarithms, by hand."""
    logs = [0.0, 0.1, 0.2, 0.3]
    found = expected_of([], [math.exp(value) for value in logs], 3, 0.95)
    assert found is not None
    s = math.sqrt((0.0225 + 0.0025 + 0.0025 + 0.0225) / 3)
    half = 3.182 * s * math.sqrt(1.25)  # t for 97.5 % and 3 degrees in any printed table
    assert math.log(found.low) == pytest.approx(0.15 - half, abs=1e-4)
    assert math.log(found.high) == pytest.approx(0.15 + half, abs=1e-4)
    assert (found.rounds, found.runs, found.assumes) == (4, 0, None)


def test_runs_of_one_round_each_are_students_too() -> None:
    logs = [0.0, 0.1, 0.2, 0.3]
    found = expected_of([[math.exp(value)] for value in logs], [], 3, 0.95)
    alone = expected_of([], [math.exp(value) for value in logs], 3, 0.95)
    assert found is not None and alone is not None
    assert found.low == pytest.approx(alone.low)
    assert found.high == pytest.approx(alone.high)
    assert found.runs == 4


def test_a_history_that_is_too_short_says_nothing() -> None:
    assert expected_of([[1.0, 1.1]], [], 3, 0.95) is None
    assert expected_of([], [1.0, 1.1], 3, 0.95) is None
    assert expected_of([[1.0, 1.1]], [1.05], 3, 0.95) is not None, "with the Run's own Rounds there are three"
    assert expected_of([[1.0, 1.1, 1.2]], [], 4, 0.95) is None
    assert expected_of([], [], 2, 0.95) is None
    assert expected_of([[1.0]], [], 1, 0.95) is not None, "and its interval holds everything"


def test_equal_medians_do_not_make_the_next_tick_of_the_clock_an_outlier() -> None:
    found = expected_of([[1.0, 1.0, 1.0]] * 4, [1.0], 3, 0.95)
    assert found is not None and found.low < 1 - LEAST_SPREAD and found.high > 1 + LEAST_SPREAD


def test_a_run_that_is_off_as_a_whole_does_not_vouch_for_itself() -> None:
    others = [[10.0, 10.2, 9.9], [10.1, 10.0, 9.8], [9.9, 10.0, 10.1]]
    found = expected_of(others, [20.0, 20.1], 3, 0.99)
    assert found is not None and found.high < 20


def test_what_is_assumed_is_said_until_ten_runs_show_it() -> None:
    run = [10.0, 10.2, 9.9]
    told = [one.assumes if (one := expected_of([run] * count, [], 3, 0.95)) else "" for count in (1, 3, 10)]
    assert told[0] is not None and told[0].startswith("one other run does not show")
    assert told[1] is not None and told[1].startswith("3 other runs do not show")
    assert told[2] is None


def test_runs_that_differ_more_than_is_assumed_are_believed() -> None:
    far = [[10.0, 10.1, 9.9], [20.0, 20.2, 19.9], [40.0, 40.1, 39.5]]
    found = expected_of(far, [], 3, 0.95)
    assert found is not None and found.assumes is None and found.low < 10 and found.high > 40


def alarms(runs: int, rounds: int, own: int, runs_differ: float, confidence: float, tries: int = 3000) -> float:
    """Share of Rounds outside, where Runs differ `runs_differ` times as much as Rounds."""
    chance = np.random.default_rng(12)

    def medians(count: int) -> list[float]:
        level = runs_differ * chance.normal()
        return np.exp(ROUNDS_DIFFER * (level + chance.normal(size=count))).tolist()  # type: ignore[no-any-return]

    outside = 0
    for _ in range(tries):
        others, mine = [medians(rounds) for _ in range(runs)], medians(own)
        found = expected_of(others, mine[1:], 3, confidence)
        assert isinstance(found, Expected)
        outside += not found.low <= mine[0] <= found.high
    return outside / tries


@pytest.mark.parametrize(
    ("runs", "rounds", "own", "runs_differ", "most"),
    # 5 %, or what the docstring says, and three standard errors of 3,000 simulations.
    [
        (0, 1, 4, 1, 0.062), (1, 3, 3, 1, 0.02), (1, 3, 3, 2, 0.062), (2, 3, 3, 2, 0.03), (3, 3, 3, 2, 0.03),
        (3, 3, 3, 5, 0.065), (5, 1, 1, 3, 0.062), (5, 3, 3, 5, 0.062), (10, 3, 3, 0, 0.062), (10, 3, 3, 5, 0.064),
    ],
)  # fmt: skip
def test_no_more_false_alarms_than_promised(runs: int, rounds: int, own: int, runs_differ: float, most: float) -> None:
    assert alarms(runs, rounds, own, runs_differ, 0.95) <= most


@pytest.mark.parametrize(("runs", "runs_differ"), [(3, 2), (5, 2), (3, 1), (10, 1)])
def test_the_strict_confidence_of_many_tests_holds_too(runs: int, runs_differ: float) -> None:
    """At 99.5 % fifteen of 3,000; more than 27 have a chance below 0.5 %."""
    assert alarms(runs, 3, 3, runs_differ, 0.995) <= 27 / 3000


def test_a_long_history_is_not_wider_than_it_must_be() -> None:
    assert alarms(10, 3, 3, 1, 0.95) >= 0.038
