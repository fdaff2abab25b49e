"""Our native loop against a bare one: does the number that we report differ from what anybody would measure?"""

from collections.abc import AsyncGenerator
from functools import partial

from tests.bench.bare import bare_native
from tests.bench.ours import executor, policy_of, time_ours, warm_and_sample_s
from tests.bench.pairs import Pairs, judged
from tests.bench.section import Bench, Findings, Section
from tests.bench.standins import stand_in

_SIZES_MS = (1, 5, 50)
# Warm-up may take 40 % of it: then exactly as long as it must at least, so that the bare loop can do the same.
_SLICE_S = 1.25


async def measure(bench: Bench) -> AsyncGenerator[Findings, None]:
    policy, drawn = policy_of(_SLICE_S), bench.drawn("native_loop")
    standins = {size: await stand_in(bench, "native", size) for size in _SIZES_MS}
    pairs = {size: Pairs() for size in _SIZES_MS}
    total = bench.times(30, 1)
    async with executor("native") as real:
        for number in range(1, total + 1):
            for size, standin in standins.items():
                ours = partial(time_ours, real, standin, policy)
                await pairs[size].take(ours, partial(bare_native, standin.bare(*warm_and_sample_s(policy))), drawn)
            rows = [taken.row(f"onnxruntime {size} ms") for size, taken in pairs.items()]
            bench.say(f"native_loop: pair {number} of {total}")
            yield Findings(rows, *judged(rows))


SECTION = Section(
    name="native_loop",
    what="our median ÷ a bare loop's median, ONNX Runtime, a fresh process for each side of a pair",
    unit="ratio",
    aim="the interval overlaps 0.99–1.01",
    measure=measure,
)
