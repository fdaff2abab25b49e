"""The seam between the worker and a native backend: ONE FILE in `backends/` = ONE BACKEND.

Such a file opens with a literal `DESCRIBE = {…}` (the conductor reads it without importing) and has one function
`open_session(message) -> Session`. Importing the file may import one ML library; nothing else here does.
"""

import math
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import DISK_FULL, HarnessError, Unsupported
from harness.core.events import CaseMessage, Operator
from harness.core.nouns import Tensor
from harness.core.wording import code_by_words, is_refusal


class BackendFailed(HarnessError):
    """The runtime could not; `code` is for programs (load_failed, inference_failed), the text in its words."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def as_outcome(code: str, error: Exception) -> BackendFailed | Unsupported:
    """What was raised as the Round's outcome; `code` is for what is not known better by its kind or its words."""
    if isinstance(error, BackendFailed | Unsupported):
        return error
    words = str(error).strip().splitlines()
    reason = words[0] if words else "it gave no reason"
    if isinstance(error, MemoryError):
        # What filled the memory hangs on the frames that were left; without letting go, not even this can be said.
        traceback.clear_frames(error.__traceback__)
        return BackendFailed("out_of_memory", reason if words else "the process could not get more memory")
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return BackendFailed("disk_full", f"cannot write {error.filename or 'a file'}: {error.strerror}")
    if known := code_by_words(reason):
        return BackendFailed(known, reason)
    # A mistake in some Python, or the system's refusal of a file, is no word of the runtime.
    if is_refusal(reason) and not isinstance(error, TypeError | AttributeError | NameError | LookupError | OSError):
        return Unsupported(reason)
    return BackendFailed(code, reason if code == "load_failed" else f"{type(error).__name__}: {reason}")


@dataclass(frozen=True)
class Profiled:
    """What a backend's own profiler saw: `durations_ns` is the wall time of each profiled run."""

    source: str
    durations_ns: list[int]
    operators: list[Operator]


class Session(Protocol):
    """One model on one device. The order of calls: prepare, load, (drop_outputs, run × k) × n, outputs, placement; in a
    Round that profiles, `profile` once instead of placement; in one that audits, runs on other inputs before the last
    outputs, where the session is one that `TakesInputs`."""

    runtime: dict[str, str]  # package → version of what is measured

    def prepare(self) -> dict[str, Any]:
        """Read the inputs and find the model's files (`load` reads those); returns the phase's detail: {"bytes": …}."""
        ...

    def load(self) -> dict[str, Any]:
        """Create the session or module; returns provenance that is known only now, such as {"threads": 2}."""
        ...

    def run(self) -> None:
        """One inference, until its outputs are there to be read: this is what is timed."""
        ...

    def outputs(self) -> list[tuple[str, NDArray[Any]]]:
        """Name and host array of each output of the latest run, in the model's order."""
        ...

    def placement(self) -> dict[str, Any]:
        """{"providers": {name: nodes}, "fallbacks": [operator …], "fallback_share": 0…1 or None}."""
        ...

    def profile(self, runs: int) -> Profiled:
        """So many runs under the backend's own profiler, warmed up; it may make another session or module for that.

        Raises Unsupported where this backend has no profiler on this device.
        """
        ...

    def drop_outputs(self) -> None:
        """Let go of the latest outputs, before a timed region: freeing them is not part of an inference."""
        ...


@runtime_checkable
class TellsMemory(Protocol):
    """A Session whose device has an allocator of its own; the host's memory is seen from outside."""

    def memory(self) -> dict[str, int]:
        """Source → bytes, asked once, when all runs are over; a peak is one since before the model was loaded."""
        ...


@runtime_checkable
class TakesInputs(Protocol):
    """A Session that can be given other inputs once it is loaded, for the Round that audits."""

    def give(self, inputs: dict[str, NDArray[Any]]) -> None:
        """Host arrays by the Artifact's names, dtypes and shapes, for the runs from here on; never timed."""
        ...


def read_tensor(folder: Path, tensor: Tensor) -> NDArray[Any]:
    """The frozen bytes as an array of the tensor's dtype and shape, writable and in this machine's byte order.

    Raises BackendFailed `broken_artifact` when the file is not what the manifest says: it changed after it was checked.
    """
    dtype = np.dtype(tensor.dtype)
    path, wanted = folder / tensor.file, math.prod(tensor.shape) * dtype.itemsize
    found = path.stat().st_size if path.is_file() else None
    if found != wanted:
        has = "is gone" if found is None else f"has {found} bytes"
        reason = f"{tensor.file} {has}, {tensor.name} needs {wanted}: delete {folder}, and it is made again"
        raise BackendFailed("broken_artifact", reason)
    raw = np.fromfile(path, dtype=dtype.newbyteorder("<"))
    return raw.astype(dtype, copy=False).reshape(tensor.shape)


def read_inputs(message: CaseMessage) -> dict[str, NDArray[Any]]:
    """All inputs of the Artifact by name."""
    return {tensor.name: read_tensor(Path(message.base), tensor) for tensor in message.artifact.inputs}


def size_of(paths: list[Path]) -> int:
    """Bytes of files and of all files in folders."""
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return sum(file.stat().st_size for file in files if file.is_file())
