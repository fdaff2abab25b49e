"""What a Round's numbers have to be seen against: how large the model is, and how much work the graph asks for."""

from typing import Any

from harness.catalog import backends
from harness.core.nouns import Artifact, Case


def about_artifact(artifact: Artifact, case: Case) -> dict[str, Any]:
    """`model_bytes`: of the files that the Case's backend reads; `work`: see `GraphWork`; `exporter`: who made the
    graph. What is not known is left out."""
    found: dict[str, Any] = {"exporter": artifact.exporter} if artifact.onnx else {}
    if size := _model_bytes(artifact, case):
        found["model_bytes"] = size
    if artifact.work is not None:
        found["work"] = artifact.work.model_dump(mode="json")
    return found


def _model_bytes(artifact: Artifact, case: Case) -> int:
    """Weights and graphs; no tokenizer, config or test data. 0 where the backend reads nothing of it."""
    formats = backends()[case.backend].formats
    sizes = {file.path: file.size_bytes for file in artifact.files}
    if "onnx" in formats:
        return sum(sizes[file] for graph in artifact.onnx.values() for file in (graph.file, *graph.external))
    weights = (size for path, size in sizes.items() if path.endswith(".safetensors"))
    return sum(weights) if "hf" in formats else 0
