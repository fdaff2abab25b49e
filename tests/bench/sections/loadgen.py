"""A peer: MLCommons' load generator, single stream, around the same busy wait of 1 ms as our no-op backend's."""

import importlib.util
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.core.errors import HarnessError
from harness.core.nouns import LoopPolicy
from harness.core.statistics import median
from harness.execute.executor import Executor
from tests.bench.fresh import output_of
from tests.bench.ours import do_round, executor, per_run_ns, phase
from tests.bench.section import Bench, Findings, Row, Section, row
from tests.bench.statistics import middle
from tests.making import make_artifact, make_case

_WORK_US = 1000
_SAMPLED_S = 1.5
# Samples for as long as the load generator issues queries, after the usual half second of warm-up.
_POLICY = LoopPolicy(slice_ns=round((_SAMPLED_S + 0.5) * 1e9), warm_share=0.25, narrow_within=0.0)
_LOOP = Path(__file__).parent.parent / "loops" / "loadgen_loop.py"


@dataclass(frozen=True)
class Overhead:
    """Microseconds beyond the work: `reported` in the median that is shown, `wall` from one query to the next."""

    reported_us: float
    wall_us: float


async def measure(bench: Bench) -> AsyncGenerator[Findings, None]:
    if importlib.util.find_spec("mlperf_loadgen") is None:
        yield Findings([], None, "mlcommons-loadgen is not installed: pip install 'model-benchmark-harness[bench]'")
        return
    drawn, found = bench.drawn("loadgen"), {"harness": list[Overhead](), "loadgen": list[Overhead]()}
    total = bench.times(10, 1)
    async with executor("native") as real:
        for number in range(1, total + 1):
            for side in drawn.sample(sorted(found), 2):
                found[side].append(await (_ours(real) if side == "harness" else _loadgen()))
            bench.say(f"loadgen: pair {number} of {total}")
            if len(found["harness"]) == len(found["loadgen"]):
                yield Findings([_row(side, each) for side, each in found.items()])


def _row(side: str, each: list[Overhead]) -> Row:
    value, interval = middle([one.wall_us for one in each])
    reported, reported_interval = middle([one.reported_us for one in each])
    return row(
        side, value, interval, n=len(each), reported_us=reported, reported_interval=reported_interval,
        each_us=[[one.wall_us, one.reported_us] for one in each],
    )  # fmt: skip


async def _ours(real: Executor) -> Overhead:
    with TemporaryDirectory() as place:
        case = make_case(options={"duration_us": str(_WORK_US)})
        heard = await do_round(real, case, make_artifact(Path(place)), Path(place), _POLICY)
    durations = per_run_ns(heard)
    wall_us = phase(heard, "sample").duration_ns / len(durations) / 1e3
    return Overhead(median(durations) / 1e3 - _WORK_US, wall_us - _WORK_US)


async def _loadgen() -> Overhead:
    with TemporaryDirectory() as place:
        said = await output_of("the load generator", _LOOP, place, _WORK_US, _SAMPLED_S)
    return overhead_in(json.loads(said))


def overhead_in(summary: dict[str, Any]) -> Overhead:
    """From the load generator's own summary."""
    if summary["Result is"].strip() != "VALID":
        raise HarnessError(f"the load generator calls its own result {summary['Result is']}")
    reported_us = float(summary["50.00 percentile latency (ns)"]) / 1e3
    return Overhead(reported_us - _WORK_US, 1e6 / float(summary["QPS w/ loadgen overhead"]) - _WORK_US)


SECTION = Section(
    name="loadgen",
    what="wall time per query beyond 1 ms of busy waiting: our loop, and MLCommons' load generator's single stream",
    unit="µs per query",
    aim=None,
    measure=measure,
)
