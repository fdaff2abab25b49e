"""What is done to a config before the older transformers reads it, and to optimum's graph after it was made."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from exporters.graphs.run import run_onnxruntime
from exporters.seam import Subject
from exporters.to_onnx_optimum import fix_sizes, restate_rope


def test_rotary_positions_are_spelled_as_the_older_release_reads_them() -> None:
    plain: dict[str, Any] = {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}
    assert restate_rope(plain) and plain["rope_theta"] == 500.0 and "rope_scaling" not in plain
    scaled: dict[str, Any] = {
        "text_config": {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 7.0}}
    }
    assert restate_rope(scaled)
    assert scaled["text_config"]["rope_scaling"] == {"rope_type": "linear", "factor": 2.0}
    by_layer: dict[str, Any] = {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1.0}}}
    assert not restate_rope(by_layer) and list(by_layer) == ["rope_parameters"]


def test_a_graph_gets_the_frozen_sizes_and_positions_of_its_own(tmp_path: Path) -> None:
    """`out = x + position_ids`, of any batch and length, as optimum would write it."""
    dims = ["batch_size", "sequence_length"]
    takes = [helper.make_tensor_value_info(name, TensorProto.INT64, dims) for name in ("x", "position_ids")]
    gives = [helper.make_tensor_value_info("out", TensorProto.INT64, dims)]
    graph = helper.make_graph([helper.make_node("Add", ["x", "position_ids"], ["out"])], "adds", takes, gives)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    x = np.array([[10, 10, 10], [20, 20, 20]], np.int64)
    want = np.array([[10, 11, 12], [20, 21, 22]], np.int64)
    notes = fix_sizes(model, Subject(tmp_path, "m", "C", "t", False, {"x": x}, {"out": want}))
    assert [value.name for value in model.graph.input] == ["x"] and "position_ids" in notes[0]
    for value in (model.graph.input[0], model.graph.output[0]):
        assert [dim.dim_value for dim in value.type.tensor_type.shape.dim] == [2, 3]
    onnx.save(model, str(tmp_path / "model.onnx"))
    assert run_onnxruntime(tmp_path / "model.onnx", {"x": x})["out"].tolist() == want.tolist()
