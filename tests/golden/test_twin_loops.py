"""The native loop and the page's loop make the same decisions and emit the same Events for the same clock."""

import gc
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.core.nouns import LoopPolicy
from native.loop import Clock, Work, perf_counter_clock, run_loop
from tests.golden.twins import NodeTwin, Script, play_python

MS = 1_000_000
S = 1_000 * MS


@pytest.fixture(scope="module")
def node() -> Iterator[NodeTwin]:
    with NodeTwin() as twin:
        yield twin


def noise(middle_ns: int, spread: float, n: int = 997, seed: int = 0) -> list[int]:
    drawn = random.Random(seed)
    return [max(1, round(drawn.gauss(middle_ns, spread * middle_ns))) for _ in range(n)]


def both(node: NodeTwin, script: Script) -> dict[str, Any]:
    native = play_python(script)
    assert native == node.play(script)
    return native


def phase(played: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(e for e in played["events"] if e["event"] == "phase" and e["phase"] == name)
    return found


def durations(played: dict[str, Any], name: str) -> list[int]:
    return [
        duration
        for event in played["events"]
        if event["event"] == "samples" and event["phase"] == name
        for duration in event["durations_ns"]
    ]


def test_narrow_after_the_least_time(node: NodeTwin) -> None:
    played = both(node, Script(LoopPolicy(slice_ns=20 * S), noise(5 * MS, 0.01)))
    assert played["stopped_by"] == "narrow"
    sampled = phase(played, "sample")
    assert sampled["duration_ns"] >= 500 * MS
    assert sampled["detail"]["samples"] == len(durations(played, "sample")) >= 10
    warm = phase(played, "warm")
    assert warm["detail"]["steady"] and warm["duration_ns"] >= 500 * MS


def test_without_a_least_time_two_windows_that_agree_are_warm(node: NodeTwin) -> None:
    played = both(node, Script(LoopPolicy(slice_ns=20 * S, warm_least_ns=0), noise(5 * MS, 0.01)))
    assert phase(played, "warm")["detail"] == {"steady": True, "iterations": 10}


def test_the_budget_wins_over_the_least_n(node: NodeTwin) -> None:
    played = both(node, Script(LoopPolicy(slice_ns=2 * S), noise(300 * MS, 0.05)))
    assert played["stopped_by"] == "budget"
    assert phase(played, "warm")["detail"] == {"steady": False, "iterations": 3}
    assert 1 <= len(durations(played, "sample")) < 10


def test_one_run_longer_than_the_slice_still_gives_a_sample(node: NodeTwin) -> None:
    played = both(node, Script(LoopPolicy(slice_ns=2 * S), [5 * S]))
    assert played["stopped_by"] == "budget"
    assert played["calls"] == {"run": 3, "after_first": 1, "before_sample": 3}
    assert len(durations(played, "sample")) == 1


def test_wide_noise_uses_the_budget(node: NodeTwin) -> None:
    played = both(node, Script(LoopPolicy(slice_ns=3 * S), noise(10 * MS, 0.8)))
    assert played["stopped_by"] == "budget"


def test_most_samples(node: NodeTwin) -> None:
    played = both(node, Script(LoopPolicy(slice_ns=60 * S, most_samples=64), noise(1 * MS, 0.3)))
    assert played["stopped_by"] == "most_samples"
    assert len(durations(played, "sample")) == 64


def test_never_steady_stops_at_its_share(node: NodeTwin) -> None:
    falling = [round(10 * MS * 0.97**i) + 1_000 for i in range(150)] + [11_000]
    policy = LoopPolicy(slice_ns=1 * S, warm_share=0.2, steady_within=0.001)
    warm = phase(both(node, Script(policy, falling)), "warm")
    assert warm["detail"]["steady"] is False
    assert 200 * MS <= warm["duration_ns"] < 220 * MS


@pytest.mark.parametrize("run_ns", [pytest.param(40, marks=pytest.mark.long), 900, 4_000, 30_000, 499_000])
def test_quick_runs_are_batched_above_a_hundred_steps(node: NodeTwin, run_ns: int) -> None:
    step = 5_000
    played = both(node, Script(LoopPolicy(slice_ns=5 * S), noise(run_ns, 0.02), step_ns=step, grain_ns=step, read_ns=7))
    runs = phase(played, "sample")["detail"]["runs_per_sample"]
    assert runs > 1
    assert min(durations(played, "sample")) >= 100 * step
    assert abs(durations(played, "sample")[0] / runs / run_ns - 1) < 0.05


def test_a_coarse_clock_that_shows_one_number_is_not_narrow(node: NodeTwin) -> None:
    step = 1 * MS
    policy = LoopPolicy(slice_ns=2 * S, steps_per_sample=20)
    played = both(node, Script(policy, [20 * MS], step_ns=step, grain_ns=step, read_ns=0, emit_ns=0))
    assert len(set(durations(played, "sample"))) == 1
    assert played["stopped_by"] == "budget"


def test_batches_are_sent_at_most_four_times_a_second(node: NodeTwin) -> None:
    script = Script(LoopPolicy(slice_ns=4 * S, narrow_within=0.0), noise(2 * MS, 0.1))
    sent = [e for e in both(node, script)["events"] if e["event"] == "samples" and e["phase"] == "sample"]
    assert 12 <= len(sent) <= 17


policies = st.builds(
    LoopPolicy,
    slice_ns=st.integers(1 * MS, 1 * S),
    warm_least=st.integers(1, 12),
    warm_least_ns=st.sampled_from([0, 1, 50_000, 5_000_000]),
    warm_share=st.floats(0.01, 0.9),
    steady_window=st.integers(1, 7),
    steady_within=st.floats(0, 0.3),
    least_samples=st.integers(1, 40),
    most_samples=st.integers(40, 400),
    least_time_ns=st.integers(0, 1 * S),
    narrow_within=st.floats(0, 0.2),
    steps_per_sample=st.integers(1, 150),
    send_every_ns=st.integers(0, 400 * MS),
)
scripts = st.builds(
    Script,
    policy=policies,
    durations_ns=st.one_of(
        st.lists(st.integers(10_000, 40 * MS), min_size=1, max_size=40),
        st.builds(noise, st.integers(20_000, 20 * MS), st.floats(0, 0.5), st.just(211), st.integers(0, 999)),
    ),
    step_ns=st.sampled_from([1, 42, 5_000, 20_000, 100_000]),
    grain_ns=st.sampled_from([1, 42, 5_000, 20_000, 100_000]),
    read_ns=st.integers(0, 300),
    emit_ns=st.integers(0, 50_000),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(script=scripts)
def test_the_twins_agree(node: NodeTwin, script: Script) -> None:
    assert_agree(node, script)


@pytest.mark.long
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(script=scripts)
def test_the_twins_agree_two_hundred_times(node: NodeTwin, script: Script) -> None:
    assert_agree(node, script)


def assert_agree(node: NodeTwin, script: Script) -> None:
    played = both(node, script)
    assert played["stopped_by"] in {"budget", "narrow", "most_samples"}
    assert len(durations(played, "sample")) >= 1


def test_the_native_clock_has_a_measured_step() -> None:
    clock = perf_counter_clock()
    assert 1 <= clock.step_ns < 1 * MS
    assert clock.now() <= clock.now()


def test_a_failing_run_leaves_the_garbage_collector_as_it_was() -> None:
    def fail() -> None:
        assert not gc.isenabled()
        raise RuntimeError("broken")

    clock = Clock("scripted", 1, lambda: 0)
    with pytest.raises(RuntimeError, match="broken"):
        run_loop(clock, Work(fail), LoopPolicy(slice_ns=S), lambda _: None)
    assert gc.isenabled()
