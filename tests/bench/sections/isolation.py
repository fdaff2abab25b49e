"""What a Round's isolation does to its number: a zygote's latency and first inference over a fresh process's."""

from collections.abc import AsyncGenerator
from functools import partial

from tests.bench.ours import executor, isolations, policy_of, time_ours
from tests.bench.pairs import Pairs
from tests.bench.section import Bench, Findings, Row, Section
from tests.bench.standins import isolated, stand_in

_SIZE_MS = 5
_SLICE_S = 1.25


async def measure(bench: Bench) -> AsyncGenerator[Findings, None]:
    if "zygote" not in isolations():
        yield Findings([], None, "nothing to compare: this version knows no isolation but `process`")
        return
    policy, drawn = policy_of(_SLICE_S), bench.drawn("isolation")
    done: list[Row] = []
    for side in ("native",) if bench.quick else ("native", "page"):
        fresh = await stand_in(bench, side, _SIZE_MS)
        forked, pairs = isolated(fresh, "zygote"), Pairs()
        total = bench.times(12, 1)
        async with executor(side) as real:
            for number in range(1, total + 1):
                await pairs.take(
                    partial(time_ours, real, forked, policy), partial(time_ours, real, fresh, policy), drawn
                )
                rows = [pairs.row(f"{side}, latency"), pairs.first_row(f"{side}, first inference")]
                bench.say(f"isolation: {side} pair {number} of {total}")
                yield Findings([*done, *rows])
        done += rows


SECTION = Section(
    name="isolation",
    what="zygote ÷ process, latency and first inference of a 5 ms stand-in",
    unit="ratio",
    aim=None,
    measure=measure,
)
