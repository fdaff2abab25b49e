"""Model folders: configs of wrong kinds, pickles, and code of the model's own, which runs only when it was allowed."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from exporters.seam import ExportFailed
from exporters.source import inspect, locate
from tests.exporters.asking import ask, pretrained_request
from tests.exporters.test_hostile_inputs import Marks

ROOT = Path(__file__).parents[2]
OWN_CODE = """
from pathlib import Path

with Path({marker!r}).open("a") as file:
    file.write("ran\\n")

import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput


class OwnConfig(PretrainedConfig):
    model_type = "own"

    def __init__(self, hidden_size=8, vocab_size=32, **more):
        self.hidden_size = hidden_size
        self.vocab_size = vocab_size
        super().__init__(**more)


class OwnModel(PreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.table = torch.nn.Embedding(config.vocab_size, config.hidden_size)
        self.line = torch.nn.Linear(config.hidden_size, config.hidden_size)
        self.post_init()

    def _init_weights(self, module):
        pass

    def forward(self, input_ids, attention_mask=None, **more):
        hidden = self.line(self.table(input_ids)) * attention_mask.unsqueeze(-1).float()
        return BaseModelOutput(last_hidden_state=hidden)
"""
OWN_CONFIG = {
    "model_type": "own", "architectures": ["OwnModel"], "hidden_size": 8, "vocab_size": 32,
    "auto_map": {"AutoConfig": "modeling_own.OwnConfig", "AutoModel": "modeling_own.OwnModel"},
}  # fmt: skip


def own_model(folder: Path, marker: Path, **changed: Any) -> Path:
    """A model whose Python file writes `marker` whenever it is run."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**OWN_CONFIG, **changed}))
    (folder / "modeling_own.py").write_text(OWN_CODE.format(marker=str(marker)))
    torch.manual_seed(0)
    weights = {"table.weight": torch.randn(32, 8), "line.weight": torch.randn(8, 8), "line.bias": torch.randn(8)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def harness(place: Path, *arguments: str) -> tuple[int, Any, str]:
    """As a user types it, with a cache of modules of its own: what ran before must not run from there."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", *arguments, "--db", str(place / "h.duckdb"), "--json"],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "HF_MODULES_CACHE": str(place / "modules")},
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.parametrize("verb", ["run", *(pytest.param(each, marks=pytest.mark.long) for each in ("plan", "export"))])
def test_code_of_a_model_runs_only_when_it_was_allowed(verb: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    folder = own_model(tmp_path / "own", marker)
    what = ("--model", str(folder), "--hardware", "cpu,onnxruntime", "--length", "8")
    db = () if verb == "plan" else ("--db", str(tmp_path / "h.duckdb"))
    done = subprocess.run(
        [sys.executable, "-m", "harness", verb, *what, *db, "--json"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    said = json.loads(done.stdout)["error"]
    assert (done.returncode, said["code"]) == (2, "remote_code"), done.stderr
    assert "--trust-remote-code" in said["hint"]
    assert not marker.exists()
    if verb != "run":
        return
    allowed = ("run", "--trust-remote-code", *what, "--rounds", "1", "--budget", "400ms")
    code, said, errors = harness(tmp_path, *allowed)
    assert code == 0, errors
    assert [(case["platform"], case["outcome"]) for case in said["cases"]] == [("cpu", "ok"), ("onnxruntime", "ok")]
    assert all(case["correct"]["checked"] for case in said["cases"])
    # In the exporter, and in the native worker that loads hf/.
    assert len(marker.read_text().splitlines()) >= 2


def test_the_exporter_itself_runs_no_code_without_being_told(tmp_path: Path) -> None:
    """Whoever speaks with the worker directly meets the same rule."""
    marker = tmp_path / "marker"
    folder = own_model(tmp_path / "own", marker)
    (tmp_path / "out").mkdir()
    named = {"path": str(folder), "architecture": "own"}
    last = ask(pretrained_request(str(folder), "feature-extraction", **named), tmp_path / "out")
    assert (last["event"], last["code"]) == ("failed", "unknown_architecture"), last
    assert not marker.exists()


def test_a_known_architecture_that_brings_code_is_built_by_the_known_one(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    folder = own_model(tmp_path / "own", marker, model_type="bert")
    told = inspect(str(folder))
    assert (told["architecture"], told["remote_code"]) == ("bert", True)
    (tmp_path / "out").mkdir()
    named = {"path": str(folder)}
    last = ask(pretrained_request(str(folder), "feature-extraction", **named), tmp_path / "out")
    assert last["event"] == "failed", "its weights are not BERT's"
    assert not marker.exists()


def test_a_task_that_its_code_does_not_offer_is_unsupported(tmp_path: Path) -> None:
    folder = own_model(tmp_path / "own", tmp_path / "marker")
    named = {"path": str(folder), "architecture": "own", "trust_remote_code": True}
    (tmp_path / "out").mkdir()
    last = ask(pretrained_request(str(folder), "text-generation", **named), tmp_path / "out")
    assert last["event"] == "unsupported" and "--task" in last["reason"]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"3", b"{", b"\xff\xfe", b'{"a":' * 100_000, b"[" * 100_000, b'{"model_type": 3}', b"{}",
        b'{"model_type": null}', b'{"model_type": ["bert"]}', b'{"n": ' + b"9" * 6000 + b"}",
    ],
)  # fmt: skip
def test_a_config_that_is_none_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ExportFailed) as caught:
        inspect(str(tmp_path))
    assert caught.value.code in ("broken_config", "model_not_found")
    assert 10 < len(str(caught.value)) < 400 + len(str(tmp_path))


@pytest.mark.parametrize("lay", ["huge", "device"])
def test_a_config_without_end_is_not_read(tmp_path: Path, lay: str) -> None:
    path = tmp_path / "config.json"
    if lay == "huge":
        with path.open("wb") as file:
            file.truncate(50 * 10**9)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(ExportFailed):
        inspect(str(tmp_path))


WRONG: list[dict[str, Any]] = [
    {"hidden_size": "big"}, {"num_hidden_layers": None}, {"num_attention_heads": 0}, {"architectures": [3]},
]  # fmt: skip
ALSO_WRONG: list[dict[str, Any]] = [
    {"hidden_size": -1}, {"hidden_size": [1]}, {"vocab_size": {}}, {"hidden_act": 3}, {"hidden_act": "nobody"},
    {"architectures": 3}, {"torch_dtype": []}, {"auto_map": 3},
]  # fmt: skip


@pytest.mark.parametrize("wrong", [*WRONG, *(pytest.param(each, marks=pytest.mark.long) for each in ALSO_WRONG)])
def test_a_config_of_wrong_types_fails_with_a_code(tmp_path: Path, wrong: dict[str, Any]) -> None:
    sizes = {
        "hidden_size": 8,
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "intermediate_size": 8,
        "vocab_size": 32,
    }
    told = {"model_type": "bert", "auto_map": {}, **sizes, **wrong}
    folder = own_model(tmp_path / "own", tmp_path / "marker", **told)
    inspect(str(folder))
    (tmp_path / "out").mkdir()
    named = {"path": str(folder)}
    last = ask(pretrained_request(str(folder), "feature-extraction", **named), tmp_path / "out")
    assert last["event"] == "failed" and last["code"] != "exporter_error", last
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    "weights",
    [
        b"",
        b"\xff" * 100,
        (2**62).to_bytes(8, "little") + b"{}",
        (100).to_bytes(8, "little") + b"{" * 100,
        "truncated",
        "lies",
    ],
)
def test_safetensors_that_are_broken_are_refused(tmp_path: Path, weights: Any) -> None:
    folder = own_model(tmp_path / "own", tmp_path / "marker", model_type="bert", auto_map={})
    path = folder / "model.safetensors"
    if weights == "truncated":
        path.write_bytes(path.read_bytes()[:-50])
    elif weights == "lies":
        path.write_bytes(path.read_bytes().replace(b"[32,8]", b"[99,8]"))
    else:
        path.write_bytes(weights)
    (tmp_path / "out").mkdir()
    named = {"path": str(folder)}
    last = ask(pretrained_request(str(folder), "feature-extraction", **named), tmp_path / "out")
    assert (last["event"], last["code"]) == ("failed", "load_failed"), last
    assert "\n" not in last["reason"]


def test_weights_in_a_pickle_are_never_loaded(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    folder = own_model(tmp_path / "own", marker, model_type="bert", auto_map={})
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Marks(marker)))
    (tmp_path / "out").mkdir()
    named = {"path": str(folder)}
    last = ask(pretrained_request(str(folder), "feature-extraction", **named), tmp_path / "out")
    assert last["code"] == "weights_not_found" and "pickle" in last["reason"]
    assert not marker.exists()


@pytest.mark.parametrize(
    "name", ["a/../b", "..", "a\0b", "\x1b[31m", "n" * 10_000, "org/na me", "~nobody-here/x", "org//x"]
)
def test_what_is_neither_folder_nor_hub_id_is_not_looked_up(name: str) -> None:
    with pytest.raises(ExportFailed) as caught:
        locate(name)
    assert caught.value.code == "model_not_found" and len(str(caught.value)) < 300
