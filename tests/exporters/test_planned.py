"""What lies at a local path must be what the Case was planned for: another content is never exported in its name."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from exporters.graphs import data
from exporters.graphs.files import read_graph
from exporters.zoo.build import load_model
from harness.core.content import LARGEST_INPUTS_BYTES
from harness.core.nouns import OF_THE_MOMENT, ArtifactRequest
from harness.export.cache import ArtifactCache
from harness.export.process import ExportFailed
from tests.exporters.asking import Exported, ask, must_export, onnx_request, pretrained_request
from tests.exporters.test_from_onnx import WEIGHT, save_model, save_test_set
from tests.exporters.test_hostile_folders import own_model

X = np.arange(6, dtype=np.float32).reshape(2, 3)
Exports = Callable[[str], Exported]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """y = x · WEIGHT, whose weight lies in a file of its own, with a test set beside it."""
    path = save_model(tmp_path / "model", [2, 3], external="w.bin")
    (path.parent / "w.bin").write_bytes(WEIGHT.tobytes())
    save_test_set(path.parent / "test_data_set_0", X, X @ WEIGHT)
    return path


def another_graph(path: Path) -> None:
    model = onnx.load(str(path), load_external_data=False)
    model.graph.node[0].name = "another"
    path.write_bytes(model.SerializeToString())


def other_weights(path: Path) -> None:
    (path.parent / "w.bin").write_bytes((WEIGHT + 1).tobytes())


def no_weights(path: Path) -> None:
    (path.parent / "w.bin").unlink()


def other_test_data(path: Path) -> None:
    expected = numpy_helper.from_array(X @ WEIGHT + 1, "y").SerializeToString()
    (path.parent / "test_data_set_0" / "output_0.pb").write_bytes(expected)


def more_test_data(path: Path) -> None:
    save_test_set(path.parent / "test_data_set_1", X, X @ WEIGHT)


def no_graph_at_all(path: Path) -> None:
    path.write_bytes(b"not onnx at all, just some words")


CHANGES = [another_graph, other_weights, no_weights, other_test_data, more_test_data, no_graph_at_all]


def refused(last: dict[str, Any], path: Path, out: Path, code: str = "model_changed") -> None:
    assert (last["event"], last["code"]) == ("failed", code), last
    assert last["reason"].startswith(f"{path} is not what it was when this was planned: "), last
    assert last["reason"].endswith("; measure it anew") and "\n" not in last["reason"]
    assert not list(out.rglob("*.onnx")), "nothing was made of it"


@pytest.mark.parametrize("change", CHANGES)
def test_a_graph_that_was_replaced_is_refused(change: Callable[[Path], None], graph: Path, out: Path) -> None:
    planned = onnx_request(graph)
    kept = shutil.copytree(graph.parent, out.parent / "kept")
    change(graph)
    refused(ask(planned, out), graph, out)
    shutil.rmtree(graph.parent)
    kept.rename(graph.parent)
    made = must_export(planned, out)
    np.testing.assert_array_equal(made.run_onnxruntime()["y"], X @ WEIGHT)


def test_the_replacement_is_exported_once_it_is_planned_itself(graph: Path, out: Path) -> None:
    other_weights(graph)
    other_test_data(graph)
    made = must_export(onnx_request(graph), out)
    np.testing.assert_array_equal(made.run_onnxruntime()["y"], X @ (WEIGHT + 1))


def test_the_same_content_elsewhere_is_the_same_graph(graph: Path, out: Path) -> None:
    planned = onnx_request(graph)
    moved = graph.parent.rename(graph.parent.with_name("moved"))
    (moved / "m.onnx").rename(moved / "renamed.onnx")
    planned["model"]["path"] = str(moved / "renamed.onnx")
    must_export(planned, out)


def test_what_could_not_be_read_when_it_was_planned_names_no_graph(graph: Path, out: Path) -> None:
    whole = graph.read_bytes()
    graph.write_bytes(whole[:-7])
    planned = onnx_request(graph)
    assert ask(planned, out)["code"] == "broken_onnx", "still what it was"
    graph.write_bytes(whole)
    last = ask(planned, out)
    refused(last, graph, out)
    assert "its size or its first bytes are others" in last["reason"]
    # Here the graph stays as it is: what came is its weights.
    weights = graph.parent / "w.bin"
    weights.rename(weights.with_suffix(".kept"))
    planned = onnx_request(graph)
    assert ask(planned, out)["code"] == "broken_onnx"
    weights.write_bytes((WEIGHT + 1).tobytes())
    last = ask(planned, out)
    refused(last, graph, out)
    assert "it could not be read as a graph then, and now it can" in last["reason"]


@pytest.mark.parametrize("name", ["w.bin", "m.onnx", "test_data_set_0/input_0.pb"])
def test_what_changes_while_it_is_read_is_refused(
    name: str, graph: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the hash, before the copy: the same bytes written again must do, since nobody hashes twice."""
    read = data.read_test_set

    def read_and_replace(*arguments: Any) -> Any:
        place = graph.parent / name
        shutil.copyfile(place, place.with_suffix(".new"))
        place.with_suffix(".new").replace(place)
        return read(*arguments)

    monkeypatch.setattr("exporters.from_onnx.read_test_set", read_and_replace)
    last = ask(onnx_request(graph), out)
    assert last["code"] == "model_changed" and "changed while they were read" in last["reason"], last


