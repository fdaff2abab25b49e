"""Counters of energy that this machine has and lets us read; where there is none, why not.

RAPL (Linux' powercap: Intel, AMD) counts microjoules per CPU package, for root; NVML counts millijoules per NVIDIA GPU
since its driver was loaded. Both are read in microseconds and count by themselves. macOS' `powermetrics` is no counter
but a sampler that has to run beside what is measured, as root: it is not used, and said so.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_POWERCAP = Path("/sys/class/powercap")
_UJ_PER_J = 1_000_000
_MJ_PER_J = 1_000


@dataclass(frozen=True)
class EnergyCounter:
    """Counts joules from any origin; begins anew after `wraps_at` joules (None: never)."""

    name: str
    joules: Callable[[], float]
    wraps_at: float | None = None

    def read(self) -> float | None:
        """Joules from any origin; None where the counter fails: a device that went must not take a Run with it."""
        try:
            return self.joules()
        except Exception:  # files that are gone, and whatever a driver's binding raises
            return None

    def since(self, before: float) -> float | None:
        """Joules since the reading `before`; right as long as the counter has begun anew once at most."""
        now = self.read()
        if now is None:
            return None
        used = now - before
        return used + self.wraps_at if used < 0 and self.wraps_at is not None else used


@dataclass(frozen=True)
class Energy:
    """The counters, each of something that no other one covers, and why others are missing."""

    counters: tuple[EnergyCounter, ...]
    reasons: tuple[str, ...]


@cache
def energy_counters() -> Energy:
    """What can be read here; looked for once."""
    found = [look() for look in (_rapl, _nvml)]
    reasons = [reason for _, reason in found if reason]
    if sys.platform == "darwin":
        reasons.append("powermetrics samples instead of counting, and would run beside what is measured: not used")
    return Energy(tuple(counter for counters, _ in found for counter in counters), tuple(reasons))


def _rapl(root: Path = _POWERCAP) -> tuple[list[EnergyCounter], str | None]:
    """A counter per CPU package; its parts (cores, memory) are in it, and the whole board's (`psys`) would hold it."""
    packages = [zone for zone in sorted(root.glob("intel-rapl:*")) if zone.name.count(":") == 1]
    packages = [zone for zone in packages if _text(zone / "name").startswith("package")]
    if not packages:
        return [], f"RAPL: {root} has no CPU package" if root.is_dir() else f"RAPL: there is no {root}"
    try:
        for zone in packages:
            (zone / "energy_uj").read_text()
    except OSError as error:
        return [], f"RAPL: {error.strerror} ({packages[0] / 'energy_uj'}); root may read it"
    return [_package(zone) for zone in packages], None


def _package(zone: Path) -> EnergyCounter:
    def joules() -> float:
        return float((zone / "energy_uj").read_text()) / _UJ_PER_J

    wraps_at = float(_text(zone / "max_energy_range_uj") or 0) / _UJ_PER_J
    return EnergyCounter(f"rapl {_text(zone / 'name')}", joules, wraps_at or None)


def _nvml() -> tuple[list[EnergyCounter], str | None]:
    """A counter per NVIDIA GPU, where the driver and its Python binding are there."""
    try:
        import pynvml
    except ImportError:
        return [], "NVML: the Python package nvidia-ml-py is not installed"
    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        counters = nvml_counters(pynvml, handles)
        without = len(handles) - len(counters)
        reason = f"NVML: {without} of {len(handles)} GPUs count no energy" if without else None
        return counters, reason if handles else "NVML: it knows no GPU"
    except pynvml.NVMLError as error:
        return [], f"NVML: {error}"


def nvml_counters(nvml: Any, handles: Sequence[Any]) -> list[EnergyCounter]:
    """One per handle that counts (Volta and later); the driver's counter is in millijoules and never begins anew."""
    found = []
    for index, handle in enumerate(handles):
        try:
            nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        except nvml.NVMLError:
            continue

        def joules(handle: Any = handle) -> float:
            return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / _MJ_PER_J

        found.append(EnergyCounter(f"nvml gpu {index}", joules))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
