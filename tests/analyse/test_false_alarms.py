"""How often the gate cries wolf, and what it lets pass: its own code on made-up noise, seeded.

`python -m tests.bench --only gate` does the same with 10,000 checks each; these are few, and their bounds are what
chance leaves of the rates found there.
"""

import pytest

from tests.analyse.simulated import Noise, alarms, gate

QUIET = Noise(round_sd=0.005, slow_share=0, drift_sd=0.01, time_sd=0.005, own_sd=0.003)
BAD = Noise(round_sd=0.03, slow_by=0.10, drift_sd=0.05, time_sd=0.03, own_sd=0.02)


@pytest.mark.parametrize("noise", [Noise(), QUIET, BAD], ids=["usual", "quiet", "bad"])
@pytest.mark.parametrize("how", [{}, {"in_turn": False}, {"in_turn": False, "controls": 2}], ids=str)
def test_where_nothing_changed_hardly_any_check_is_an_alarm(noise: Noise, how: dict[str, int]) -> None:
    """1 % at most; of 600 that are 13 with a chance of 1 in 200."""
    assert alarms(gate(**how), 0.0, 600, noise) <= 13 / 600  # type: ignore[arg-type]


def test_a_tenth_is_found() -> None:
    """95 %; of 400 fewer than 367 have a chance of 1 in 300."""
    assert alarms(gate(), 0.10, 400, Noise()) > 367 / 400
    assert alarms(gate(), 0.10, 200, QUIET) > 0.97


def test_without_its_baseline_only_what_is_surely_beyond_is_an_alarm() -> None:
    """Beside controls beyond the threshold, alone beyond twice that."""
    for how, passes, stops in (({"controls": 2}, 0.10, 0.20), ({}, 0.20, 0.40)):
        alone = gate(in_turn=False, **how)
        assert alarms(alone, passes, 300, QUIET) < 0.2 < 0.9 < alarms(alone, stops, 300, QUIET)


def test_controls_take_the_machines_drift_out() -> None:
    """A machine that is 15 % slower at the second time: beside controls nobody cries wolf, alone many do."""
    wanders = Noise(time_sd=0.15, round_sd=0.005, slow_share=0, drift_sd=0.0)
    beside, alone = (alarms(gate(in_turn=False, controls=count), 0.0, 300, wanders) for count in (2, 0))
    assert beside <= 9 / 300 < 0.1 < alone


@pytest.mark.parametrize("threshold", [0.03, pytest.param(0.01, marks=pytest.mark.long)])
def test_a_threshold_within_the_noise_is_no_more_often_an_alarm_than_the_levels_say(threshold: float) -> None:
    """Here size asks for nothing, so it is the level alone that keeps false alarms at 1 %: of 1,500 at most 28."""
    noise = Noise(own_sd=0.0)
    assert alarms(gate(threshold=threshold), 0.0, 1500, noise) <= 28 / 1500


def test_half_of_the_threshold_is_seldom_an_alarm() -> None:
    """34 % where the search stops as soon as it is slower at all, and its interval is widest."""
    assert alarms(gate(), 0.05, 300, Noise()) < 0.15
