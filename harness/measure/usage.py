"""What processes use between two moments: CPU time of a whole tree, and energy where the machine counts it."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

import psutil

from harness.measure.energy import energy_counters

_NS_PER_S = 1_000_000_000


def usage_since(pid: int) -> Callable[[], dict[str, Any]]:
    """Begins now; the function that it gives tells what was used since.

    `wall_ns`, `cpu_ns` (user and system time of the process and its descendants, those that began meanwhile included;
    of those that ended meanwhile nothing is known), `cpu_cores` (the one over the other); `energy_joules`, counter →
    joules, where there are counters: of the whole package or device, whoever used it.
    """
    before = _cpu_s(pid)
    joules = {counter: now for counter in energy_counters().counters if (now := counter.read()) is not None}
    began_ns = time.monotonic_ns()

    def told() -> dict[str, Any]:
        wall_ns = time.monotonic_ns() - began_ns
        found: dict[str, Any] = {"wall_ns": wall_ns}
        if after := _cpu_s(pid):  # of a process that is gone nothing is known
            cpu_ns = round(sum(now - before.get(each, 0.0) for each, now in after.items()) * _NS_PER_S)
            found |= {"cpu_ns": cpu_ns, "cpu_cores": cpu_ns / max(1, wall_ns)}
        used = {counter.name: now for counter, then in joules.items() if (now := counter.since(then)) is not None}
        if used:
            found["energy_joules"] = used
        return found

    return told


def _cpu_s(pid: int) -> dict[int, float]:
    """Process id → seconds of CPU time so far, of the process and its descendants; {} when it is gone."""
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return {}
    found = {}
    for process in processes:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            found[process.pid] = times.user + times.system
    return found
