"""What the loop itself costs: the no-op backend, whose work takes next to nothing."""

import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

from harness.core.events import Event, Samples
from harness.core.nouns import LoopPolicy
from harness.core.statistics import median
from harness.execute.executor import Executor
from tests.bench.ours import do_round, executor, per_run_ns, phase
from tests.bench.section import Bench, Findings, Row, Section, below_aims, row
from tests.bench.statistics import middle
from tests.making import make_artifact, make_case

_LEAST_ITERATIONS = 100_000
_AIMS_US = {"native": 2.0, "page": 5.0}
# Never narrow: the loop goes on until it has its samples. A warm-up as long as the real one's.
_BATCHED = LoopPolicy(slice_ns=2_000_000_000, narrow_within=0.0)
_SINGLE = LoopPolicy(
    slice_ns=20_000_000_000, warm_share=0.05, narrow_within=0.0, steps_per_sample=0, most_samples=150_000
)
# The rule that asks "narrow enough?" sorts all samples whenever there are a quarter more: here from the first on.
_ASKING = _SINGLE.model_copy(update={"least_time_ns": 0})
_WAYS = {"batched": _BATCHED, "one run per sample": _SINGLE, "one run per sample, rule asked": _ASKING}


async def measure(bench: Bench) -> AsyncGenerator[Findings, None]:
    rows: list[Row] = []
    for side in ("native", "page") if not bench.quick else ("native",):
        async with executor(side) as real:
            for way, policy in _WAYS.items():
                if bench.quick:
                    policy = policy.model_copy(update={"slice_ns": 300_000_000, "warm_least_ns": 0})
                rounds = [await _one(real, side, policy) for _ in range(bench.times(6, 1))]
                # The aim is for the loop as it really goes: so much quick work ends before the rule is ever asked.
                aim_us = None if policy.least_time_ns == 0 else _AIMS_US[side]
                rows.append(_row(f"{side}, {way}", rounds, aim_us))
                bench.say(f"noop: {rows[-1]['name']}")
                yield Findings(list(rows), *below_aims(rows))


async def _one(real: Executor, side: str, policy: LoopPolicy) -> list[Event]:
    with tempfile.TemporaryDirectory() as place:
        names = {"native": ("noop", None), "page": ("noop_web", "chromium")}
        platform, browser = names[side]
        case = make_case(backend=platform, platform=platform, browser=browser)
        return await do_round(real, case, make_artifact(Path(place)), Path(place), policy)


def _row(name: str, rounds: list[list[Event]], aim_us: float | None) -> Row:
    """The sampling phase's wall time by its iterations; `beyond_clock` leaves out what lay between two readings."""
    whole = [phase(heard, "sample").duration_ns / _iterations(heard) / 1e3 for heard in rounds]
    outside = [
        (phase(heard, "sample").duration_ns - _timed_ns(heard)) / len(per_run_ns(heard)) / 1e3 for heard in rounds
    ]
    value, interval = middle(whole)
    return {
        **row(name, value, interval, n=len(rounds), beyond_clock_us_per_sample=middle(outside)[0]),
        "aim": aim_us,
        "iterations": min(_iterations(heard) for heard in rounds),
        "enough_iterations": min(_iterations(heard) for heard in rounds) >= _LEAST_ITERATIONS,
        "inside_clock_us": median([median(per_run_ns(heard)) / 1e3 for heard in rounds]),
        "each_us": whole,
    }


def _batches(heard: list[Event]) -> list[Samples]:
    return [event for event in heard if isinstance(event, Samples) and event.phase == "sample"]


def _iterations(heard: list[Event]) -> int:
    return sum(len(batch.durations_ns) * batch.runs_per_sample for batch in _batches(heard))


def _timed_ns(heard: list[Event]) -> int:
    return sum(sum(batch.durations_ns) for batch in _batches(heard))


SECTION = Section(
    name="noop",
    what="wall time of the sampling phase by iterations of no work: what the loop adds around an inference",
    unit="µs per iteration",
    aim="below 2 µs native, below 5 µs in the page",
    measure=measure,
)
