"""One file = one metric: a literal `DESCRIBE` and a pure `compute(rounds, case)`; found by folder listing.

Here is what they share: which Rounds count, which clock is believed, and the one estimate of a Case's latency that the
median, its interval and the throughput all come from.
"""

from collections.abc import Sequence
from typing import NamedTuple

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
# `submit` returns before the work is done: it is shown to expose it and believed only where nothing else was measured.
CLOCKS_BELIEVED = ("await", "perf_counter", "performance_now", "slope", "timestamp", "submit")


class LatencyEstimate(NamedTuple):
    """Median latency in milliseconds, its 95 % interval (None where n is too small) and the interval's method."""

    median_ms: float
    interval_ms: tuple[float, float] | None
    method: str | None


def timed_rounds(rounds: Sequence[Round]) -> list[Round]:
    """The ok Rounds; without any, those that failed only by wrong output: their timings are kept, never ranked."""
    ok = [one for one in rounds if one.outcome == "ok"]
    return ok or [one for one in rounds if one.outcome == "failed" and one.code == WRONG_OUTPUT]


def verdict_clock(one: Round, phase: str = "sample") -> str | None:
    """The clock whose numbers a table shows: the only place where that is chosen. None without Samples.

    Today a Round carries one clock that ends when the work is done. When a page measures several, the choice must weigh
    each against its floor of waiting; until then the order of `CLOCKS_BELIEVED` decides.
    """
    present = list(dict.fromkeys(batch.clock for batch in one.samples if batch.phase == phase and batch.durations_ns))
    believed = [clock for clock in CLOCKS_BELIEVED if clock in present]
    return next(iter(believed or present), None)


def latencies_ms(one: Round) -> list[float]:
    """Milliseconds per run of the steady-state Samples of one Round, in the order taken, in the verdict clock."""
    return [ms(duration) for duration in one.per_run_ns("sample", verdict_clock(one))]


def pooled_ms(rounds: Sequence[Round]) -> list[float]:
    """The same over all Rounds that count, Round after Round."""
    return [latency for one in timed_rounds(rounds) for latency in latencies_ms(one)]


def latency_estimate(rounds: Sequence[Round]) -> LatencyEstimate | None:
    """One estimate for median, interval and throughput, so that they never contradict each other. None without Samples.

    Three or more Rounds: Student's t over the Rounds' medians. Fewer: order statistics of the pooled Samples.
    """
    per_round = [latencies for one in timed_rounds(rounds) if (latencies := latencies_ms(one))]
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


def runs_per_sample(rounds: Sequence[Round]) -> int:
    """The most runs that share one Sample, because one alone would be too short for the clock; 0 without Samples."""
    counts = [b.runs_per_sample for one in timed_rounds(rounds) for b in one.samples if b.phase == "sample"]
    return max(counts, default=0)


def phase_ms(rounds: Sequence[Round], phase: str) -> float | None:
    """Median over the Rounds of a phase that happens once in each, in milliseconds."""
    durations = [one.phases[phase] for one in timed_rounds(rounds) if phase in one.phases]
    return ms(median(durations)) if durations else None


def mean_ms(rounds: Sequence[Round]) -> float | None:
    """Mean of the pooled steady-state Samples in milliseconds."""
    pooled = pooled_ms(rounds)
    return mean(pooled) if pooled else None
