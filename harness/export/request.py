"""Case → ArtifactRequest: which Cases share an Artifact, and what its digest is."""

from typing import Any

from harness import catalog
from harness.core.digest import digest_of
from harness.core.errors import UserMistake
from harness.core.nouns import ArtifactRequest, Case, Model
from harness.core.plugins import Exporter

QUANTISER = "quantise"  # the exporter that makes all precisions but fp32
# Digest of all exporters' sources on the day when they got versions: it stands for version 1, so that what was exported
# before keeps its name.
_FIRST_VERSIONS = "3cbde44f990a1c40"


def exporter_for(model: Model, wanted: str | None) -> Exporter:
    """The exporter asked for, else the first that takes such a model; raises UserMistake when there is none."""
    exporters = catalog.exporters()
    if wanted is not None:
        if wanted not in exporters:
            raise catalog.unknown("exporter", wanted, exporters)
        chosen = exporters[wanted]
        if model.kind not in chosen.takes and model.kind != "onnx":
            raise UserMistake("bad_exporter", f"exporter {wanted!r} does not take {model.name}", None)
        if model.kind in chosen.takes:
            return chosen
    return next(exporter for exporter in exporters.values() if model.kind in exporter.takes)


def request_for(case: Case) -> ArtifactRequest:
    """Everything that decides the Artifact's bytes, and nothing else: backends and browsers share it.

    A backend that reads no graph makes a precision itself, of the fp32 weights; unless it says what it reads.
    """
    backend = catalog.backends()[case.backend]
    precision = backend.reads.get(case.precision, case.precision if "onnx" in backend.formats else "fp32")
    return ArtifactRequest(
        model=case.model, task=catalog.tasks()[case.task], batch_size=case.batch_size, length=case.length,
        precision=precision, dims=case.dims, inputs_path=case.inputs_path, inputs_sha256=case.inputs,
        exporter=exporter_for(case.model, case.exporter).name, seed=case.seed,
    )  # fmt: skip


def base_of(request: ArtifactRequest) -> ArtifactRequest | None:
    """The request of the fp32 Artifact that another precision is made from; None where it is that itself."""
    return None if request.precision == "fp32" else request.model_copy(update={"precision": "fp32"})


def exporters_of(request: ArtifactRequest) -> tuple[Exporter, ...]:
    """Who takes part in making it, the last one last."""
    exporters = catalog.exporters()
    names = (request.exporter,) if request.precision == "fp32" else (request.exporter, QUANTISER)
    return tuple(exporters[name] for name in names)


def digest_of_request(request: ArtifactRequest) -> str:
    """Name of the Artifact: the request, and the versions of what will carry it out."""
    form = request.model_dump(mode="json", exclude={"inputs_path"})
    form["model"] = request.model.canonical()
    form["versions"] = {
        name: catalog.installed_version(name) for exporter in exporters_of(request) for name in exporter.packages
    }
    form["exporters"] = _exporters_form(request)
    return digest_of(form, length=24)


def _exporters_form(request: ArtifactRequest) -> Any:
    """Name → version of all whose code decides the bytes, or what stands for it where each has its first."""
    exporters = catalog.exporters()
    names = {name for exporter in exporters_of(request) for name in (exporter.name, *exporter.tries)}
    versions = {name: exporters[name].version for name in sorted(names)}
    return _FIRST_VERSIONS if set(versions.values()) == {1} else versions
