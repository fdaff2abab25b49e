"""A bare graph's inputs, and its expected outputs when they came with it.

An ONNX test set is a folder of `input_0.pb …` and `output_0.pb …`; a model's sets lie beside it in `test_data_set_*`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from exporters.graphs.files import refuse_unbounded
from exporters.graphs.npz import read_npz
from exporters.graphs.run import first_line
from exporters.graphs.signature import Signature
from exporters.seam import ExportFailed
from exporters.zoo.data import table


@dataclass(frozen=True)
class Given:
    """Arrays that came with the model or the user; `outputs` is None when only inputs did."""

    inputs: dict[str, Any]
    outputs: dict[str, Any] | None
    origin: str


def read_given(path: Path, names: list[str], outputs: list[str]) -> Given:
    """What the user gave: an .npz by input names, or a folder; raises ExportFailed `inputs_unreadable` and others."""
    if path.is_dir():
        folder = path if list(path.glob("input_*.pb")) else _first_set(path)
        if folder is None:
            raise ExportFailed("inputs_unreadable", f"{path} holds neither input_*.pb nor a test_data_set_*")
        return read_test_set(folder, names, outputs)
    return Given(read_npz(path, names), None, f"inputs from {path.name}")


def beside(model: Path) -> Path | None:
    """The model's first test set, if there is one beside it."""
    return _first_set(model.parent)


def read_test_set(folder: Path, names: list[str], outputs: list[str]) -> Given:
    """One test set; raises ExportFailed `inputs_unreadable`."""
    inputs = _read_numbered(folder, "input", names)
    return Given(inputs, _read_numbered(folder, "output", outputs) or None, f"inputs from {folder.name}")


def make_inputs(signature: Signature, sizes: Mapping[str, int], seed: int) -> dict[str, Any]:
    """Seeded values that fit the signature: normal floats, integers 0 and 1, booleans."""
    made = {}
    for name in signature.names:
        random = np.random.default_rng([seed, crc32(name.encode())])
        shape = [sizes[dim] if isinstance(dim, str) else dim for dim in signature.dims(name)]
        dtype = signature.dtypes[name]
        if dtype.kind == "f":
            made[name] = np.asarray(random.standard_normal(shape)).astype(dtype)
        else:
            below = 2 if dtype.kind == "b" else table("rules")["inputs"]["integer_below"]
            made[name] = np.asarray(random.integers(0, below, shape)).astype(dtype)
    return made


def _first_set(folder: Path) -> Path | None:
    sets = [path for path in folder.glob("test_data_set_*") if path.is_dir()]
    return min(sets, key=_number) if sets else None


def _number(path: Path) -> int:
    found = re.search(r"_(\d+)$", path.stem)
    return int(found.group(1)) if found else -1


def _read_numbered(folder: Path, role: str, names: list[str]) -> dict[str, Any]:
    """`input_0.pb …` by name: the one the tensor carries when all carry one of the graph's, else by position."""
    tensors = []
    for path in sorted(folder.glob(f"{role}_*.pb"), key=_number):
        refuse_unbounded(path, folder)
        tensor = onnx.TensorProto()
        try:
            tensor.ParseFromString(path.read_bytes())
            if onnx.external_data_helper.uses_external_data(tensor):
                raise ExportFailed("external_data_escapes", f"{path.name} keeps its data in another file")
            tensors.append((tensor.name, onnx.numpy_helper.to_array(tensor)))
        # MemoryError: dimensions of which nothing is there.
        except (DecodeError, OSError, ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
            said = f"{folder.name}/{path.name} is no tensor: {first_line(error)}"
            raise ExportFailed("inputs_unreadable", said) from error
    if len(tensors) > len(names):
        raise ExportFailed("inputs_mismatch", f"{folder.name} has {len(tensors)} {role}s, the graph {len(names)}")
    by_name = dict(tensors)
    if len(by_name) == len(tensors) and set(by_name) <= set(names):
        return {name: by_name[name] for name in names if name in by_name}
    return {name: array for name, (_, array) in zip(names, tensors, strict=False)}
