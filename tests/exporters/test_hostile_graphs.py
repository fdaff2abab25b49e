"""Graphs that lie, leave their folder, never end or ask for everything: one code and one sentence each."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporters.graphs import run as reference
from tests.exporters.asking import ask, must_export, onnx_request

WEIGHT = np.arange(6, dtype=np.float32).reshape(3, 2)
GIGANTIC = 50 * 10**9
value = helper.make_tensor_value_info


def save(folder: Path, **parts: Any) -> Path:
    """y = x · WEIGHT, with the parts that are given instead."""
    nodes = parts.get("nodes", [helper.make_node("MatMul", ["x", "w"], ["y"])])
    inputs = parts.get("inputs", [value("x", TensorProto.FLOAT, [2, 3])])
    outputs = parts.get("outputs", [value("y", TensorProto.FLOAT, [2, 2])])
    graph = helper.make_graph(nodes, "g", inputs, outputs, parts.get("initial", [numpy_helper.from_array(WEIGHT, "w")]))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    folder.mkdir(exist_ok=True)
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    return folder / "m.onnx"


def stored(dims: list[int], raw: bytes) -> Any:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, raw_data=raw)
    tensor.dims.extend(dims)
    return tensor


def external(location: str, offset: Any = 0, length: Any = WEIGHT.nbytes) -> list[Any]:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.dims.extend(WEIGHT.shape)
    for key, told in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(told))
    return [tensor]


def field(number: int, content: bytes) -> bytes:
    """A protobuf field with a length, by hand: the library refuses to write what it refuses to read."""
    size, length = len(content), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def nested(depth: int) -> bytes:
    """graph.node.attribute.graph.node… so many times."""
    graph = b""
    for _ in range(depth):
        graph = field(1, field(5, field(6, graph)))
    return b"\x08\x0a" + field(7, graph)


def raw(content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        folder.mkdir()
        (folder / "m.onnx").write_bytes(content)
        return folder / "m.onnx"

    return write


def parts(**changed: Any) -> Callable[[Path], Path]:
    return lambda folder: save(folder, **changed)


def sparse(folder: Path) -> Path:
    folder.mkdir()
    with (folder / "m.onnx").open("wb") as file:
        file.truncate(GIGANTIC)
    return folder / "m.onnx"


def with_data(lay: Callable[[Path], Any], **where: Any) -> Callable[[Path], Path]:
    """External data at `w.bin`, which `lay` puts there."""

    def write(folder: Path) -> Path:
        path = save(folder, initial=external("w.bin", **where))
        lay(folder / "w.bin")
        return path

    return write


def sparse_data(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(GIGANTIC)


def whole_data(path: Path) -> None:
    path.write_bytes(WEIGHT.tobytes())


def with_test_data(lay: Callable[[Path], Any]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = save(folder)
        (folder / "test_data_set_0").mkdir()
        lay(folder / "test_data_set_0" / "input_0.pb")
        return path

    return write


def of_size(*shape: int) -> Callable[[Path], Path]:
    return parts(
        inputs=[value("x", TensorProto.FLOAT, list(shape))], outputs=[value("y", TensorProto.FLOAT, [None, 2])]
    )


CYCLE = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Add", ["a", "x"], ["b"])]
LIES = {
    "empty": (raw(b""), "broken_onnx"),
    "words": (raw(b"not onnx"), "broken_onnx"),
    "a header that promises 4 GiB": (raw(b"\x3a\xff\xff\xff\xff\x0f" + b"x" * 20), "broken_onnx"),
    "50 GB of nothing": (sparse, "broken_onnx"),
    "two thousand graphs in each other": (raw(nested(2000)), "broken_onnx"),
    "cyclic": (parts(nodes=[*CYCLE, helper.make_node("MatMul", ["b", "w"], ["y"])]), "broken_onnx"),
    "no nodes": (parts(nodes=[]), "broken_onnx"),
    "no outputs": (parts(outputs=[]), "broken_onnx"),
    "an operator that is not": (parts(nodes=[helper.make_node("Frob", ["x"], ["y"])]), "broken_onnx"),
    "a type that is not": (parts(inputs=[value("x", 99, [2, 3])]), "broken_onnx"),
    "too few bytes": (parts(initial=[stored([3, 2], b"1234")]), "broken_onnx"),
    "more dimensions than numbers": (parts(initial=[stored([2**40, 2**40], b"1234")]), "broken_onnx"),
    "negative dimensions": (parts(initial=[stored([-3, 2], WEIGHT.tobytes())]), "broken_onnx"),
    "an input of 12 GB": (of_size(10**9, 3), "inputs_too_large"),
    "an input beyond 64 bits": (of_size(2**62, 2**62, 3), "inputs_too_large"),
    "data missing": (parts(initial=external("no.bin")), "broken_onnx"),
    "data at the end of ../": (parts(initial=external("../../../../etc/passwd")), "external_data_escapes"),
    "data at an absolute path": (parts(initial=external("/etc/passwd")), "external_data_escapes"),
    "data on a drive": (parts(initial=external("C:\\x.bin")), "external_data_escapes"),
    "data on a share": (parts(initial=external("\\\\host\\share\\x.bin")), "external_data_escapes"),
    "data with a NUL": (parts(initial=external("a\0b")), "external_data_escapes"),
    "data nowhere": (parts(initial=external("")), "external_data_escapes"),
    "data with a name of 5000": (parts(initial=external("a" * 5000)), "broken_onnx"),
    "data in a link that leads out": (with_data(lambda p: p.symlink_to("/etc/passwd")), "external_data_escapes"),
    "data in a link to itself": (with_data(lambda p: p.symlink_to(p)), "broken_onnx"),
    "data in a pipe": (with_data(os.mkfifo), "broken_onnx"),
    "data in a folder": (with_data(Path.mkdir), "broken_onnx"),
    "data before the beginning": (with_data(whole_data, offset=-5), "broken_onnx"),
    "data from many": (with_data(whole_data, offset="many"), "broken_onnx"),
    "data beyond the end": (with_data(whole_data, length=2**62), "broken_onnx"),
    "data in 50 GB of nothing": (with_data(sparse_data), "broken_onnx"),
    "test data in a pipe": (with_test_data(os.mkfifo), "inputs_unreadable"),
    "test data that lead out": (with_test_data(lambda p: p.symlink_to("/etc/passwd")), "inputs_unreadable"),
    "test data in a link to itself": (with_test_data(lambda p: p.symlink_to(p)), "inputs_unreadable"),
    "test data of 50 GB": (with_test_data(sparse_data), "inputs_unreadable"),
    "test data that promise": (
        with_test_data(lambda p: p.write_bytes(stored([2**40, 3], b"1234").SerializeToString())), "inputs_unreadable",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", LIES)
def test_a_hostile_graph_is_refused_in_one_sentence(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write, code = LIES[what]
    (tmp_path / "out").mkdir()
    last = ask(onnx_request(write(tmp_path / "model")), tmp_path / "out")
    assert (last["event"], last.get("code")) == ("failed", code), last
    assert "\n" not in last["reason"] and 10 < len(last["reason"]) < 400
    assert "Traceback" not in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*.data"))


@pytest.mark.parametrize("name", ["../../x", "a\0b", "a\nb", "[red]x[/red]", "\x1b[2J", "n" * 20_000, "C:\\x"])
def test_names_of_tensors_never_become_paths(name: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    nodes = [helper.make_node("MatMul", [name, "w"], [name + "y"])]
    inputs, outputs = [value(name, TensorProto.FLOAT, [2, 3])], [value(name + "y", TensorProto.FLOAT, [2, 2])]
    made = must_export(
        onnx_request(save(tmp_path / "model", nodes=nodes, inputs=inputs, outputs=outputs)), tmp_path / "out"
    )
    assert [tensor.name for tensor in made.artifact.inputs] == [name]
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"model", "out"}
    for tensor in (*made.artifact.inputs, *made.artifact.expected):
        assert (tmp_path / "out" / tensor.file).resolve().parent.parent == tmp_path / "out"


@pytest.mark.parametrize("size", [10**12, 2**62, 10**30])
def test_a_dimension_of_terabytes_is_refused_before_any_memory(size: int, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    path = save(tmp_path / "model", inputs=[value("x", TensorProto.FLOAT, ["batch", 3])],
                outputs=[value("y", TensorProto.FLOAT, ["batch", 2])])  # fmt: skip
    last = ask(onnx_request(path, dims={"batch": size}), tmp_path / "out")
    assert last["code"] == "inputs_too_large" and "--dim" in last["reason"]


def test_a_loop_without_an_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "RUN_LIMIT_S", 0.2)
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["v", "v"], ["more"])], "body",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("v", TensorProto.FLOAT, [1])],
        [value("on", TensorProto.BOOL, []), value("more", TensorProto.FLOAT, [1])],
    )  # fmt: skip
    path = save(tmp_path / "model", nodes=[helper.make_node("Loop", ["", "true", "x"], ["y"], body=body)],
                inputs=[value("x", TensorProto.FLOAT, [1])], outputs=[value("y", TensorProto.FLOAT, [1])],
                initial=[numpy_helper.from_array(np.array(True), "true")])  # fmt: skip
    (tmp_path / "out").mkdir()
    last = ask(onnx_request(path), tmp_path / "out")
    assert last["code"] == "reference_timeout", last


def test_what_onnx_runtime_refuses_names_neither_our_folders_nor_its_source(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    path = save(tmp_path / "model")
    model = onnx.load(path)
    model.opset_import[0].version = 9999
    path.write_bytes(model.SerializeToString())
    last = ask(onnx_request(path), tmp_path / "out")
    assert last["code"] == "onnxruntime_refused"
    assert str(tmp_path) not in last["reason"] and "onnxruntime_src" not in last["reason"]
