"""`python -m harness.processes.guard MARK`: waits for the conductor's end and leaves nothing behind.

The conductor holds the other end of this process's stdin; when it is gone, however it went (`kill -9` included), the
system closes it. Then every process is ended that carries the conductor's mark in its environment, belongs to one of
the groups it was told of, or descends from such a one; and the temporary folders are removed. STATE is what is known
when it starts, `{"groups": [number …], "folders": [path …]}`; on stdin follows what changes:

    watch GROUP    a process group to end     forget GROUP    it has ended
    keep FOLDER    a folder to remove         drop FOLDER     it is gone or in its place (both as JSON strings)
    bye            all is tidy: nothing to do

Marks alone would not do: Chromium's children write their titles over their environment. Groups alone would not do
either: the conductor may be gone before it could name one.
"""

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

MARK = "HARNESS_CHILD_OF"
_AGAIN_AFTER_S = 0.05
_QUIET_LOOKS = 3  # a process may be between fork and exec while we look, and show its mark only then
_PATIENCE_S = 20.0


def left_behind(mark: str, groups: Iterable[int] = (), born: float = 0.0) -> list[psutil.Process]:
    """All processes that belong to a conductor, or to one of its children, without the one who asks.

    A group counts only where it is younger than the conductor (`born`, as psutil tells it in this process): numbers of
    groups that have ended are used again.
    """
    wanted = set(groups)
    mine = os.getpid()
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid == mine or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if _has(process, mark) or (_group(process.pid) in wanted and process.create_time() >= born):
                found[process.pid] = process
    for process in list(found.values()):
        with contextlib.suppress(psutil.Error):
            found |= {child.pid: child for child in process.children(recursive=True) if child.pid != mine}
    return list(found.values())


def end_all(mark: str, groups: Iterable[int] = (), born: float = 0.0) -> None:
    """Kill until nothing is left for several looks in a row; a process that cannot be killed is given up in the end."""
    groups = list(groups)
    quiet, deadline = 0, time.monotonic() + _PATIENCE_S
    while quiet < _QUIET_LOOKS and time.monotonic() < deadline:
        left = left_behind(mark, groups, born)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        quiet = 0 if left else quiet + 1
        time.sleep(_AGAIN_AFTER_S)


def _group(pid: int) -> int | None:
    return os.getpgid(pid) if hasattr(os, "getpgid") else None


def _has(process: psutil.Process, mark: str) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        found = process.environ().get(MARK, "")
        return found == mark or found.startswith(f"{mark}/")  # a child's own mark begins with its conductor's
    return False


def _lines() -> Iterator[str]:
    """What the conductor says until it is gone."""
    with contextlib.suppress(OSError, ValueError):
        for line in sys.stdin:
            yield line.rstrip("\n")


def _birthday(pid: int) -> float:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).create_time()
    return 0.0


def main() -> int:
    mark, state = sys.argv[1], json.loads(sys.argv[2])
    groups, folders = set[int](state["groups"]), set[str](state["folders"])
    born = _birthday(os.getppid())
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # whoever ends the conductor's whole group does not mean us
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    for line in _lines():
        word, _, rest = line.partition(" ")
        if word == "watch":
            groups.add(int(rest))
        elif word == "forget":
            groups.discard(int(rest))
        elif word == "keep":
            folders.add(json.loads(rest))
        elif word == "drop":
            folders.discard(json.loads(rest))
        elif word == "bye":
            return 0
    end_all(mark, groups, born)
    for folder in folders:
        shutil.rmtree(Path(folder), ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
