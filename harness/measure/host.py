"""What the machine tells of processes: memory. The one place where the systems differ in how they tell it."""

import contextlib
import sys
from pathlib import Path

import psutil


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


def _high_water(process: psutil.Process) -> int:
    """Peak resident bytes: VmHWM on Linux, the peak working set on Windows; elsewhere the resident size now."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    info = process.memory_info()
    return int(getattr(info, "peak_wset", info.rss))
