"""The machine's fingerprint: what a number belongs to."""

import os
import platform
import sys
from pathlib import Path
from typing import Any

import psutil

from harness import catalog
from harness.core.digest import digest_of
from harness.measure.energy import energy_counters

_MEASURED = (
    "torch", "torchao", "transformers", "onnxruntime", "onnxruntime-ep-webgpu", "openvino", "onnx", "onnxscript",
    "playwright", "numpy", "duckdb", "model-benchmark-harness",
)  # fmt: skip


def fingerprint() -> dict[str, Any]:
    """Stable facts under `machine_id`'s digest, then the state of the moment (load, free memory, battery, governor)."""
    memory = psutil.virtual_memory()
    stable = {
        "cpu": _cpu_name(),
        "cores_physical": psutil.cpu_count(logical=False),
        "cores_logical": psutil.cpu_count(),
        "memory_bytes": memory.total,
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
    }
    energy = energy_counters()
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return {
        "machine_id": digest_of(stable),
        **stable,
        "python": platform.python_version(),
        "packages": {name: version for name in _MEASURED if (version := catalog.installed_version(name))},
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "memory_available_bytes": memory.available,
        "swap_used_bytes": psutil.swap_memory().used,
        "on_battery": None if battery is None else not battery.power_plugged,
        "energy": {"counters": [each.name for each in energy.counters], "reasons": list(energy.reasons)},
        "governor": _first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    }


def _cpu_name() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _first_line(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None
