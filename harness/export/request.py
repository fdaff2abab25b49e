"""Case → ArtifactRequest: which Cases share an Artifact, and what its digest is."""

from functools import cache

from harness import catalog
from harness.core.digest import digest_of
from harness.core.errors import UserMistake
from harness.core.nouns import ArtifactRequest, Case, Model
from harness.core.plugins import Exporter


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
    """Everything that decides the Artifact's bytes, and nothing else: backends and browsers share it."""
    return ArtifactRequest(
        model=case.model, task=catalog.tasks()[case.task], batch_size=case.batch_size, length=case.length,
        precision="fp32", dims=case.dims, inputs_path=case.inputs_path, inputs_sha256=case.inputs,
        exporter=exporter_for(case.model, case.exporter).name, seed=case.seed,
    )  # fmt: skip


def digest_of_request(request: ArtifactRequest) -> str:
    """Name of the Artifact: the request, and the versions of what will carry it out."""
    form = request.model_dump(mode="json", exclude={"inputs_path"})
    form["model"] = request.model.canonical()
    form["versions"] = {
        name: catalog.installed_version(name) for name in catalog.exporters()[request.exporter].packages
    }
    form["exporters"] = _exporters_digest()
    return digest_of(form, length=24)


@cache
def _exporters_digest() -> str:
    """Of the exporters' own code and rules: when they change, what they made before is not what they would make now."""
    files = sorted(
        path
        for path in (catalog.ROOT / "exporters").rglob("*")
        if path.suffix in (".py", ".json", ".txt") and path.name != "catalogue.json"
    )
    return digest_of([[path.name, path.read_text(encoding="utf-8")] for path in files])
