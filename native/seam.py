"""The seam between the worker and a native backend: ONE FILE in `backends/` = ONE BACKEND.

Such a file opens with a literal `DESCRIBE = {…}` (the conductor reads it without importing) and has one function
`open_session(message) -> Session`. Importing the file may import one ML library; nothing else here does.
"""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.events import CaseMessage
from harness.core.nouns import Tensor


class BackendFailed(HarnessError):
    """The runtime could not; `code` is for programs (load_failed, inference_failed), the text in its words."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Session(Protocol):
    """One model on one device. The order of calls: prepare, load, (drop_outputs, run × k) × n, outputs, placement."""

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

    def drop_outputs(self) -> None:
        """Let go of the latest outputs, before a timed region: freeing them is not part of an inference."""
        ...


def read_tensor(folder: Path, tensor: Tensor) -> NDArray[Any]:
    """The frozen bytes as an array of the tensor's dtype and shape, writable and in this machine's byte order."""
    dtype = np.dtype(tensor.dtype)
    raw = np.fromfile(folder / tensor.file, dtype=dtype.newbyteorder("<"))
    return raw.astype(dtype, copy=False).reshape(tensor.shape)


def read_inputs(message: CaseMessage) -> dict[str, NDArray[Any]]:
    """All inputs of the Artifact by name."""
    return {tensor.name: read_tensor(Path(message.base), tensor) for tensor in message.artifact.inputs}


def size_of(paths: list[Path]) -> int:
    """Bytes of files and of all files in folders."""
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return sum(file.stat().st_size for file in files if file.is_file())
