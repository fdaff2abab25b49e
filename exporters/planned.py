"""Local files are what they were when the Case was planned, or nothing is made of them: the Artifact bears the name of
what was planned, and is taken for that as long as it is kept.

What is read while it is `held` is hashed once, before; that it stays the same meanwhile is told by the files' marks
(inode, size, times of change), since a second hash of gigabytes would take as long as the first.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from exporters.graphs.run import first_line
from exporters.seam import ExportFailed
from harness.core.content import files_loaded, identity_of
from harness.core.nouns import Model

_MOST_NAMED = 4
Marks = dict[Path, tuple[int, ...] | None]


@dataclass(frozen=True)
class Place:
    """What lies at `path`: its files, and what these are called by content, which must be `wanted`."""

    path: Path
    code: str  # of what is raised where it is not
    wanted: str | None
    files: Callable[[], list[Path]]
    told: Callable[[Sequence[Path]], str]


@contextmanager
def folder_as_planned(model: Model, folder: Path) -> Iterator[None]:
    """Raises ExportFailed `model_changed` unless the folder that is loaded holds what the identity names, before and
    after."""
    place = Place(
        Path(model.path or model.name), "model_changed", model.identity,
        files=lambda: files_loaded(folder, model.trust_remote_code), told=lambda files: identity_of(folder, files),
    )  # fmt: skip
    with held(place):
        yield


@contextmanager
def held(place: Place, seen: Marks | None = None) -> Iterator[None]:
    """`seen` are marks of files that were read already. Raises ExportFailed with the place's code."""
    files = place.files()
    marks = {**marks_of(files), **(seen or {})}
    try:
        told = place.told(files)
    except OSError as error:
        raise changed(place.code, place.path, f"it cannot be read any more: {first_line(error)}") from error
    if told != place.wanted:
        raise changed(place.code, place.path, _other_content(place, files, told))
    meanwhile = changed(place.code, place.path, "its files changed while they were read")
    try:
        yield
    except Exception as error:  # of a reader that met half of one file and half of another
        if marks_of(place.files()) != marks:
            raise meanwhile from error
        raise
    if marks_of(place.files()) != marks:
        raise meanwhile


def marks_of(files: Sequence[Path]) -> Marks:
    """Of each file what changes with its content; None for one that is gone."""
    marks: Marks = {}
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            marks[file] = None
        else:
            marks[file] = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    return marks


def changed(code: str, path: Path, what: str) -> ExportFailed:
    """What is raised, for people."""
    return ExportFailed(code, f"{path} is not what it was when this was planned: {what}; measure it anew")


def _other_content(place: Place, files: Sequence[Path], told: str) -> str:
    names = ", ".join(file.name for file in files[:_MOST_NAMED]) or "no file"
    more = f" and {len(files) - _MOST_NAMED} more" if len(files) > _MOST_NAMED else ""
    return f"its content ({names}{more}) is {_short(told)}, not {_short(place.wanted or 'named')}"


def _short(identity: str) -> str:
    kind, colon, digest = identity.rpartition(":")
    return f"{kind}{colon}{digest[:12]}"
