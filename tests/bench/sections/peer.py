"""A peer: optimum-benchmark on the same files, on PyTorch and ONNX Runtime; its latency, and how long a case takes.

It does not run on today's packages. An interpreter that has it is named in OPTIMUM_BENCHMARK_PYTHON; one that worked:
optimum-benchmark 0.6.0 with optimum 1.26.1, transformers 4.53.3, datasets 4.0.0, huggingface_hub 0.36 (below 1), numpy
2.2.6, onnx 1.18.0, onnxruntime 1.22.1, accelerate 1.9.0, and the torch that is measured here. It cannot import a newer
ONNX Runtime, and its own export to ONNX fails on this torch, so it is given our graph.
"""

import json
import os
import shutil
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from pathlib import Path

from tests.bench.bare import LOOPS
from tests.bench.fresh import output_of
from tests.bench.ours import executor, policy_of
from tests.bench.pairs import Pairs, Timed, ratio_row
from tests.bench.real_model import LENGTH, MODEL, Prepared, full_size, time_prepared
from tests.bench.section import Bench, Findings, Row, Section

_HARDWARE = {"cpu": "pytorch", "onnxruntime": "onnxruntime"}
# As long as the peer samples, and the two fifths that may go to the warm-up.
_SAMPLED_S = 6.0
_SLICE_S = _SAMPLED_S / 0.6
# Ours and theirs.
_Walls = dict[str, tuple[list[float], list[float]]]


async def measure(bench: Bench) -> AsyncGenerator[Findings, None]:
    interpreter = os.environ.get("OPTIMUM_BENCHMARK_PYTHON")
    if interpreter is None:
        yield Findings([], None, "not raced: OPTIMUM_BENCHMARK_PYTHON names no interpreter that has optimum-benchmark")
        return
    prepared = await full_size(bench, tuple(_HARDWARE))
    latency = {name: Pairs() for name in _HARDWARE}
    wall_s: _Walls = {name: ([], []) for name in _HARDWARE}
    drawn, policy, total = bench.drawn("peer"), policy_of(_SLICE_S), bench.times(6, 1)
    async with executor("native") as real:
        for number in range(1, total + 1):
            for name, each in prepared.items():
                theirs = partial(_theirs, interpreter, _HARDWARE[name], _readable(bench, each), each.case.threads)
                await latency[name].take(partial(time_prepared, real, each, policy), theirs, drawn)
                wall_s[name][0].append(await _seconds(partial(_our_case, bench, name)))
                wall_s[name][1].append(await _seconds(theirs))
            bench.say(f"peer: pair {number} of {total}")
            yield Findings(_rows(latency, wall_s))


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def _rows(latency: dict[str, Pairs], wall_s: _Walls) -> list[Row]:
    rows = [taken.row(f"{MODEL} l{LENGTH} {name}, latency") for name, taken in latency.items()]
    return rows + [
        ratio_row(f"{MODEL} l{LENGTH} {name}, wall of a case", [1e3 * s for s in ours], [1e3 * s for s in theirs])
        for name, (ours, theirs) in wall_s.items()
    ]


def _readable(bench: Bench, each: Prepared) -> Path:
    """The Artifact's files in one folder, as the peer's backends look for them."""
    folder = bench.folder / f"peer-{each.artifact.digest}"
    if not folder.exists():
        shutil.copytree(each.folder / "hf", folder)
        graph = each.artifact.onnx["fp32"]
        for file in (graph.file, *graph.external):
            shutil.copy(each.folder / file, folder / Path(file).name)
    return folder


async def _theirs(interpreter: str, backend: str, folder: Path, threads: int) -> Timed:
    asked = (backend, folder, threads, _SAMPLED_S, LENGTH)
    said = await output_of("optimum-benchmark", LOOPS / "peer_loop.py", *asked, interpreter=interpreter, folder=folder)
    found = json.loads(said.splitlines()[-1])
    return Timed(found["median_ms"], found["n"], first_ms=0.0)


async def _our_case(bench: Bench, hardware: str) -> None:
    """The whole command for one case whose Artifact is there, with one Round as long as the peer's."""
    asked = ("--model", MODEL, "--scale", "tiny" if bench.quick else "full", "--hardware", hardware)
    how = ("--length", LENGTH, "--threads", bench.threads, "--rounds", 1, "--budget", f"{_SLICE_S:g}s", "--json")
    where = ("--quiet", "off", "--db", bench.folder / "h.duckdb")
    await output_of("harness run", "-m", "harness", "run", *asked, *how, *where)


SECTION = Section(
    name="peer",
    what="ours ÷ optimum-benchmark's, full-size BERT, fp32, batch 1, 128 tokens, two threads, fresh processes",
    unit="ratio",
    aim=None,
    measure=measure,
)
