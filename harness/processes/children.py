"""End what this process starts, as a whole; and the guard, which does so when this process is gone.

What is kept here belongs to the process, as its environment and its children do; hence a module and no object.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from harness.catalog import ROOT
from harness.processes.guard import MARK, end_all

_SHORT_LIFE_S, _LONGEST_WAIT_S = 0.2, 60.0
TEMPORARY = ("TMPDIR", "TEMP", "TMP")  # what systems call the folder for temporary files


@dataclass
class _Guard:
    """The guard's process, and all that it was told: whoever kills it gets another one."""

    mark: str
    groups: set[int] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    dismissed: bool = False
    died_young: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        # Without the mark, since it must outlive whoever carries it; in a session of its own, out of reach of Ctrl-C.
        clean = {name: value for name, value in os.environ.items() if name not in (MARK, *TEMPORARY)}
        with self.lock:
            # Told as arguments: we may be gone before we could write a line.
            state = json.dumps({"groups": sorted(self.groups), "folders": sorted(self.folders)})
            self.process = subprocess.Popen(
                [sys.executable, "-m", "harness.processes.guard", self.mark, state],
                cwd=ROOT, env=clean, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        threading.Thread(target=self._replace, args=(self.process,), daemon=True).start()

    def _replace(self, process: "subprocess.Popen[bytes]") -> None:
        """Sleeps until the guard ends; costs nothing while something is measured."""
        began = time.monotonic()
        process.wait()
        if time.monotonic() - began < _SHORT_LIFE_S:  # it cannot live here: to try at once for ever would be load
            self.died_young += 1
            time.sleep(min(2.0**self.died_young, _LONGEST_WAIT_S))
        if not self.dismissed:
            self.start()

    def tell(self, text: str) -> None:
        with self.lock, contextlib.suppress(OSError):  # it was killed: the next one is told everything anew
            assert self.process and self.process.stdin
            self.process.stdin.write(f"{text}\n".encode())
            self.process.stdin.flush()

    def dismiss(self) -> None:
        assert self.process and self.process.stdin
        self.dismissed = True
        self.tell("bye")
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.wait()


_guard: _Guard | None = None


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """While it lasts, whatever this process starts ends with it, and what is temporary lies in one folder that goes
    with it; a process that was started before the end and still runs is ended."""
    global _guard
    if _guard is not None:  # somebody further up takes care of it
        yield
        return
    folder = Path(tempfile.mkdtemp(prefix="harness-"))
    _guard = _Guard(secrets.token_hex(8), folders={str(folder)})
    _guard.start()
    try:
        with environment_with({MARK: _guard.mark, **dict.fromkeys(TEMPORARY, str(folder))}):
            tempfile.tempdir = None  # look again
            yield
    finally:
        tempfile.tempdir = None
        for group in list(_guard.groups):
            end_group(group)
        end_all(_guard.mark)  # a driver that hangs, a grandchild in a group of its own
        shutil.rmtree(folder, ignore_errors=True)
        _guard.dismiss()
        _guard = None


@contextlib.contextmanager
def environment_with(changes: Mapping[str, str]) -> Iterator[None]:
    """This process's environment with the changes, and then as it was: for children that are given none."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def watch_group(group: int) -> None:
    """A process group to end with us, whoever started it: a browser's, or a forked worker's."""
    if _guard is not None:
        _guard.groups.add(group)
        _guard.tell(f"watch {group}")


def end_group(group: int) -> None:
    """Kill all of a process group and whatever descends from its first process; where there are no groups, those."""
    tree: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(group)
        tree = [root, *root.children(recursive=True)]
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for process in tree:
        with contextlib.suppress(psutil.Error):
            process.kill()
    if _guard is not None:
        _guard.groups.discard(group)
        _guard.tell(f"forget {group}")


@contextlib.contextmanager
def removed_with_us(folder: Path) -> Iterator[None]:
    """A folder that must not outlive this process half made: gone at the end, unless it was renamed into its place."""
    if _guard is not None:
        _guard.folders.add(str(folder))
        _guard.tell(f"keep {json.dumps(str(folder))}")
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if _guard is not None:
            _guard.folders.discard(str(folder))
            _guard.tell(f"drop {json.dumps(str(folder))}")
