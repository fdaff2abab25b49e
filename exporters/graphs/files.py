"""A bare graph's files: is it sound, and where does its external data lie? Graphs are untrusted."""

import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from exporters.graphs.run import first_line
from exporters.seam import ExportFailed
from harness.core.values import inside

LARGEST_PROTOBUF_BYTES = 2**31 - 1
_SLACK_BYTES = 1024**3
_MOST_TIMES_USED = 16


def read_graph(path: Path) -> tuple[Any, tuple[str, ...]]:
    """The model without its external data, and that data's files relative to the model's folder.

    Raises ExportFailed: `model_not_found`, `broken_onnx`, or `external_data_escapes` (before any such file is opened).
    """
    if not path.is_file():
        raise ExportFailed("model_not_found", f"there is no file {path}")
    if path.stat().st_size > LARGEST_PROTOBUF_BYTES:
        reason = "larger than the 2 GiB that ONNX allows a graph without its external data"
        raise ExportFailed("broken_onnx", f"{path.name} is {reason}")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError, OSError) as error:
        raise ExportFailed("broken_onnx", f"{path.name} is not a readable ONNX file: {first_line(error)}") from error
    if not model.graph.output:
        raise ExportFailed("broken_onnx", f"{path.name} is not a sound ONNX graph: it has no outputs")
    outside = [tensor for tensor in _tensors(model) if uses_external_data(tensor)]
    external = _external(outside, path)
    try:
        # By path, because graphs over 2 GB with their data cannot be checked in memory.
        onnx.checker.check_model(str(path))
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise ExportFailed("broken_onnx", f"{path.name} is not a sound ONNX graph: {first_line(error)}") from error
    return model, external


def files_of(path: Path, external: tuple[str, ...]) -> list[Path]:
    """Everything that a bare graph's numbers and their check depend on: it, its external data as `read_graph` names it,
    its test data. Raises ExportFailed `inputs_unreadable`.
    """
    tests = sorted(path.parent.glob("test_data_set_*/*.pb"))
    for test in tests:
        refuse_unbounded(test, path.parent)
    return [path, *(path.parent / name for name in external), *tests]


def refuse_unbounded(path: Path, folder: Path) -> None:
    """Before it is opened: raises ExportFailed `inputs_unreadable` unless a tensor's file is a file, lies in `folder`,
    and is no larger than a protobuf message can be."""
    try:
        inside, regular = path.resolve().is_relative_to(folder.resolve()), path.is_file()
        size_bytes = path.stat().st_size if regular else 0
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of symlinks
        raise ExportFailed("inputs_unreadable", f"{path.name}: {first_line(error)}") from error
    if not inside:
        raise ExportFailed("inputs_unreadable", f"{path.parent.name}/{path.name} leads out of its folder")
    if not regular or size_bytes > LARGEST_PROTOBUF_BYTES:
        why = "larger than 2 GiB" if regular else "no regular file"
        raise ExportFailed("inputs_unreadable", f"{path.parent.name}/{path.name} is {why}")


def copy_external(external: tuple[str, ...], source: Path, target: Path) -> None:
    """The data files, at the same relative places, so that the graph's locations stay true.

    Raises ExportFailed `disk_full` before the first byte.
    """
    need, free = sum((source / location).stat().st_size for location in external), shutil.disk_usage(target).free
    if need > free:
        reason = f"its external data are {need:,} bytes, the artifacts' disk has {free:,} free"
        raise ExportFailed("disk_full", reason)
    for location in external:
        (target / location).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / location, target / location)


def _external(tensors: list[Any], path: Path) -> tuple[str, ...]:
    """The files that hold these tensors; raises ExportFailed when one is not what the graph says of it."""
    used: dict[str, int] = {}
    for tensor in tensors:
        location, size_bytes = _checked_location(tensor, path)
        used[location] = used.get(location, 0) + size_bytes
    for location, size_bytes in used.items():
        there = (path.parent / location).stat().st_size
        # Graphs may share a file of data, but all of it is hashed and copied: no fifty gigabytes for twenty bytes.
        if there > _SLACK_BYTES + _MOST_TIMES_USED * size_bytes:
            said = f"is {there:,} bytes, of which the graph uses {size_bytes:,}"
            raise ExportFailed("broken_onnx", f"{path.name}: its external data file {location} {said}")
    return tuple(sorted(used))


def _checked_location(tensor: Any, path: Path) -> tuple[str, int]:
    """Where a tensor's data lies, and how many bytes; raises ExportFailed when that is outside the model's folder,
    absent or too short."""
    name = tensor.name[:80]
    try:
        info = ExternalDataInfo(tensor)
    except ValueError as error:
        said = f"external data of {name!r}: {first_line(error)}"
        raise ExportFailed("broken_onnx", f"{path.name}: {said}") from error
    location, folder = str(info.location), path.parent.resolve()
    shown = repr(location[:80])
    try:
        escapes = not (folder / inside(location)).resolve().is_relative_to(folder)
    except ValueError:
        escapes = True
    except (OSError, RuntimeError) as error:  # a name too long, a loop of symlinks
        reason = f"{path.name}: its external data file {shown} cannot be found: {type(error).__name__}"
        raise ExportFailed("broken_onnx", reason) from error
    if escapes:
        reason = f"{path.name}: external data of {name!r} lies at {shown}, outside the model's folder"
        raise ExportFailed("external_data_escapes", reason)
    data = folder / location
    try:
        missing = not data.is_file()
    except OSError:  # a name too long
        missing = True
    if missing:
        raise ExportFailed("broken_onnx", f"{path.name}: its external data file {shown} is missing")
    offset, length = info.offset or 0, info.length or 0
    if offset < 0 or length < 0 or offset + length > data.stat().st_size:
        raise ExportFailed("broken_onnx", f"{path.name}: its external data file {shown} is too short")
    # Without a length the tensor has all that follows its offset.
    used = length or data.stat().st_size - offset
    return PurePosixPath(location.replace("\\", "/")).as_posix(), used


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
