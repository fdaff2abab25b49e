"""What PyTorch raises, as a Round's outcome: it has few classes of errors, and most differ by their words alone."""

import re

import torch

from harness.core.errors import Unsupported
from native.seam import BackendFailed, as_outcome

# An operator or a type that this device has no code for: not a failure of the model, and torch says which.
_NOT_OFFERED = re.compile(
    r"not (currently )?implemented for|no kernel image is available|Could not run 'aten::|not supported on|"
    r"doesn't support|No working C\+\+ compiler|Compiler: .* is not found",
)
_LOST = re.compile(
    r"device[- ]side assert|unspecified launch failure|illegal memory access|device lost|DEVICE_LOST"
    r"|GPU is lost|fallen off the bus",
    re.IGNORECASE,
)


def outcome_of(code: str, error: Exception) -> BackendFailed | Unsupported:
    """out_of_memory, device_lost, or Unsupported where torch says that there is no code for this; else `code`."""
    if isinstance(error, BackendFailed | Unsupported):
        return error
    words = str(error).strip()
    first = words.splitlines()[0] if words else ""
    if isinstance(error, torch.OutOfMemoryError):
        return BackendFailed("out_of_memory", first or "torch could not get more memory")
    if _LOST.search(words):
        return BackendFailed("device_lost", first)
    if (found := _NOT_OFFERED.search(words)) and not isinstance(
        error, TypeError | AttributeError | NameError | OSError
    ):
        # Compilers wrap: the line that says it may not be the first.
        line = next(line.strip() for line in words.splitlines() if found.group().splitlines()[0] in line)
        kernels = "no kernel image" in line
        return Unsupported(f"{line}: install a build of PyTorch for this GPU" if kernels else line)
    return as_outcome(code, error)
