"""A small Artifact: float32 rows gathered by int64 ids, masked by a bool, through MatMul and Add."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from harness.core.events import CaseMessage
from harness.core.nouns import Artifact, Case, Graph, LoopPolicy, Model, Tensor

MODEL = Model(
    name="small.onnx", kind="onnx", identity="test", architecture=None, weights="random", scale="tiny", family="graph"
)


def make_artifact(folder: Path) -> Artifact:
    """Write graph (external data, one folder down), inputs and expected output; the manifest beside them."""
    drawn = np.random.default_rng(0)
    table = drawn.standard_normal((50, 32), dtype=np.float32)
    weight = drawn.standard_normal((32, 16), dtype=np.float32)
    bias = drawn.standard_normal(16, dtype=np.float32)
    ids = drawn.integers(0, 50, (4, 8), dtype=np.int64)
    mask = drawn.random((4, 8, 1)) > 0.3
    scale = drawn.standard_normal((4, 8, 1), dtype=np.float32)
    expected = np.where(mask, table[ids] @ weight + bias, np.float32(0)) * scale
    _write_graph(folder / "onnx" / "fp32", {"table": table, "weight": weight, "bias": bias})
    inputs = tuple(_write(folder, "inputs", name, data) for name, data in _named(ids=ids, mask=mask, scale=scale))
    artifact = Artifact(
        digest="0" * 16, model=MODEL, task="graph", batch_size=4, length=None, exporter="test",
        versions={}, built_by=None, weights_from="a seed", reference="test_data", opset=20,
        inputs=inputs, expected=(_write(folder, "expected", "result", expected.astype(np.float32)),),
        onnx={"fp32": Graph(file="onnx/fp32/model.onnx", external=("onnx/fp32/model.onnx.data",))}, files=(),
    )  # fmt: skip
    (folder / "artifact.json").write_text(artifact.model_dump_json())
    return artifact


def case_message(folder: Path, platform: str, backend: str = "ort_web", **changed: object) -> CaseMessage:
    """The message for this Artifact; `changed` overrides fields of the Case or of the message."""
    artifact = Artifact.model_validate(json.loads((folder / "artifact.json").read_text()))
    device = "cpu" if platform in ("webnn", "noop_web") else platform
    case = Case(model=MODEL, task="graph", platform=platform, backend=backend, device=device, browser="chromium")
    case = case.model_copy(update={"threads": 2, **{k: v for k, v in changed.items() if k in Case.model_fields}})
    message = CaseMessage(
        round_id="r1", case=case, artifact=artifact, base="/artifact/token/", outputs_to="/outputs/token/",
        policy=LoopPolicy(slice_ns=1_000_000_000, least_time_ns=200_000_000),
    )  # fmt: skip
    return message.model_copy(update={k: v for k, v in changed.items() if k in CaseMessage.model_fields})


def _named(**arrays: NDArray[np.generic]) -> list[tuple[str, NDArray[np.generic]]]:
    return list(arrays.items())


def _write(folder: Path, kind: str, name: str, data: NDArray[np.generic]) -> Tensor:
    file = f"{kind}/{hashlib.sha256(name.encode()).hexdigest()[:8]}.bin"
    (folder / kind).mkdir(exist_ok=True)
    np.ascontiguousarray(data).tofile(folder / file)
    return Tensor(name=name, dtype=data.dtype.name, shape=data.shape, file=file)


def _write_graph(folder: Path, weights: dict[str, NDArray[np.float32]]) -> None:
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "weight"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["sum"]),
        helper.make_node("Where", ["mask", "sum", "zero"], ["kept"]),
        helper.make_node("Mul", ["kept", "scale"], ["result"]),
    ]
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, [4, 8]),
        helper.make_tensor_value_info("mask", TensorProto.BOOL, [4, 8, 1]),
        helper.make_tensor_value_info("scale", TensorProto.FLOAT, [4, 8, 1]),
    ]
    output = helper.make_tensor_value_info("result", TensorProto.FLOAT, [4, 8, 16])
    initial = [numpy_helper.from_array(data, name) for name, data in weights.items()]
    initial.append(numpy_helper.from_array(np.float32(0), "zero"))
    graph = helper.make_graph(nodes, "small", inputs, [output], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    folder.mkdir(parents=True)
    onnx.save_model(
        model, folder / "model.onnx", save_as_external_data=True, location="model.onnx.data", size_threshold=0
    )
