"""A graph is made to take and to give what its module does; what it lost must make no difference, or be a layout."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporters.attempts import _agreement
from exporters.graphs.fit import fit
from exporters.graphs.run import run_onnxruntime
from exporters.seam import ExportFailed, Subject

X = np.arange(4, dtype=np.float32)
GRID = np.array([[1, 2, 2]], np.int64)


def save(path: Path, takes: str = "x") -> Path:
    """y = 2x, and a second output that nobody wants."""
    nodes = [helper.make_node("Add", [takes, takes], ["y"]), helper.make_node("Neg", [takes], ["more"])]
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in (takes, "y", "more")}
    graph = helper.make_graph(nodes, "g", [values[takes]], [values["more"], values["y"]])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), str(path))
    return path


def ignoring(*ignored: str) -> object:
    def ignores(names: Iterable[str]) -> dict[str, bool]:
        return {name: name in ignored for name in names}

    return ignores


@pytest.mark.parametrize(
    ("inputs", "ignored", "said"),
    [
        ({"x": X}, (), ()),
        ({"x": X, "mask": np.ones(4, np.int64)}, ("mask",), ("make no difference",)),
        ({"mask": np.ones(4, np.int64), "x": X, "image_grid_thw": GRID}, ("mask",), ("make no difference", "fixed")),
    ],
)
def test_the_graph_takes_all_that_the_module_takes(
    inputs: dict[str, np.ndarray], ignored: tuple[str, ...], said: tuple[str, ...], tmp_path: Path
) -> None:
    path = save(tmp_path / "m.onnx")
    opset, notes = fit(path, inputs, {"y": 2 * X}, ignoring(*ignored))  # type: ignore[arg-type]
    assert opset == 18 and len(notes) == len(said)
    assert all(word in note for word, note in zip(said, notes, strict=True))
    graph = onnx.load(str(path)).graph
    assert [value.name for value in graph.input] == list(inputs)
    got = run_onnxruntime(path, inputs)
    assert list(got) == ["y"] and (got["y"] == 2 * X).all()


@pytest.mark.parametrize(
    ("takes", "inputs", "expected", "code", "word"),
    [
        ("x", {"x": X, "scale": X}, {"y": X}, "inputs_differ", "scale"),
        ("x", {"x": X, "pixel_sizes": X}, {"y": X}, "inputs_differ", "pixel_sizes"),
        ("z", {"x": X}, {"y": X}, "inputs_differ", "z"),
        ("x", {"x": X}, {"y": X, "other": X}, "outputs_differ", "other"),
    ],
)
def test_what_would_be_another_function_is_refused(
    takes: str, inputs: dict[str, np.ndarray], expected: dict[str, np.ndarray], code: str, word: str, tmp_path: Path
) -> None:
    with pytest.raises(ExportFailed, match=word) as caught:
        fit(save(tmp_path / "m.onnx", takes), inputs, expected, ignoring())  # type: ignore[arg-type]
    assert caught.value.code == code


def test_a_graph_that_the_runtime_alone_gets_wrong_is_not_called_wrong(tmp_path: Path) -> None:
    # The runtime was seen to take a Pad of zeros into the MaxPool behind it, which pads with the least number.
    values = [helper.make_tensor_value_info(*told) for told in (("x", 1, [1, 1, 4, 4]), ("z", 1, [1, 1, 2, 2]))]
    pads = numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64), "pads")
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["y"]),
        helper.make_node("MaxPool", ["y"], ["z"], kernel_shape=[3, 3], strides=[2, 2]),
    ]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], [pads])
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), str(path))
    x = -np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)
    right = {"z": np.array([[[[0, 0], [0, -6]]]], np.float32)}  # zeros at the upper and left edge are the largest
    assert (run_onnxruntime(path, {"x": x}, as_it_stands=True)["z"] == right["z"]).all()
    subject = Subject(tmp_path, "", "", "", False, {"x": x}, right)
    assert "ONNX Runtime agrees with the module" in _agreement(subject, path)
    with pytest.raises(ExportFailed, match="exported graph is wrong"):
        _agreement(replace(subject, expected={"z": right["z"] + 1}), path)
