"""Read from the machine how quiet it is: by psutil, and from the few files that Linux alone has.

Two moments make a reading. Ours is the tree of processes under a root; everything else is others.
"""

import contextlib
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from harness.measure import host
from harness.measure.quiet import Heavy, OtherRun, Readings

_MEASURING_VERBS = ("run", "demo", "coverage", "bisect", "check", "compare")
_HEAVY_MOST = 10


@dataclass(frozen=True)
class Process:
    """One process at a moment; `cpu_s` since it began."""

    pid: int
    name: str
    cpu_s: float
    created_s: float
    ours: bool


@dataclass(frozen=True)
class Moment:
    """The machine's counters, and all processes that may be seen."""

    at_s: float
    wall_s: float
    processes: dict[tuple[int, float], Process]
    # Looking at hundreds of processes is work of our own, so the counters are read on both sides of it.
    before: dict[str, Any]
    after: dict[str, Any]


def moment(root_pid: int) -> Moment:
    """Now."""
    before = counters()
    processes = {(each.pid, each.created_s): each for each in _processes(root_pid)}
    return Moment(time.monotonic(), time.time(), processes, before, counters())


def counters() -> dict[str, Any]:
    """What only ever grows since the machine started; null where the system does not count it."""
    times = psutil.cpu_times()
    spent = times._asdict()
    idle = spent["idle"] + spent.get("iowait", 0.0)
    # Linux counts a guest's time in `user`, too.
    total = sum(spent.values()) - spent.get("guest", 0.0) - spent.get("guest_nice", 0.0)
    steal = spent.get("steal")
    swap = _swap()
    return {
        "at_s": time.time(),
        "cpu_total_s": total,
        "cpu_busy_s": total - idle - (steal or 0.0),
        "cpu_steal_s": steal,
        "throttle_events": host.throttle_events(),
        "swap_in_bytes": None if swap is None or sys.platform == "win32" else swap.sin,
        "swap_out_bytes": None if swap is None or sys.platform == "win32" else swap.sout,
    }


def readings_between(begin: Moment, end: Moment) -> Readings:
    """What the machine told between two moments, and how it is at the second."""
    window_s = max(end.at_s - begin.at_s, 1e-3)
    spent = list(_spent(begin, end))
    ours_s = sum(cpu_s for process, cpu_s in spent if process.ours)
    others = [(process, cpu_s / window_s) for process, cpu_s in spent if not process.ours]
    seen = sum(cores for _, cores in others)
    # The machine's own count sees what no list of processes does: the short-lived, and what is outside a container.
    busy_s = end.before["cpu_busy_s"] - begin.after["cpu_busy_s"]
    heavy = sorted(others, key=lambda one: -one[1])[:_HEAVY_MOST]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    cores = psutil.cpu_count()
    memory = psutil.virtual_memory()
    swap = _swap()
    return Readings(
        **over(begin.after, end.before), **host.cpu_state(), window_s=window_s, cores=cores,
        load_average_1m=load, load_per_core=load / cores if load is not None and cores else None,
        others_cores=max(seen, (busy_s - ours_s) / window_s, 0.0),
        heavy=tuple(Heavy(name=one.name, pid=one.pid, cores=share) for one, share in heavy if share > 0),
        other_runs=tuple(_other_runs(end)), on_battery=_on_battery(),
        memory_total_bytes=memory.total, memory_available_bytes=memory.available,
        swap_used_bytes=None if swap is None else swap.used,
    )  # fmt: skip


def readings_over(begin: dict[str, Any], end: dict[str, Any]) -> Readings:
    """What the counters alone tell of a longer time, a whole Run."""
    return Readings(window_s=max(end["at_s"] - begin["at_s"], 1e-3), **over(begin, end))


def over(begin: dict[str, Any], end: dict[str, Any]) -> dict[str, Any]:
    """The counters' growth, as fields of Readings; null where one was not counted or began anew (a restart)."""
    grown: dict[str, Any] = {}
    for name in ("throttle_events", "swap_in_bytes", "swap_out_bytes", "cpu_steal_s", "cpu_total_s"):
        first, last = begin.get(name), end.get(name)
        grown[name] = None if first is None or last is None or last < first else last - first
    steal, total = grown.pop("cpu_steal_s"), grown.pop("cpu_total_s")
    return {**grown, "steal_share": None if steal is None or not total else steal / total}


def _processes(root_pid: int) -> Iterator[Process]:
    """All that may be seen; those that end meanwhile are left out."""
    rows: list[tuple[psutil.Process, int]] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            rows.append((process, process.ppid()))
    parents = {process.pid: parent for process, parent in rows}
    for process, _ in rows:
        with contextlib.suppress(psutil.Error), process.oneshot():
            times = process.cpu_times()
            ours = _descends(process.pid, root_pid, parents)
            yield Process(process.pid, process.name(), times.user + times.system, process.create_time(), ours)


def _descends(pid: int, root_pid: int, parents: dict[int, int]) -> bool:
    seen: set[int] = set()
    while pid not in seen:
        if pid == root_pid:
            return True
        seen.add(pid)
        pid = parents.get(pid, pid)
    return False


def _spent(begin: Moment, end: Moment) -> Iterator[tuple[Process, float]]:
    """CPU seconds between the moments of each process that is there at the second."""
    for key, process in end.processes.items():
        before = begin.processes.get(key)
        if before is not None:
            yield process, max(process.cpu_s - before.cpu_s, 0.0)
        elif process.created_s >= begin.wall_s - 1:  # it began in between; else it was not to be read at first
            yield process, process.cpu_s


def _other_runs(now: Moment) -> Iterator[OtherRun]:
    """Conductors of the harness that are neither ours nor above us, and workers that outlived theirs."""
    above = {os.getpid()}
    with contextlib.suppress(psutil.Error):
        above |= {parent.pid for parent in psutil.Process().parents()}
    for process in now.processes.values():
        if process.ours or process.pid in above:
            continue
        with contextlib.suppress(psutil.Error):
            command = measures(psutil.Process(process.pid).cmdline())
            if command:
                yield OtherRun(pid=process.pid, command=command)


def measures(command_line: Sequence[str]) -> str | None:
    """`harness run` for a command line that measures; None for all others, a shell that only quotes it included.

    Its workers and browsers are not listed: they are the same run, and busy ones are named as other processes.
    """
    if not command_line:
        return None
    program, *words = command_line
    name = Path(program).stem.lower()
    if name.startswith("python"):
        # What Python itself takes comes first: flags, then -m MODULE or a script.
        while words and words[0].startswith("-") and words[0] not in ("-m", "-c"):
            words = words[2 if words[0] in ("-X", "-W") else 1 :]
        words = words[1:] if words and words[0] == "-m" else words
        name, words = (Path(words[0]).stem.lower(), words[1:]) if words else ("", [])
    if name != "harness" or not words or not (words[0] in _MEASURING_VERBS or "--rerun" in words):
        return None
    return f"harness {words[0]}"


def _swap() -> Any:
    """psutil's swap memory, or None: some containers hide what it reads."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # that a part of it cannot be read
            return psutil.swap_memory()
    except OSError:
        return None


def _on_battery() -> bool | None:
    if not hasattr(psutil, "sensors_battery"):
        return None
    try:
        battery = psutil.sensors_battery()
    except (OSError, RuntimeError):
        return None
    return None if battery is None or battery.power_plugged is None else not battery.power_plugged
