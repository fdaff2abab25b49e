"""The Artifacts, named by the digest of what was asked for: written aside, renamed into place, checked when used."""

import hashlib
import shutil
import tempfile
from pathlib import Path

from pydantic import ValidationError

from harness import catalog
from harness.core.errors import UserMistake
from harness.core.nouns import Artifact, ArtifactRequest
from harness.core.units import human_bytes
from harness.export.process import Progress, run_worker
from harness.export.request import digest_of_request

_MARGIN_BYTES = 1_000_000_000
_COPIES_OF_WEIGHTS = 4  # hf/, onnx/, and what the exporter holds on disk while it works


class ArtifactCache:
    """`folder/<digest>/` is an Artifact that is whole, or it is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sound: dict[str, Artifact] = {}

    def find(self, request: ArtifactRequest) -> Artifact | None:
        """The Artifact if it is here and whole; a broken one is removed, so that it is made again."""
        digest = digest_of_request(request)
        if digest not in self._sound:
            path = self.folder / digest
            artifact = _read(path)
            if artifact is None:
                if path.exists():
                    shutil.rmtree(path)
                return None
            self._sound[digest] = artifact
        return self._sound[digest]

    async def make(self, request: ArtifactRequest, progress: Progress) -> Artifact:
        """Export, then rename into place; raises ExportFailed, Unsupported, or UserMistake on a full disk."""
        digest = digest_of_request(request)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._refuse_full_disk(request)
        aside = Path(tempfile.mkdtemp(prefix=f".{digest}-", dir=self.folder))
        try:
            body = {"request": request.model_dump(mode="json"), "out": str(aside), "digest": digest}
            environment = catalog.exporters()[request.exporter].environment
            result = await run_worker(environment, "export", body, progress)
            artifact = Artifact.model_validate(result["artifact"])
            target = self.folder / digest
            if not target.exists():  # another run may have been faster; its bytes are as good as ours
                aside.rename(target)
            self._sound[digest] = artifact
            return artifact
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _refuse_full_disk(self, request: ArtifactRequest) -> None:
        known = catalog.architectures().get(request.model.architecture or "")
        parameters = known.parameters if known and request.model.scale == "full" else 0
        need = _MARGIN_BYTES + _COPIES_OF_WEIGHTS * 4 * parameters
        free = shutil.disk_usage(self.folder).free
        if free < need:
            raise UserMistake(
                "disk_full",
                f"{request.model.name} needs about {human_bytes(need)}; {self.folder} has {human_bytes(free)} free",
                "free some room, or put the database elsewhere with --db",
            )


def _read(path: Path) -> Artifact | None:
    """The manifest, if every file it names has the bytes it says."""
    try:
        artifact = Artifact.model_validate_json((path / "artifact.json").read_bytes())
        for file in artifact.files:
            with (path / file.path).open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256:
                    return None
    except (OSError, ValidationError):
        return None
    return artifact
