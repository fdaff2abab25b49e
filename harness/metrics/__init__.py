"""One file = one metric: a literal `DESCRIBE` and a pure `compute(rounds, case)`; found by folder listing.

Here is what they share: which Rounds count, which clock is believed, and the one estimate of a Case's latency that the
median, its interval and the throughput all come from.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from operator import is_
from typing import Any, NamedTuple, TypeVar

from harness.core.clocks import Choice, choose_clock
from harness.core.events import Samples
from harness.core.ratios import RoundMedian, round_median
from harness.core.rounds import Round
from harness.core.statistics import (
    mean,
    median,
    median_interval,
    percentile_supported,
    quantile,
    rounds_interval,
)
from harness.core.units import ms

WRONG_OUTPUT = "wrong_output"
_REMEMBERED = 4
_Found = TypeVar("_Found")


class LatencyEstimate(NamedTuple):
    """Median latency in milliseconds, its 95 % interval (None where n is too small) and the interval's method."""

    median_ms: float
    interval_ms: tuple[float, float] | None
    method: str | None


def _remembered(ask: Callable[[Sequence[Round]], _Found]) -> Callable[[Sequence[Round]], _Found]:
    """Asked again of the very same Rounds, it gives the very same answer: a Round is frozen, and thirty metrics ask one
    after the other. What it found is not to be changed by who gets it."""
    latest: list[tuple[tuple[Round, ...], _Found]] = []

    @wraps(ask)
    def asked(rounds: Sequence[Round]) -> _Found:
        for known, found in latest:
            if len(known) == len(rounds) and all(map(is_, known, rounds)):
                return found
        found = ask(rounds)
        latest.insert(0, (tuple(rounds), found))
        del latest[_REMEMBERED:]
        return found

    return asked


def timed_rounds(rounds: Sequence[Round]) -> list[Round]:
    """The ok Rounds; without any, those that failed only by wrong output: their timings are kept, never ranked.

    Those that profiled are none of them: a profiler slows what it looks at.
    """
    timing = [one for one in rounds if one.purpose == "timing"]
    ok = [one for one in timing if one.outcome == "ok"]
    return ok or [one for one in timing if one.outcome == "failed" and one.code == WRONG_OUTPUT]


@_remembered
def verdict_clock(rounds: Sequence[Round]) -> Choice:
    """The clock whose numbers a table shows, one for all Rounds of a Case; None without Samples."""
    return choose_clock(steady_samples(rounds), wait_floor_ns(rounds))


def steady_samples(rounds: Sequence[Round]) -> list[list[Samples]]:
    """The batches of the steady state of each Round, in every clock."""
    return [[batch for batch in one.samples if batch.phase == "sample"] for one in rounds]


def wait_floor_ns(rounds: Sequence[Round]) -> float | None:
    """Nanoseconds that waiting for a GPU takes when it has nothing to do, median over the Rounds; None: no GPU.

    Not the longest: one hiccup would change the clock of a whole Case.
    """
    told = [one.provenance.get("wait_floor_ns") for one in rounds]
    floors = [floor for floor in told if isinstance(floor, int | float) and not isinstance(floor, bool)]
    return median(floors) if floors else None


@_remembered
def latencies_ms(rounds: Sequence[Round]) -> list[list[float]]:
    """Milliseconds per run of the steady-state Samples of each Round, in the order taken, in the verdict clock.

    Of the Rounds that count; one without Samples in that clock has an empty list.
    """
    timed = timed_rounds(rounds)
    clock = verdict_clock(timed).clock
    return [[ms(duration) for duration in one.per_run_ns("sample", clock)] for one in timed]


def round_medians(rounds: Sequence[Round]) -> list[RoundMedian]:
    """The median latency in milliseconds of each Round that counts and has Samples, all in one clock."""
    timed = timed_rounds(rounds)
    pairs = zip(timed, latencies_ms(rounds), strict=True)
    runs = max(1, runs_per_sample(rounds))
    return [
        round_median(one.number, latencies, ms(told_number(one, "clock_step_ns") or 0.0) / runs)
        for one, latencies in pairs
        if latencies
    ]


@_remembered
def pooled_ms(rounds: Sequence[Round]) -> list[float]:
    """The same, Round after Round."""
    return [latency for latencies in latencies_ms(rounds) for latency in latencies]


@_remembered
def latency_estimate(rounds: Sequence[Round]) -> LatencyEstimate | None:
    """One estimate for median, interval and throughput, so that they never contradict each other. None without Samples.

    Three or more Rounds: Student's t over the Rounds' medians. Fewer: order statistics of the pooled Samples.
    """
    per_round = [latencies for latencies in latencies_ms(rounds) if latencies]
    if not per_round:
        return None
    over = rounds_interval([median(latencies) for latencies in per_round])
    if over is not None:
        return LatencyEstimate(over[0], (over[1], over[2]), f"student-t on log medians of {len(per_round)} rounds")
    pooled = [latency for latencies in per_round for latency in latencies]
    interval = median_interval(pooled)
    where = "within one round" if len(per_round) == 1 else f"within {len(per_round)} rounds, pooled"
    return LatencyEstimate(median(pooled), interval, f"order statistics {where}" if interval else None)


def percentile_ms(rounds: Sequence[Round], q: float) -> float | None:
    """Type 7 quantile of the pooled Samples in milliseconds; None where n does not support it.

    None also where a Sample is the mean of several runs: the tail of means says nothing of the tail of runs.
    """
    if runs_per_sample(rounds) > 1:
        return None
    pooled = pooled_ms(rounds)
    return quantile(pooled, q) if percentile_supported(len(pooled), q) else None


@_remembered
def runs_per_sample(rounds: Sequence[Round]) -> int:
    """The most runs that share one Sample, because one alone would be too short for the clock; 0 without Samples."""
    timed = timed_rounds(rounds)
    clock = verdict_clock(timed).clock
    batches = [batch for one in steady_samples(timed) for batch in one if batch.clock == clock]
    return max((batch.runs_per_sample for batch in batches), default=0)


def phase_ms(rounds: Sequence[Round], phase: str) -> float | None:
    """Median over the Rounds of a phase that happens once in each, in milliseconds."""
    durations = [one.phases[phase] for one in timed_rounds(rounds) if phase in one.phases]
    return ms(median(durations)) if durations else None


def part_ms(rounds: Sequence[Round], part: str) -> float | None:
    """Median over the Rounds of the medians of a part of a pipeline's run, in milliseconds."""
    medians = [median(taken) for one in timed_rounds(rounds) if (taken := one.per_run_ns(f"part_{part}"))]
    return ms(median(medians)) if medians else None


def first_clock(one: Round) -> list[Samples]:
    """The batches of the steady state in the loop's own clock: each run of the loop once."""
    batches = steady_samples([one])[0]
    return [batch for batch in batches if batch.clock == batches[0].clock]


def told_number(one: Round, *keys: str) -> float | None:
    """A number in the Round's provenance, by the keys that lead to it; None where it is absent or no number."""
    found: Any = one.provenance
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    is_number = isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)
    return float(found) if is_number else None


def told_median(rounds: Sequence[Round], *keys: str) -> float | None:
    """Median over the Rounds that count and told that number."""
    told = [number for one in timed_rounds(rounds) if (number := told_number(one, *keys)) is not None]
    return median(told) if told else None


def mean_ms(rounds: Sequence[Round]) -> float | None:
    """Mean of the pooled steady-state Samples in milliseconds."""
    pooled = pooled_ms(rounds)
    return mean(pooled) if pooled else None
