"""Models of a wanted duration: layers until it takes that long here and now, then really exported.

A graph of tanh layers. Its weights shrink what goes in (gain below 1), so that a difference in the last bit dies
out with depth instead of growing, and native and page agree.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from harness.core.nouns import Artifact, Case
from harness.export.cache import ArtifactCache
from harness.export.process import inspect_model
from harness.export.request import request_for
from harness.plan.cases import make_plan
from harness.plan.selection import make_selection
from tests.bench.bare import BareBrowser, BareWork, bare_native
from tests.bench.pairs import Timed
from tests.bench.section import Bench

_WIDTH, _MATRICES, _GAIN = 256, 4, 0.9
_FEW_ROWS, _ROWS = 16, 64  # a 1 ms model needs thin layers to have some
_FIRST_GUESS, _TRIES, _TRY_S, _NEAR_ENOUGH = 16, 4, 0.5, 1.2
_HARDWARE = {"native": "onnxruntime", "page": "wasm"}

Try = Callable[[BareWork], Awaitable[Timed]]


@dataclass(frozen=True)
class Shape:
    """Of a stand-in: rows of activations, and how many layers they go through."""

    rows: int
    layers: int


@dataclass(frozen=True)
class StandIn:
    """A graph, the Case and the Artifact that were made of it, and where that lies."""

    path: Path
    case: Case
    artifact: Artifact
    folder: Path

    def bare(self, warm_s: float, sample_s: float) -> BareWork:
        """The same graph and the same input bytes for a bare loop."""
        (given,) = self.artifact.inputs
        return BareWork(
            self.folder, self.artifact.onnx["fp32"].file, given.file, given.shape, self.case.threads, warm_s, sample_s
        )


async def stand_in(bench: Bench, side: str, wanted_ms: int) -> StandIn:
    """The stand-in for one side (`native` or `page`), made once per bench."""
    known = bench.standins.get((side, wanted_ms))
    if known is None:
        if side == "native":
            shape = await _sized(bench, wanted_ms, bare_native)
        else:
            async with BareBrowser() as browser:
                shape = await _sized(bench, wanted_ms, browser.measure)
        known = bench.standins[side, wanted_ms] = await _export(bench, side, wanted_ms, shape)
        bench.say(f"stand-in {side} {wanted_ms} ms: {shape.layers} layers of {shape.rows} × {_WIDTH}")
    return known


async def _sized(bench: Bench, wanted_ms: int, attempt: Try) -> Shape:
    """Layers by trial on the bare side: threads that wait for each other make time anything but linear in them."""
    shape = Shape(_FEW_ROWS if wanted_ms <= 1 else _ROWS, _FIRST_GUESS)
    folder = bench.folder / "trial"
    folder.mkdir(parents=True, exist_ok=True)
    np.ones((shape.rows, _WIDTH), dtype=np.float32).tofile(folder / "x.bin")
    work = BareWork(folder, "model.onnx", "x.bin", (shape.rows, _WIDTH), bench.threads, _TRY_S, _TRY_S)
    for _ in range(bench.times(_TRIES, 1)):
        write_graph(folder / "model.onnx", shape, bench.seed)
        short_by = wanted_ms / (await attempt(work)).median_ms
        if 1 / _NEAR_ENOUGH <= short_by <= _NEAR_ENOUGH:
            break
        shape = Shape(shape.rows, max(1, round(shape.layers * short_by)))
    return shape


def write_graph(path: Path, shape: Shape, seed: int) -> None:
    """Layer upon layer of tanh(x · W + b), with a few matrices by turns so that depth costs time and no room."""
    drawn = np.random.default_rng(seed)
    scale = _GAIN / np.sqrt(_WIDTH)
    weights = [drawn.normal(0, scale, (_WIDTH, _WIDTH)).astype(np.float32) for _ in range(_MATRICES)]
    initial = [numpy_helper.from_array(each, f"w{index}") for index, each in enumerate(weights)]
    initial.append(numpy_helper.from_array(drawn.normal(0, 0.5, _WIDTH).astype(np.float32), "b"))
    nodes, last = [], "x"
    for layer in range(shape.layers):
        out = "y" if layer == shape.layers - 1 else f"h{layer}"
        nodes += [
            helper.make_node("MatMul", [last, f"w{layer % _MATRICES}"], [f"p{layer}"]),
            helper.make_node("Add", [f"p{layer}", "b"], [f"s{layer}"]),
            helper.make_node("Tanh", [f"s{layer}"], [out]),
        ]
        last = out
    shaped = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [shape.rows, _WIDTH]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "stand_in", shaped[:1], shaped[1:], initial)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


async def _export(bench: Bench, side: str, wanted_ms: int, shape: Shape) -> StandIn:
    path = bench.folder / f"{side}-{wanted_ms}ms" / "standin.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_graph(path, shape, bench.seed)
    flags = {"model": (str(path),), "hardware": (_HARDWARE[side],), "threads": bench.threads, "seed": bench.seed}
    case = make_plan(make_selection(None, flags), inspect_model).cases[0].case
    cache = ArtifactCache(bench.folder / "artifacts")
    request = request_for(case)
    artifact = cache.find(request) or await cache.make(request, lambda text: None)
    return StandIn(path, case, artifact, cache.folder / artifact.digest)


def isolated(standin: StandIn, isolation: str) -> StandIn:
    """The same with another isolation of its Rounds."""
    return replace(standin, case=standin.case.model_copy(update={"isolation": isolation}))
