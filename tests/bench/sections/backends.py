"""Our figure for a real model on each native backend against the loop that a stranger would write around that
backend."""

import json
from collections.abc import AsyncGenerator
from functools import partial

from harness.core.nouns import LoopPolicy
from tests.bench.bare import LOOPS
from tests.bench.fresh import output_of
from tests.bench.ours import executor, policy_of, warm_and_sample_s
from tests.bench.pairs import Pairs, Timed, judged
from tests.bench.real_model import LENGTH, MODEL, Prepared, full_size, time_prepared
from tests.bench.section import Bench, Findings, Section

_HARDWARE = {"cpu": "pytorch", "onnxruntime": "onnxruntime", "openvino": "openvino"}
# Some forty samples of a quarter of a second.
_SLICE_S = 12.0


async def measure(bench: Bench) -> AsyncGenerator[Findings, None]:
    policy, drawn = policy_of(1.25 if bench.quick else _SLICE_S), bench.drawn("backends")
    prepared = await full_size(bench, tuple(_HARDWARE))
    pairs = {name: Pairs() for name in _HARDWARE}
    total = bench.times(8, 1)
    async with executor("native") as real:
        for number in range(1, total + 1):
            for name, each in prepared.items():
                bare = partial(_bare, _HARDWARE[name], each, policy)
                await pairs[name].take(partial(time_prepared, real, each, policy), bare, drawn)
            rows = [taken.row(f"{MODEL} l{LENGTH} {name}") for name, taken in pairs.items()]
            bench.say(f"backends: pair {number} of {total}")
            yield Findings(rows, *judged(rows))


async def _bare(backend: str, each: Prepared, policy: LoopPolicy) -> Timed:
    """One fresh process."""
    asked = (backend, each.folder, each.case.threads, *warm_and_sample_s(policy))
    return Timed(**json.loads(await output_of("the bare loop", LOOPS / "bare_backend.py", *asked)))


SECTION = Section(
    name="backends",
    what="our median ÷ a bare loop's median, full-size BERT, fp32, batch 1, 128 tokens, two threads, fresh processes",
    unit="ratio",
    aim="the interval overlaps 0.99–1.01",
    measure=measure,
)
