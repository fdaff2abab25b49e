"""Small true things to test with: Models, Cases, an Artifact on disk, scripts of Events."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.events import Done, Event, Hello, Note, Outputs, OutputTensor, Phase, Samples
from harness.core.nouns import Artifact, ArtifactFile, Case, Model, Tensor


def make_model(**changes: Any) -> Model:
    fields = {"name": "bert", "kind": "architecture", "identity": "bert", "architecture": "bert"}
    return Model.model_validate({**fields, "weights": "random", "scale": "tiny", "family": "text_encoder", **changes})


def make_case(**changes: Any) -> Case:
    backend = "ort_web" if changes.get("browser") else "noop"
    fields = {"model": make_model(), "task": "feature-extraction", "platform": "noop", "backend": backend}
    return Case.model_validate({**fields, "device": "cpu", "length": 8, "threads": 1, **changes})


def make_artifact(folder: Path, outputs: dict[str, np.ndarray[Any, Any]] | None = None) -> Artifact:
    """An Artifact without graph or weights in `folder`: what `noop` needs, since it answers with what is expected."""
    expected = outputs or {"y": np.arange(6, dtype=np.float32).reshape(2, 3)}
    tensors, files = [], []
    for name, array in expected.items():
        path = folder / "expected" / f"{name}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(array.astype(array.dtype.newbyteorder("<")).tobytes())
        file = str(path.relative_to(folder))
        tensors.append(Tensor(name=name, dtype=array.dtype.name, shape=array.shape, file=file))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        files.append(ArtifactFile(path=file, size_bytes=path.stat().st_size, sha256=digest))
    artifact = Artifact(
        digest=folder.name, model=make_model(), task="feature-extraction", batch_size=1, length=8,
        exporter="transformers", versions={}, built_by=None, weights_from="nowhere", reference="pytorch-fp32",
        opset=None, inputs=(), expected=tuple(tensors), onnx={}, files=tuple(files),
    )  # fmt: skip
    (folder / "artifact.json").write_text(artifact.model_dump_json())
    return artifact


def write_outputs(folder: Path, iteration: str, arrays: dict[str, np.ndarray[Any, Any]]) -> Outputs:
    """Lay down output bytes as an executor does; returns the Event that tells of them."""
    (folder / iteration).mkdir(parents=True, exist_ok=True)
    for index, array in enumerate(arrays.values()):
        (folder / iteration / f"{index}.bin").write_bytes(array.astype(array.dtype.newbyteorder("<")).tobytes())
    tensors = tuple(OutputTensor(name=name, dtype=a.dtype.name, shape=a.shape) for name, a in arrays.items())
    return Outputs.model_validate({"iteration": iteration, "tensors": tensors})


def good_round(outputs: Sequence[Outputs], durations_ns: Sequence[int], **provenance: Any) -> list[Event]:
    """A whole Round that went well."""
    return [
        Hello(protocol=1, side="native", runtime={"thing": "1.0"}, provenance={"clock_step_ns": 40, **provenance}),
        Phase(phase="runtime", duration_ns=1_000),
        Phase(phase="prepare", duration_ns=10),
        Phase(phase="load", duration_ns=20_000_000),
        Phase(phase="first", duration_ns=9_000_000),
        Phase(phase="warm", duration_ns=1_000, detail={"steady": True, "iterations": 10}),
        Samples(phase="sample", clock="perf_counter", runs_per_sample=1, durations_ns=tuple(durations_ns)),
        *outputs,
        Note(kind="memory", text="high-water mark", data={"peak_rss": 5_000_000}),
        Done(stopped_by="narrow"),
    ]
