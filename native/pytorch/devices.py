"""PyTorch's devices: one row each of what differs between them, and why one is not here.

A row is the seam that tests put a stand-in behind: nothing else of the backend knows one accelerator from another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

_SELECTOR = "see the install selector of PyTorch's own site"


@dataclass(frozen=True)
class Device:
    """`torch_name` is what tensors are moved to; `why_not` gives None, or why it is not here and what to install.

    `memory` gives allocator's source → bytes: `device_peak_…` is a peak since `reset_peak`, `device_end_…` what was
    held when it was asked.
    """

    torch_name: str
    why_not: Callable[[], str | None]
    synchronize: Callable[[], None]
    reset_peak: Callable[[], None]
    memory: Callable[[], dict[str, int]]
    describe: Callable[[], dict[str, Any]]


def _nothing() -> None:
    """The CPU's work is done when a call returns, and no allocator of its own is counted."""


def _cuda_like(wanted: str) -> str | None:
    """CUDA and ROCm are both torch's `cuda`, and one build of PyTorch has one of them."""
    title = {"cuda": "CUDA", "hip": "ROCm"}[wanted]
    other = {"cuda": "hip", "hip": "cuda"}[wanted]
    if getattr(torch.version, wanted) is None:
        has = getattr(torch.version, other)
        is_for = f"for {'ROCm' if other == 'hip' else 'CUDA'} {has}" if has else f"without {title}"
        return f"PyTorch {torch.__version__} is built {is_for}: install a build of PyTorch with {title} ({_SELECTOR})"
    if torch.cuda.is_available():
        return None
    return f"PyTorch {torch.__version__} is built for {title} and finds no device: install the driver of the GPU"


def _mps_why_not() -> str | None:
    if not torch.backends.mps.is_built():
        return f"PyTorch {torch.__version__} is built without MPS: install a build of PyTorch for macOS ({_SELECTOR})"
    if torch.backends.mps.is_available():
        return None
    return "PyTorch's MPS needs macOS 14 or later and a Mac with a GPU that Metal knows"


def _xpu_why_not() -> str | None:
    if not torch.xpu._is_compiled():
        return f"PyTorch {torch.__version__} is built without XPU: install a build of PyTorch with XPU ({_SELECTOR})"
    if torch.xpu.is_available():
        return None
    return f"PyTorch {torch.__version__} is built for XPU and finds no device: install Intel's driver of the GPU"


def _cpu_facts() -> dict[str, Any]:
    return {"type": "cpu", "capability": torch.backends.cpu.get_cpu_capability()}


def _cuda_facts() -> dict[str, Any]:
    properties = torch.cuda.get_device_properties(0)
    return {
        "type": "cuda", "name": properties.name, "memory_bytes": properties.total_memory,
        "capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda, "hip": torch.version.hip,
        "allow_tf32": torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32,
    }  # fmt: skip


def _xpu_facts() -> dict[str, Any]:
    properties = torch.xpu.get_device_properties(0)
    return {"type": "xpu", "name": properties.name, "memory_bytes": properties.total_memory}


def _cuda_memory() -> dict[str, int]:
    return {
        "device_peak_cuda_allocated": torch.cuda.max_memory_allocated(),
        "device_peak_cuda_reserved": torch.cuda.max_memory_reserved(),
    }


def _mps_memory() -> dict[str, int]:
    # Metal's allocator keeps no peak: this is what it held after the last run.
    return {"device_end_mps_driver": torch.mps.driver_allocated_memory()}


def _xpu_memory() -> dict[str, int]:
    return {"device_peak_xpu_allocated": torch.xpu.max_memory_allocated()}


def _cuda(wanted: str) -> Device:
    return Device(
        "cuda", lambda: _cuda_like(wanted), lambda: torch.cuda.synchronize(),
        lambda: torch.cuda.reset_peak_memory_stats(), _cuda_memory, _cuda_facts,
    )  # fmt: skip


# By the names of `DESCRIBE`'s platforms, which are also those of their devices.
DEVICES = {
    "cpu": Device("cpu", lambda: None, _nothing, _nothing, dict, _cpu_facts),
    "cuda": _cuda("cuda"),
    "rocm": _cuda("hip"),
    "mps": Device("mps", _mps_why_not, torch.mps.synchronize, _nothing, _mps_memory, lambda: {"type": "mps"}),
    "xpu": Device(
        "xpu", _xpu_why_not, lambda: torch.xpu.synchronize(), lambda: torch.xpu.reset_peak_memory_stats(),
        _xpu_memory, _xpu_facts,
    ),
}  # fmt: skip
