"""How often the gate cries wolf, and what it lets pass: its own code on made-up noise, seeded.

`python -m tests.bench --only decisions` does the same with 10,000 checks each; these are few, and their bounds are what
chance leaves of the rates found there.
"""

import pytest

from tests.analyse.simulated import Noise, alarms, gate

QUIET = Noise(round_sd=0.005, slow_share=0, drift_sd=0.01, time_sd=0.005)
BAD = Noise(round_sd=0.03, slow_by=0.10, drift_sd=0.05, time_sd=0.03)


@pytest.mark.parametrize("noise", [Noise(), QUIET, BAD], ids=["usual", "quiet", "bad"])
@pytest.mark.parametrize("how", [{}, {"in_turn": False}, {"in_turn": False, "controls": 2}], ids=str)
def test_where_nothing_changed_hardly_any_check_is_an_alarm(noise: Noise, how: dict[str, int]) -> None:
    """1 % at most; of 600 that are 13 with a chance of 1 in 200."""
    assert alarms(gate(**how), 0.0, 600, noise) <= 13 / 600  # type: ignore[arg-type]


def test_a_tenth_is_found() -> None:
    """95 %; of 400 fewer than 367 have a chance of 1 in 300."""
    assert alarms(gate(), 0.10, 400, Noise()) > 367 / 400
    assert alarms(gate(), 0.10, 200, QUIET) > 0.97


def test_without_its_baseline_and_controls_only_what_is_surely_beyond_is_an_alarm() -> None:
    alone = gate(in_turn=False)
    assert alarms(alone, 0.10, 300, QUIET) < 0.2 < 0.9 < alarms(alone, 0.30, 300, QUIET)


def test_controls_take_the_machines_drift_out() -> None:
    assert alarms(gate(in_turn=False, controls=2), 0.10, 300, QUIET) > 0.9
