"""An `.npz` of the user's, read with every promise checked first: sizes, types, names. Never a pickle."""

import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from exporters.graphs.signature import LARGEST_INPUT_BYTES
from exporters.seam import ExportFailed

_MOST_MEMBERS = 1000
_ENDING = ".npy"


def read_npz(path: Path, names: list[str]) -> dict[str, Any]:
    """The arrays by name; raises ExportFailed `inputs_unreadable`, or `inputs_mismatch` when the names are not these.

    numpy's own reader believes the sizes that a file declares: 100 kB can ask for gigabytes.
    """
    if not path.is_file():
        raise ExportFailed("inputs_unreadable", f"{path.name} is no regular file")
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path, names)
            return {name: _read(archive, info, path) for name, info in members.items()}
    # What a broken archive makes zipfile raise; NotImplementedError is a compression it does not know.
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise ExportFailed("inputs_unreadable", f"{path.name} is not an .npz of arrays: {said}") from error


def _members(archive: zipfile.ZipFile, path: Path, names: list[str]) -> dict[str, zipfile.ZipInfo]:
    listed = archive.infolist()
    if len(listed) > _MOST_MEMBERS:
        raise ExportFailed("inputs_unreadable", f"{path.name} holds {len(listed)} files, more than {_MOST_MEMBERS}")
    found = {info.filename.removesuffix(_ENDING): info for info in listed}
    if set(found) != set(names) or not all(info.filename.endswith(_ENDING) for info in listed):
        given = ", ".join(repr(info.filename[:80]) for info in listed[:20]) or "nothing"
        wanted = ", ".join(f"{name}{_ENDING}"[:80] for name in names[:20])
        raise ExportFailed("inputs_mismatch", f"{path.name} holds {given}; the graph takes {wanted}")
    if len(found) != len(listed):
        raise ExportFailed("inputs_unreadable", f"{path.name} holds a name twice")
    declared = sum(info.file_size for info in listed)
    if declared > LARGEST_INPUT_BYTES:
        said = f"unpacks to {declared:,} bytes, more than {LARGEST_INPUT_BYTES:,}"
        raise ExportFailed("inputs_too_large", f"{path.name} {said}")
    return found


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Any:
    """One array. zipfile never gives more than the declared size, and the declared size was checked."""
    data = io.BytesIO(archive.read(info))
    shape, dtype = _header(data)
    where = f"{info.filename[:80]!r} of {path.name}"
    if dtype.hasobject:
        raise ExportFailed("inputs_unreadable", f"{where} holds Python objects, which are never unpickled")
    held = len(data.getbuffer()) - data.tell()
    if math.prod(shape) * dtype.itemsize != held:
        said = f"promises shape {list(shape)[:8]} of {dtype} and holds {held:,} bytes"
        raise ExportFailed("inputs_unreadable", f"{where} {said}")
    data.seek(0)
    return np.lib.format.read_array(data, allow_pickle=False)


def _header(data: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type; numpy reads the header as a literal, never by running it."""
    version = np.lib.format.read_magic(data)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(data)
    if any(size < 0 for size in shape):
        raise ValueError("a negative size in its shape")
    return shape, dtype
