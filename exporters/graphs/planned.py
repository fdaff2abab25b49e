"""A bare graph and its given inputs, read only while they are what they were when the Case was planned."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exporters.graphs.files import files_of, read_graph
from exporters.planned import Place, changed, held, marks_of
from exporters.seam import ExportFailed
from harness.core.content import (
    LARGEST_INPUTS_BYTES,
    files_of_inputs,
    identity_of,
    identity_of_unreadable,
    is_of_unreadable,
    sha256_of_inputs,
)
from harness.core.nouns import Model


@contextmanager
def graph_as_planned(model: Model, path: Path) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """What `read_graph` gives, and its errors; ExportFailed `model_changed` where the graph, its external data or its
    test data are not what the identity names, before and after."""
    was_unreadable = is_of_unreadable(model.identity)
    if was_unreadable and path.is_file() and identity_of_unreadable(path) != model.identity:
        raise changed("model_changed", path, "its size or its first bytes are others")
    seen = marks_of([path])  # before it is read: what is hashed must be what was read
    try:
        graph, external = read_graph(path)
        files_of(path, external)
    except ExportFailed as failure:
        if was_unreadable or failure.code == "model_not_found":
            raise
        raise changed("model_changed", path, f"it could be read then, and now {failure}") from failure
    if was_unreadable:
        raise changed("model_changed", path, "it could not be read as a graph then, and now it can")
    place = Place(
        path, "model_changed", model.identity,
        files=lambda: files_of(path, external), told=lambda files: identity_of(path.parent, files),
    )  # fmt: skip
    with held(place, seen):
        yield graph, external


@contextmanager
def inputs_as_planned(path: Path, sha256: str | None) -> Iterator[None]:
    """Raises ExportFailed `inputs_changed` unless the file or folder holds the inputs that the Case names, before and
    after. What is not there is for its reader to refuse."""
    if not path.exists():
        yield
        return
    if sum(file.stat().st_size for file in files_of_inputs(path)) > LARGEST_INPUTS_BYTES:
        raise changed("inputs_changed", path, f"it is larger than the {LARGEST_INPUTS_BYTES:,} bytes that are taken")
    with held(Place(path, "inputs_changed", sha256, lambda: files_of_inputs(path), sha256_of_inputs)):
        yield
