"""Bare graphs: copied, made static, judged by their own test data; broken or hostile ones are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.exporters.asking import ask, must_export, onnx_request

WEIGHT = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], np.float32)


def save_model(folder: Path, shape: list[Any], external: str | None = None, listed: bool = False) -> Path:
    """y = x · WEIGHT with x of `shape`; the weight inside the file, or said to lie at `external`."""
    weight = numpy_helper.from_array(WEIGHT, "w")
    if external is not None:
        onnx.external_data_helper.set_external_data(weight, external, offset=0, length=WEIGHT.nbytes)
        weight.ClearField("raw_data")
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    if listed:
        inputs.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 2]))
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [shape[0], 2])]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", inputs, outputs, [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    folder.mkdir(exist_ok=True)
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    return folder / "m.onnx"


def save_test_set(folder: Path, x: Any, y: Any) -> None:
    folder.mkdir()
    (folder / "input_0.pb").write_bytes(numpy_helper.from_array(x, "x").SerializeToString())
    (folder / "output_0.pb").write_bytes(numpy_helper.from_array(y, "y").SerializeToString())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "model"


def shapes(path: Path) -> dict[str, list[Any]]:
    graph = onnx.load(str(path), load_external_data=False).graph
    values = (*graph.input, *graph.output)
    return {v.name: [d.dim_value or d.dim_param for d in v.type.tensor_type.shape.dim] for v in values}


def test_made_inputs_and_onnxruntime_as_reference(source: Path, out: Path) -> None:
    made = must_export(onnx_request(save_model(source, [4, 3])), out)
    artifact = made.artifact
    assert (artifact.reference, artifact.built_by, artifact.hf, artifact.opset) == (
        "onnxruntime-cpu-fp32", None, None, 18,
    )  # fmt: skip
    x = made.arrays("inputs")["x"]
    assert x.shape == (4, 3) and x.dtype == np.float32
    np.testing.assert_allclose(made.arrays("expected")["y"], x @ WEIGHT, rtol=1e-5)
    assert any("made inputs" in note for note in artifact.notes)


def test_symbolic_dimension_becomes_static(source: Path, out: Path) -> None:
    made = must_export(onnx_request(save_model(source, ["batch", 3]), dims={"batch": 5}), out)
    assert made.arrays("inputs")["x"].shape == (5, 3)
    assert shapes(out / made.artifact.onnx["fp32"].file) == {"x": [5, 3], "y": [5, 2]}


def test_dimension_without_a_name_has_one_for_dim(source: Path, out: Path) -> None:
    path = save_model(source, [None, 3])
    last = ask(onnx_request(path), out)
    assert last["code"] == "unknown_dim" and "--dim x[0]=SIZE" in last["reason"]
    assert must_export(onnx_request(path, dims={"x[0]": 2}), out).arrays("inputs")["x"].shape == (2, 3)


@pytest.mark.parametrize(
    ("dims", "words"),
    [({}, ["batch", "--dim batch=SIZE"]), ({"bach": 2}, ["bach", "batch"]), ({"batch": 0}, ["at least 1"])],
)
def test_unknown_dimension_is_named(dims: dict[str, int], words: list[str], source: Path, out: Path) -> None:
    last = ask(onnx_request(save_model(source, ["batch", 3]), dims=dims), out)
    assert last["code"] == "unknown_dim" and all(word in last["reason"] for word in words), last


def test_test_data_beside_the_model_is_the_reference(source: Path, out: Path) -> None:
    path = save_model(source, ["batch", 3])
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    save_test_set(source / "test_data_set_0", x, x @ WEIGHT)
    made = must_export(onnx_request(path), out)
    assert made.artifact.reference == "test_data"
    assert shapes(out / made.artifact.onnx["fp32"].file)["x"] == [2, 3], "the data say the sizes"
    np.testing.assert_array_equal(made.arrays("inputs")["x"], x)
    np.testing.assert_array_equal(made.arrays("expected")["y"], x @ WEIGHT)


def test_test_data_that_contradicts_the_graph_stays_the_reference_and_is_noted(source: Path, out: Path) -> None:
    path = save_model(source, [2, 3])
    x = np.ones((2, 3), np.float32)
    save_test_set(source / "test_data_set_0", x, x @ WEIGHT + 1)
    made = must_export(onnx_request(path), out)
    np.testing.assert_array_equal(made.arrays("expected")["y"], x @ WEIGHT + 1)
    assert any("disagrees with the test data" in note for note in made.artifact.notes)


def test_test_data_of_other_sizes_is_left_aside(source: Path, out: Path) -> None:
    path = save_model(source, ["batch", 3])
    x = np.ones((2, 3), np.float32)
    save_test_set(source / "test_data_set_0", x, x @ WEIGHT)
    made = must_export(onnx_request(path, dims={"batch": 7}), out)
    assert made.artifact.reference == "onnxruntime-cpu-fp32"
    assert any("left aside" in note for note in made.artifact.notes)


def test_inputs_from_npz(source: Path, out: Path, tmp_path: Path) -> None:
    x = np.full((1, 3), 2, np.float32)
    np.savez(tmp_path / "in.npz", x=x)
    made = must_export(onnx_request(save_model(source, ["b", 3]), inputs_path=str(tmp_path / "in.npz")), out)
    np.testing.assert_allclose(made.arrays("expected")["y"], [[18, 24]])  # 2·(1+3+5), 2·(2+4+6)


@pytest.mark.parametrize("arrays", [{"z": np.ones((1, 3), np.float32)}, {"x": np.ones((1, 4), np.float32)},
                                    {"x": np.ones((1, 3), np.float64)}, {"x": np.ones(3, np.float32)}])  # fmt: skip
def test_inputs_that_do_not_fit(arrays: dict[str, Any], source: Path, out: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", **arrays)
    last = ask(onnx_request(save_model(source, ["b", 3]), inputs_path=str(tmp_path / "in.npz")), out)
    assert last["code"] == "inputs_mismatch", last


def test_inputs_from_a_folder(source: Path, out: Path, tmp_path: Path) -> None:
    x = np.ones((1, 3), np.float32)
    save_test_set(tmp_path / "given", x, x @ WEIGHT)
    made = must_export(onnx_request(save_model(source, ["b", 3]), inputs_path=str(tmp_path / "given")), out)
    assert made.artifact.reference == "test_data"


def test_unreadable_inputs(source: Path, out: Path, tmp_path: Path) -> None:
    (tmp_path / "in.npz").write_bytes(b"no zip at all")
    last = ask(onnx_request(save_model(source, [1, 3]), inputs_path=str(tmp_path / "in.npz")), out)
    assert last["code"] == "inputs_unreadable"


@pytest.mark.parametrize("dims", [{}, {"batch": 2}])
def test_external_data_is_copied_beside_the_graph(dims: dict[str, int], source: Path, out: Path) -> None:
    path = save_model(source, ["batch" if dims else 2, 3], external="data/w.bin")
    (source / "data").mkdir()
    (source / "data/w.bin").write_bytes(WEIGHT.tobytes())
    made = must_export(onnx_request(path, dims=dims), out)
    assert made.artifact.onnx["fp32"].external == ("onnx/fp32/data/w.bin",)
    np.testing.assert_allclose(made.run_onnxruntime()["y"], made.arrays("inputs")["x"] @ WEIGHT, rtol=1e-5)


@pytest.mark.parametrize(
    "place", ["../secret.bin", "ABSOLUTE", "a/../../secret.bin", "C:\\secret.bin", "..\\secret.bin"]
)
def test_external_data_may_not_escape(place: str, source: Path, out: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(WEIGHT.tobytes())
    path = save_model(source, [1, 3], external=str(secret) if place == "ABSOLUTE" else place)
    last = ask(onnx_request(path), out)
    assert last["code"] == "external_data_escapes", last
    assert not any(out.iterdir())


def test_external_data_may_not_escape_by_symlink(source: Path, out: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(WEIGHT.tobytes())
    path = save_model(source, [1, 3], external="w.bin")
    (source / "w.bin").symlink_to(tmp_path / "secret.bin")
    assert ask(onnx_request(path), out)["code"] == "external_data_escapes"


@pytest.mark.parametrize("data", [None, b"short"])
def test_external_data_missing_or_short(data: bytes | None, source: Path, out: Path) -> None:
    path = save_model(source, [1, 3], external="w.bin")
    if data is not None:
        (source / "w.bin").write_bytes(data)
    assert ask(onnx_request(path), out)["code"] == "broken_onnx"


def test_broken_files(source: Path, out: Path) -> None:
    path = save_model(source, [1, 3])
    whole = path.read_bytes()
    for data in (whole[:-7], b"", b"not onnx at all, just some words"):
        path.write_bytes(data)
        last = ask(onnx_request(path), out)
        assert last["code"] == "broken_onnx", data
        assert "\n" not in last["reason"]
    path.unlink()
    assert ask(onnx_request(path), out)["code"] == "model_not_found"


def test_initializer_listed_as_input_is_not_asked_for(source: Path, out: Path) -> None:
    made = must_export(onnx_request(save_model(source, [1, 3], listed=True)), out)
    assert [tensor.name for tensor in made.artifact.inputs] == ["x"]


def test_integers_and_booleans_are_small_and_of_the_right_type(source: Path, out: Path) -> None:
    source.mkdir()
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, [50]),
        helper.make_tensor_value_info("on", TensorProto.BOOL, [50]),
    ]
    nodes = [
        helper.make_node("Cast", ["on"], ["bits"], to=TensorProto.INT64),
        helper.make_node("Add", ["ids", "bits"], ["sum"]),
    ]
    outputs = [helper.make_tensor_value_info("sum", TensorProto.INT64, [50])]
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), ir_version=10,
                              opset_imports=[helper.make_opsetid("", 18)])  # fmt: skip
    onnx.save(model, str(source / "m.onnx"))
    arrays = must_export(onnx_request(source / "m.onnx"), out).arrays("inputs")
    assert arrays["ids"].dtype == np.int64 and set(arrays["ids"]) == {0, 1}
    assert arrays["on"].dtype == np.bool_ and set(arrays["on"]) == {False, True}
    # Two inputs do not share their numbers.
    assert (arrays["ids"] != arrays["on"]).any()


def test_not_a_number_is_refused_with_a_way_out(source: Path, out: Path) -> None:
    source.mkdir()
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [50]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Log", ["x"], ["y"])], "g", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), source / "m.onnx")
    last = ask(onnx_request(source / "m.onnx"), out)
    assert last["code"] == "degenerate_output" and "--inputs" in last["reason"]
