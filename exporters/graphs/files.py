"""A bare graph's files: is it sound, and where does its external data lie? Graphs are untrusted."""

import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from exporters.graphs.run import first_line
from exporters.seam import ExportFailed


def read_graph(path: Path) -> tuple[Any, tuple[str, ...]]:
    """The model without its external data, and that data's files relative to the model's folder.

    Raises ExportFailed: `model_not_found`, `broken_onnx`, or `external_data_escapes` (before any such file is opened).
    """
    if not path.is_file():
        raise ExportFailed("model_not_found", f"there is no file {path}")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError, OSError) as error:
        raise ExportFailed("broken_onnx", f"{path.name} is not a readable ONNX file: {first_line(error)}") from error
    outside = [tensor for tensor in _tensors(model) if uses_external_data(tensor)]
    external = tuple(sorted({_checked_location(tensor, path) for tensor in outside}))
    try:
        # By path, because graphs over 2 GB with their data cannot be checked in memory.
        onnx.checker.check_model(str(path))
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise ExportFailed("broken_onnx", f"{path.name} is not a sound ONNX graph: {first_line(error)}") from error
    return model, external


def files_of(path: Path) -> list[Path]:
    """Everything that a bare graph's numbers and their check depend on: it, its external data, its test data.

    Raises ExportFailed as `read_graph` does.
    """
    _, external = read_graph(path)
    return [path, *(path.parent / name for name in external), *sorted(path.parent.glob("test_data_set_*/*.pb"))]


def copy_external(external: tuple[str, ...], source: Path, target: Path) -> None:
    """The data files, at the same relative places, so that the graph's locations stay true."""
    for location in external:
        (target / location).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / location, target / location)


def _checked_location(tensor: Any, path: Path) -> str:
    """Where a tensor's data lies; raises ExportFailed when that is outside the model's folder, absent or too short."""
    info = ExternalDataInfo(tensor)
    location, folder = str(info.location), path.parent.resolve()
    parts = PureWindowsPath(location).parts  # splits at both kinds of slash
    absolute = PurePosixPath(location).is_absolute() or bool(PureWindowsPath(location).anchor)
    if absolute or ".." in parts or not location or not (folder / location).resolve().is_relative_to(folder):
        reason = f"{path.name}: external data of {tensor.name!r} lies at {location!r}, outside the model's folder"
        raise ExportFailed("external_data_escapes", reason)
    data = folder / location
    if not data.is_file():
        raise ExportFailed("broken_onnx", f"{path.name}: its external data file {location} is missing")
    if (info.offset or 0) + (info.length or 0) > data.stat().st_size:
        raise ExportFailed("broken_onnx", f"{path.name}: its external data file {location} is too short")
    return PurePosixPath(location.replace("\\", "/")).as_posix()


def _tensors(model: Any) -> Iterator[Any]:
    """Every stored tensor: of the graph, its subgraphs, attributes and functions."""
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        yield from _node_tensors(function.node)
    for training in model.training_info:
        yield from _graph_tensors(training.initialization)
        yield from _graph_tensors(training.algorithm)


def _graph_tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _node_tensors(graph.node)


def _node_tensors(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graph_tensors(graph)
