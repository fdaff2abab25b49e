"""Writes what an exporter made as an Artifact: tensors as raw bytes, every file's hash, `artifact.json` last."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from exporters.graphs.work import work_of
from exporters.seam import ExportUnsupported, Job, PipelineProduct, Product
from harness.core.nouns import Artifact, ArtifactFile, PipelineCall, Tensor

MANIFEST = "artifact.json"


def write_artifact(job: Job, product: Product, versions: dict[str, str]) -> Artifact:
    """Freezes the tensors into `inputs/` and `expected/`, hashes everything, writes the manifest, returns it."""
    request = job.request
    inputs = write_tensors(job.out, "inputs", product.inputs)
    expected = write_tensors(job.out, "expected", product.expected)
    pipeline = write_pipeline(job.out, product.pipeline) if product.pipeline else None
    graph = product.onnx.get(request.precision)
    work, said = work_of(job.out / graph.file) if graph else (None, ("its work was not counted: there is no graph",))
    manifest = Artifact(
        digest=job.digest,
        model=request.model,
        task=request.task.name,
        batch_size=request.batch_size,
        length=request.length,
        exporter=product.exporter or request.exporter,
        versions=versions,
        built_by=product.built_by,
        weights_from=product.weights_from,
        reference=product.reference,
        opset=product.opset,
        inputs=inputs,
        expected=expected,
        onnx=product.onnx,
        lacks=product.lacks,
        work=work,
        hf=product.hf,
        pipeline=pipeline,
        files=tuple(_file(job.out, path) for path in sorted(job.out.rglob("*")) if path.is_file()),
        notes=(*product.notes, *said),
    )
    # Last, so that a folder with a manifest is a whole Artifact.
    (job.out / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", "utf-8")
    return manifest


def write_pipeline(out: Path, made: PipelineProduct) -> PipelineCall:
    """Texts stay in the manifest; images and answers are files like all tensors."""
    images = {str(number): image for number, image in enumerate(made.images)}
    return PipelineCall.model_validate({
        "task": made.task,
        "texts": made.texts,
        "images": write_tensors(out, "pipeline/images", images) if images else (),
        "length": made.length,
        "expected": write_tensors(out, "pipeline/expected", made.expected),
    })  # fmt: skip


def write_tensors(out: Path, folder: str, arrays: Mapping[str, Any]) -> tuple[Tensor, ...]:
    """Each array as raw little-endian bytes in row-major order; raises ExportUnsupported for types without such."""
    (out / folder).mkdir(parents=True)
    tensors = []
    for number, (name, given) in enumerate(arrays.items()):
        array = np.asarray(given)
        if array.dtype.kind not in "fiub":
            raise ExportUnsupported(f"tensor {name!r} is of type {array.dtype}, which has no raw numeric form")
        # Names of a graph may hold slashes and colons; the number keeps two cleaned names apart.
        file = f"{folder}/{number}-{re.sub(r'[^A-Za-z0-9_.-]', '_', name)[:80]}.bin"
        (out / file).write_bytes(array.astype(array.dtype.newbyteorder("<"), order="C").tobytes())
        tensors.append(Tensor(name=name, dtype=array.dtype.name, shape=array.shape, file=file))
    return tuple(tensors)


def _file(out: Path, path: Path) -> ArtifactFile:
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return ArtifactFile(path=path.relative_to(out).as_posix(), size_bytes=path.stat().st_size, sha256=sha256)
