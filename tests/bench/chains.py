"""Two graphs whose work differs by a known share: chains of equal matrix products, each with its own test data.

A chain of 21 products takes 5 % longer than one of 20. The matrices are orthogonal, so values keep their size however
long the chain is; they differ from product to product, so nothing can be shared or folded.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from harness.core.errors import HarnessError

# 7 million multiplications a product: half a millisecond on wasm and one thread, so the chain is what takes time.
_WIDTH = 192
# A product in fp32 is off by some 1e-7 of its size, and 20 of them add up.
_FP32_AGREES = 1e-4


@dataclass(frozen=True)
class Chain:
    """A graph `x · W1 · W2 …`, its input as raw float32, and their shape."""

    path: Path
    products: int

    @property
    def input_file(self) -> Path:
        return self.path.with_name("input.bin")

    @property
    def shape(self) -> tuple[int, int]:
        return _WIDTH, _WIDTH


def write_chain(folder: Path, products: int, seed: int) -> Chain:
    """The graph with `test_data_set_0` beside it, whose output is numpy's in double precision.

    Raises HarnessError when ONNX Runtime gives another: then the graph is not what it is taken for.
    """
    folder.mkdir(parents=True)
    drawn = np.random.default_rng([seed, products])
    weights = [np.linalg.qr(drawn.normal(size=(_WIDTH, _WIDTH)))[0].astype(np.float32) for _ in range(products)]
    given = drawn.normal(size=(_WIDTH, _WIDTH)).astype(np.float32)
    chain = Chain(folder / f"{folder.name}.onnx", products)
    onnx.save(_graph(weights), chain.path)
    given.tofile(chain.input_file)
    expected = _product(given, weights)
    session = onnxruntime.InferenceSession(str(chain.path), providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {"x": given})
    if not np.allclose(got, expected, rtol=0, atol=_FP32_AGREES):
        raise HarnessError(f"{chain.path.name}: ONNX Runtime is {np.abs(got - expected).max():.2g} off numpy's product")
    beside = folder / "test_data_set_0"
    beside.mkdir()
    for role, name, array in (("input", "x", given), ("output", "y", expected)):
        tensor = numpy_helper.from_array(array, name)
        (beside / f"{role}_0.pb").write_bytes(tensor.SerializeToString())
    return chain


def _product(given: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    value = given.astype(np.float64)
    for weight in weights:
        value = value @ weight.astype(np.float64)
    return value.astype(np.float32)


def _graph(weights: list[np.ndarray]) -> onnx.ModelProto:
    names = ["x", *(f"h{index}" for index in range(1, len(weights))), "y"]
    nodes = [helper.make_node("MatMul", [names[at], f"w{at}"], [names[at + 1]]) for at in range(len(weights))]
    shaped = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [_WIDTH, _WIDTH]) for name in ("x", "y")]
    initial = [numpy_helper.from_array(each, f"w{at}") for at, each in enumerate(weights)]
    graph = helper.make_graph(nodes, "chain", shaped[:1], shaped[1:], initial)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