def test_what_was_read_is_what_was_hashed(graph: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another graph lay there when it was read; the right one is back when it is hashed."""
    planned, right = onnx_request(graph), graph.read_bytes()
    another_graph(graph)

    def read_and_put_back(path: Path) -> Any:
        found = read_graph(path)
        path.write_bytes(right)
        return found

    monkeypatch.setattr("exporters.graphs.planned.read_graph", read_and_put_back)
    last = ask(planned, out)
    assert last["code"] == "model_changed" and "changed while they were read" in last["reason"], last


@pytest.mark.parametrize("kind", ["npz", "folder"])
def test_inputs_that_were_replaced_are_refused(kind: str, tmp_path: Path, out: Path) -> None:
    graph, given = save_model(tmp_path / "model", ["b", 3]), tmp_path / ("in.npz" if kind == "npz" else "given")

    def give(x: Any) -> None:
        if kind == "npz":
            np.savez(given, x=x)
        else:
            shutil.rmtree(given, ignore_errors=True)
            save_test_set(given, x, x @ WEIGHT)

    give(X)
    planned = onnx_request(graph, inputs_path=str(given))
    give(X + 1)
    refused(ask(planned, out), given, out, "inputs_changed")
    give(X)
    np.testing.assert_array_equal(must_export(planned, out).arrays("inputs")["x"], X)


def test_inputs_that_grew_beyond_all_inputs_are_not_hashed(tmp_path: Path, out: Path) -> None:
    graph, given = save_model(tmp_path / "model", [2, 3]), tmp_path / "in.npz"
    np.savez(given, x=X)
    planned = onnx_request(graph, inputs_path=str(given))
    with given.open("wb") as file:
        file.truncate(LARGEST_INPUTS_BYTES + 1)
    last = ask(planned, out)
    refused(last, given, out, "inputs_changed")
    assert "it is larger than" in last["reason"]


def weights_of(folder: Path, change: float) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    name = sorted(weights)[0]
    save_file({**weights, name: weights[name] + change}, folder / "model.safetensors", {"format": "pt"})


def a_word(folder: Path) -> None:
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config + "\n")


@pytest.mark.long
@pytest.mark.parametrize("change", [a_word, lambda folder: weights_of(folder, 1.0)])
def test_a_folder_that_was_replaced_is_refused(
    change: Callable[[Path], None], exported: Exports, tmp_path: Path, out: Path
) -> None:
    folder = shutil.copytree(exported("bert").folder / "hf", tmp_path / "mine")
    planned = pretrained_request("mine", "feature-extraction", path=str(folder))
    change(folder)
    refused(ask(planned, out), folder, out)
    assert not (out / "hf").exists()
    shutil.rmtree(folder)
    shutil.copytree(exported("bert").folder / "hf", folder)
    assert must_export(planned, out).artifact.weights_from == "local folder"


def test_a_folder_that_changes_while_it_is_loaded_is_refused(
    exported: Exports, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(exported("bert").folder / "hf", tmp_path / "mine")
    planned = pretrained_request("mine", "feature-extraction", path=str(folder))

    def replaced_first(*arguments: Any) -> Any:
        weights_of(folder, 1.0)
        return load_model(*arguments)

    monkeypatch.setattr("exporters.subject.load_model", replaced_first)
    last = ask(planned, out)
    assert last["code"] == "model_changed" and "changed while they were read" in last["reason"], last


def test_code_that_was_replaced_does_not_run(tmp_path: Path, out: Path) -> None:
    """It was read and allowed as it was then."""
    marker = tmp_path / "marker"
    folder = own_model(tmp_path / "own", marker)
    planned = pretrained_request(
        "own", "feature-extraction", path=str(folder), architecture="own", trust_remote_code=True
    )
    code = folder / "modeling_own.py"
    code.write_text(code.read_text() + "\n# another\n")
    refused(ask(planned, out), folder, out)
    assert not marker.exists()


def test_the_cache_stays_without_it(graph: Path, tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path / "artifacts")
    request = ArtifactRequest.model_validate(onnx_request(graph))
    int8 = request.model_copy(update={"precision": "int8"})
    kept = shutil.copytree(graph.parent, tmp_path / "kept")
    other_weights(graph)
    for each in (request, int8):
        with pytest.raises(ExportFailed, match=str(graph)) as failure:
            asyncio.run(cache.make(each, lambda text: None))
        assert failure.value.code == "model_changed"
        assert not list(cache.folder.iterdir()) and cache.find(each) is None
    shutil.copytree(kept, graph.parent, dirs_exist_ok=True)
    made = asyncio.run(cache.make(request, lambda text: None))
    assert (cache.folder / made.digest / "onnx/fp32/w.bin").read_bytes() == WEIGHT.tobytes()
    # What is in the cache is what was planned, whatever lies at the path by now.
    other_weights(graph)
    assert ArtifactCache(cache.folder).find(request) == made


def test_it_says_nothing_of_what_was_asked() -> None:
    assert {"model_changed", "inputs_changed"} <= set(OF_THE_MOMENT)
