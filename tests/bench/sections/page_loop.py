"""Our page's loop against a bare one in the same page settings: same headers, same bundle, same threads."""

from collections.abc import AsyncGenerator
from functools import partial

from tests.bench.bare import BareBrowser
from tests.bench.ours import executor, policy_of, time_ours, warm_and_sample_s
from tests.bench.pairs import Pairs, judged
from tests.bench.section import Bench, Findings, Section
from tests.bench.standins import stand_in

# 5 ms is the size that decides; a pair is two fresh browsers, so the other two get fewer.
_PAIRS = {1: 12, 5: 30, 50: 12}
_SLICE_S = 1.25


async def measure(bench: Bench) -> AsyncGenerator[Findings, None]:
    policy, drawn = policy_of(_SLICE_S), bench.drawn("page_loop")
    sizes = (5,) if bench.quick else tuple(_PAIRS)
    standins = {size: await stand_in(bench, "page", size) for size in sizes}
    pairs = {size: Pairs() for size in sizes}
    total = bench.times(max(_PAIRS.values()), 1)
    async with executor("page") as real, BareBrowser() as browser:
        for number in range(1, total + 1):
            for size, standin in standins.items():
                if number <= _PAIRS[size]:
                    ours = partial(time_ours, real, standin, policy)
                    bare = partial(browser.measure, standin.bare(*warm_and_sample_s(policy)))
                    await pairs[size].take(ours, bare, drawn)
            rows = [taken.row(f"wasm {size} ms") for size, taken in pairs.items()]
            bench.say(f"page_loop: pair {number} of {total}")
            yield Findings(rows, *judged(rows))


SECTION = Section(
    name="page_loop",
    what="our median ÷ a bare page's median, onnxruntime-web on wasm, a fresh browser for each side of a pair",
    unit="ratio",
    aim="the interval overlaps 0.99–1.01",
    measure=measure,
)
