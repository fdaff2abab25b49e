"""What the machine tells of processes and of its own state. The one place where the systems differ in how they tell."""

import contextlib
import sys
from pathlib import Path
from typing import Any

import psutil

_CPUS = Path("/sys/devices/system/cpu")


def memory_of_tree(pid: int) -> dict[str, int]:
    """Bytes of a process and its descendants, by source; {} when it is gone.

    `tree_hwm_rss`: sum of each process's own high-water mark; an upper bound of the peak, since marks are reached at
    different times and shared pages count in each. `tree_pss`: proportional set size now; shared pages count once.
    """
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return {}
    found: dict[str, int] = {}
    for process in processes:
        with contextlib.suppress(psutil.Error):
            found["tree_hwm_rss"] = found.get("tree_hwm_rss", 0) + _high_water(process)
            pss = getattr(process.memory_full_info(), "pss", None)
            if pss is not None:
                found["tree_pss"] = found.get("tree_pss", 0) + pss
    return found


def reset_peaks_of_tree(pid: int) -> bool:
    """Let the high-water marks of a process and its descendants begin anew, at what each holds now; False where the
    system has no way to (all but Linux), or does not allow it."""
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # ended meanwhile
                Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    except (psutil.Error, OSError):
        return False
    return sys.platform == "linux"


def _high_water(process: psutil.Process) -> int:
    """Peak resident bytes: VmHWM on Linux, the peak working set on Windows; elsewhere the resident size now."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    info = process.memory_info()
    return int(getattr(info, "peak_wset", info.rss))


def throttle_events() -> int | None:
    """How often the cores have throttled themselves from heat since the start; null where that is not counted."""
    counts = [_number(path) for path in _CPUS.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")]
    packages = [_number(path) for path in _CPUS.glob("cpu0/thermal_throttle/package_throttle_count")]
    known = [int(count) for count in (*counts, *packages) if count is not None]
    return sum(known) if known else None


def cpu_state() -> dict[str, Any]:
    """Governors, turbo, the cap of the clock and the quota of CPU time; Linux alone tells these, others give nulls."""
    governors = {_text(path) for path in _CPUS.glob("cpu[0-9]*/cpufreq/scaling_governor")} - {None}
    caps = []
    for folder in _CPUS.glob("cpu[0-9]*/cpufreq"):
        cap, most = _number(folder / "scaling_max_freq"), _number(folder / "cpuinfo_max_freq")
        if cap and most:
            caps.append(cap / most)
    return {
        "governors": tuple(sorted(str(each) for each in governors)) if governors else None,
        "turbo": _turbo(),
        "frequency_cap_share": min(caps) if caps else None,
        "cpu_quota_cores": cpu_quota_cores(),
    }


def cpu_quota_cores(root: Path = Path("/")) -> float | None:
    """The tightest quota of the control groups that hold us, in cores; None without one. Versions 1 and 2."""
    quotas = []
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        mounts = ("sys/fs/cgroup", "sys/fs/cgroup/unified") if not controllers else ()
        if "cpu" in controllers.split(","):
            mounts = (f"sys/fs/cgroup/{controllers}", "sys/fs/cgroup/cpu")
        for mount in mounts:
            # In a container the path may be the host's and not be there; its own group is then the mount itself.
            place = Path(path.lstrip("/"))
            quotas += [_quota(root / mount / step) for step in (place, *place.parents)]
    known = [quota for quota in quotas if quota is not None]
    return min(known) if known else None


def _quota(group: Path) -> float | None:
    words = (_text(group / "cpu.max") or "").split()
    quota, period = (
        words if len(words) == 2 else (_text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us"))
    )
    try:
        cores = float(quota or "max") / float(period or "0")
    except (ValueError, ZeroDivisionError):  # "max": no quota
        return None
    return cores if cores > 0 else None  # -1: none


def _turbo() -> bool | None:
    no_turbo, boost = _number(_CPUS / "intel_pstate/no_turbo"), _number(_CPUS / "cpufreq/boost")
    if no_turbo is not None:
        return no_turbo == 0
    return None if boost is None else boost == 1


def _number(path: Path) -> float | None:
    try:
        return float(_text(path) or "")
    except ValueError:
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None
