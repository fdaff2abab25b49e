"""Which of a GPU's clocks is believed, and the slope through more points than two."""

import math
import random

import pytest

from harness.core.clocks import choose_clock, per_run_ns, slopes_ns
from harness.core.events import Samples
from harness.core.statistics import median

MS = 1_000_000


def batch(clock: str, *durations_ms: float, runs: int = 1) -> Samples:
    durations = tuple(round(duration * MS) for duration in durations_ms)
    return Samples(phase="sample", clock=clock, runs_per_sample=runs, durations_ns=durations)


def points(cost_ms: float, fixed_ms: float, *, repeated: int = 2, noise_ms: float = 0, seed: int = 1) -> list[Samples]:
    """What a page sends: the same sizes again and again, each with a fixed cost that is not the work's."""
    chance = random.Random(seed)
    return [
        batch("slope", fixed_ms + runs * cost_ms + chance.uniform(-noise_ms, noise_ms), runs=runs)
        for _ in range(repeated)
        for runs in (40, 80, 120, 160, 200)
    ]


def test_a_slope_knows_nothing_of_what_waiting_costs() -> None:
    assert slopes_ns(points(5.5, 104)) == pytest.approx([5.5 * MS] * 2)


@pytest.mark.parametrize("longest_ms", [510, 560, 600, 650, 690])
def test_polling_every_100_ms_leaves_the_slope_near_the_truth(longest_ms: float) -> None:
    """Work is heard of at the next tick. Begun at a tick, points to 600 ms are a sixth off; at random, not."""
    chance = random.Random(longest_ms)
    cost_ms = longest_ms / 200
    found = []
    for _ in range(400):
        begun = [(runs, 100 * chance.random()) for runs in (40, 80, 120, 160, 200)]
        heard = [(runs, 100 * math.ceil((start + runs * cost_ms) / 100) - start) for runs, start in begun]
        found += slopes_ns([batch("slope", duration, runs=runs) for runs, duration in heard])
    assert len(found) == 400
    assert median(found) == pytest.approx(cost_ms * MS, rel=0.02)
    assert sorted(abs(slope / MS / cost_ms - 1) for slope in found)[380] < 0.2


def test_a_slope_that_one_round_lacks_is_not_believed() -> None:
    falling = [batch("slope", duration, runs=runs) for runs, duration in ((1, 9), (2, 8), (3, 7))]
    found = choose_clock([[batch("await", 101), *points(5, 100)], [batch("await", 101), *falling]], 100 * MS)
    assert found.clock == "await"


@pytest.mark.parametrize(
    ("batches", "why"),
    [
        ([], "nothing"),
        ([batch("slope", 10, runs=1), batch("slope", 12, runs=2)], "two points"),
        ([batch("slope", 10, 11, 12, runs=4)], "one size"),
        ([batch("slope", *pair, runs=runs) for runs, pair in ((1, (5, 9)), (2, (6, 6)), (3, (7, 4)))], "one falls"),
    ],
)
def test_no_slope(batches: list[Samples], why: str) -> None:
    assert slopes_ns(batches) == [], why


def test_the_await_is_believed_where_its_floor_is_low() -> None:
    assert choose_clock([[batch("submit", 0.1), batch("await", 20), *points(18, 1)]], 1 * MS) == ("await", None)
    assert choose_clock([[batch("submit", 0.1), batch("await", 20)]], None) == ("await", None)


def test_a_floor_that_is_a_part_of_it_is_said() -> None:
    found = choose_clock([[batch("await", 20), *points(18, 2)]], 3 * MS)
    assert found == ("await", "the wait itself takes 3 ms of the await's 20")


def test_a_floor_that_dominates_hands_over_to_the_slope() -> None:
    found = choose_clock([[batch("await", 201), batch("timestamp", 5.6), *points(5.5, 104)]], 100 * MS)
    assert found.clock == "slope"
    assert found.why == "the wait itself takes 100 ms of the await's 201: the latency is the slope's"


def test_a_slope_that_is_not_sure_hands_over_to_timestamps() -> None:
    unsure = [batch("slope", *pair, runs=runs) for runs, pair in ((1, (90, 130)), (2, (95, 180)), (3, (100, 140)))]
    found = choose_clock([[batch("await", 101), batch("timestamp", 5.6), *unsure]], 100 * MS)
    assert found.clock == "timestamp" and found.why is not None and "the slope is not sure" in found.why


def test_without_a_better_clock_the_await_stays_and_is_flagged() -> None:
    found = choose_clock([[batch("submit", 0.1), batch("await", 101)]], 100 * MS)
    assert found.clock == "await" and found.why is not None and "dominated" in found.why


@pytest.mark.parametrize("clock", ["perf_counter", "performance_now", "new_clock"])
def test_where_the_cpu_computes_its_own_clock_is_the_verdict(clock: str) -> None:
    assert choose_clock([[batch(clock, 20)]], None) == (clock, None)


def test_several_runs_in_a_sample_share_its_duration() -> None:
    assert per_run_ns([batch("await", 20, 30, runs=10)], "await") == [2 * MS, 3 * MS]
