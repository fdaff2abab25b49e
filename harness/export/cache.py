"""The Artifacts, named by the digest of what was asked for: written aside, renamed into place, checked when used."""

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from harness import catalog
from harness.core.errors import UserMistake
from harness.core.nouns import Artifact, ArtifactRequest
from harness.core.units import human_bytes
from harness.export.process import ExportFailed, Progress, RunWorker, interpreters, run_worker
from harness.export.request import base_of, digest_of_request, exporters_of
from harness.processes.children import removed_with_us

_MARGIN_BYTES = 1_000_000_000
_LARGEST_MANIFEST_BYTES = 64_000_000
# Of this process or machine, not of the Artifact: no reason to remove it.
_NOT_ITS_FAULT = (errno.EMFILE, errno.ENFILE, errno.EIO, errno.EACCES, errno.EPERM, errno.ENOMEM)
_ENDS_OF_A_LIMIT = ("_timeout", "_memory", "_killed")
_COPIES_OF_WEIGHTS = 4  # hf/, onnx/, and what the exporter holds on disk while it works, of whatever precision


class ArtifactCache:
    """`folder/<digest>/` is an Artifact that is whole, or it is not there."""

    def __init__(self, folder: Path, run: RunWorker = run_worker) -> None:
        """`run` speaks with the exporter; see `run_worker`."""
        self.folder = folder
        self._run = run
        self._sound: dict[str, Artifact] = {}

    def find(self, request: ArtifactRequest) -> Artifact | None:
        """The Artifact if it is here and whole; a broken one is removed, so that it is made again, as is one that lacks
        its graph for want of time or memory: another time may have more."""
        digest = digest_of_request(request)
        if digest not in self._sound:
            path = self.folder / digest
            artifact = read_artifact(path)
            if artifact is None or _ran_into_a_limit(artifact):
                _remove(path)
                return None
            self._sound[digest] = artifact
            with contextlib.suppress(OSError):  # somebody else's, or read-only
                os.utime(path)  # used now: what clears the cache goes by this
        return self._sound[digest]

    async def make(self, request: ArtifactRequest, progress: Progress) -> Artifact:
        """Export, then rename into place; raises ExportFailed (`disk_full` where this model has no room), Unsupported,
        or UserMistake on a disk that has no room for any.

        The fp32 Artifact that another precision is made from is made as well where it is not here; where that one lacks
        its graph, so does the other, for the same reason.
        """
        digest = digest_of_request(request)
        wanted = base_of(request)
        base = None if wanted is None else self.find(wanted) or await self.make(wanted, progress)
        if base is not None and (lack := base.lacks.get("onnx")):
            raise ExportFailed(lack.code, lack.reason)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._refuse_full_disk(request, base)
        aside = Path(tempfile.mkdtemp(prefix=f".{digest}-", dir=self.folder))
        with removed_with_us(aside):
            body: dict[str, Any] = {"request": request.model_dump(mode="json"), "out": str(aside), "digest": digest}
            if base is not None:
                body["base"] = str(self.folder / base.digest)
            else:
                body["environments"] = await interpreters(exporters_of(request)[-1], progress)
            # The worker itself is always ours; what needs another environment it starts in that one's Python.
            result = await self._run("main", "export", body, progress)
            artifact = Artifact.model_validate(result["artifact"])
            target = self.folder / digest
            if not target.exists():  # another run may have been faster; its bytes are as good as ours
                aside.rename(target)
            self._sound[digest] = artifact
            return artifact

    def _refuse_full_disk(self, request: ArtifactRequest, base: Artifact | None) -> None:
        known = catalog.architectures().get(request.model.architecture or "")
        whole = request.model.scale == "full" and request.model.layers is None
        parameters = (known.parameters or 0) if known and whole else 0
        need = _MARGIN_BYTES + _COPIES_OF_WEIGHTS * (4 * parameters if base is None else _graph_bytes(base))
        free = shutil.disk_usage(self.folder).free
        if free >= need:
            return
        cut = "; --layers N makes it smaller, at its full width" if parameters else ""
        said = f"{request.model.name} needs about {human_bytes(need)}; {self.folder} has {human_bytes(free)} free"
        hint = f"free some room, or put the database elsewhere with --db{cut}"
        if free < _MARGIN_BYTES:
            raise UserMistake("disk_full", said, hint)
        # Another model is smaller.
        raise ExportFailed("disk_full", f"{said}: {hint}")


def read_artifact(path: Path) -> Artifact | None:
    """The manifest, if it is this folder's, and every file it names lies in the folder and has the bytes it says."""
    manifest = path / "artifact.json"
    try:
        if path.is_symlink() or manifest.is_symlink() or not manifest.is_file():
            return None
        if manifest.stat().st_size > _LARGEST_MANIFEST_BYTES:
            return None
        artifact = Artifact.model_validate_json(manifest.read_bytes())
        if artifact.digest != path.name or not _names_only_its_files(artifact):
            return None
        folder = path.resolve()
        for file in artifact.files:
            place = path / file.path
            # Size and kind first: a pipe would never end, and a wrong size needs no hashing.
            if not place.resolve().is_relative_to(folder) or not place.is_file():
                return None
            if place.stat().st_size != file.size_bytes:
                return None
            with place.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256:
                    return None
    except OSError as error:
        if error.errno in _NOT_ITS_FAULT:
            raise
        return None
    except (ValueError, RuntimeError):  # RuntimeError: a loop of symlinks
        return None
    return artifact


def _ran_into_a_limit(artifact: Artifact) -> bool:
    return any(lack.code.endswith(_ENDS_OF_A_LIMIT) for lack in artifact.lacks.values())


def _graph_bytes(artifact: Artifact) -> int:
    """Of its graph and the data beside it."""
    graphs = {file for graph in artifact.onnx.values() for file in (graph.file, *graph.external)}
    return sum(file.size_bytes for file in artifact.files if file.path in graphs)


def _names_only_its_files(artifact: Artifact) -> bool:
    """Whether all that a backend will open was hashed."""
    named = {tensor.file for tensor in (*artifact.inputs, *artifact.expected)}
    named |= {file for graph in artifact.onnx.values() for file in (graph.file, *graph.external)}
    return named <= {file.path for file in artifact.files}


def _remove(path: Path) -> None:
    """Make room for a new one; a symlink is removed as such, never what it points at."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
