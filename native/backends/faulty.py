"""Dies, hangs, chokes and babbles like real native libraries do, for tests; otherwise it is `noop`.

`--option fault=NAME,at=open|prepare|load|run|outputs` (default run); NAME is a function below.
"""

DESCRIBE = {
    "name": "faulty",
    "version": 1,
    "side": "native",
    "formats": ["any"],
    "precisions": ["fp32"],
    "platforms": {"faulty": {"devices": ["cpu"]}},
    "packages": [],
    "install": "",
    "options": ["fault", "at", "limit_mb", "cgroup"],
    "for_tests": True,
}

import contextlib
import ctypes
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.random
from numpy.typing import NDArray

from harness.core.events import CaseMessage
from native.backends.noop import NoopSession
from native.seam import Session

Options = Mapping[str, str | bool]
_MIB = 1024 * 1024
_FOR_EVER = "import time; time.sleep(3600)"


def open_session(message: CaseMessage) -> Session:
    _strike("open", message)
    return FaultySession(message)


class FaultySession(NoopSession):
    """What `noop` does, and the fault before it, where it was asked for."""

    def prepare(self) -> dict[str, Any]:
        _strike("prepare", self._message)
        return super().prepare()

    def load(self) -> dict[str, Any]:
        _strike("load", self._message)
        return super().load()

    def run(self) -> None:
        _strike("run", self._message)
        super().run()

    def outputs(self) -> list[tuple[str, NDArray[Any]]]:
        _strike("outputs", self._message)
        return super().outputs()


def _strike(at: str, message: CaseMessage) -> None:
    options = message.case.options
    if "fault" in options and options.get("at", "run") == at:
        _FAULTS[str(options["fault"])](options)


def _segfault(_: Options) -> None:
    ctypes.string_at(0)


def _abort(_: Options) -> None:
    os.write(2, b"terminate called after throwing an instance of 'std::logic_error'\n")
    os.abort()


def _abort_for_memory(_: Options) -> None:
    os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
    os.abort()


def _exit(_: Options) -> None:
    os._exit(3)


def _exit0(_: Options) -> None:
    os._exit(0)


def _kill(_: Options) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang(_: Options) -> None:
    time.sleep(3600)


def _hang_gil(_: Options) -> None:
    """PyDLL keeps the interpreter's lock: no thread of Python gets on, no handler of a signal runs."""
    ctypes.PyDLL(None).sleep(3600)


def _oom(options: Options) -> None:
    """Down to the last page, so that whoever reports it has nothing left to report with."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + int(options.get("limit_mb", 64)) * _MIB
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    kept: list[bytearray] = []
    size = _MIB
    while True:
        try:
            kept.append(bytearray(size))
        except MemoryError:
            if size <= 4096:
                raise
            size //= 2


def _oom_native(_: Options) -> None:
    raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to …")


def _oom_kernel(options: Options) -> None:
    """Fill a memory cgroup that the test made, until the kernel ends us."""
    (Path(str(options["cgroup"])) / "cgroup.procs").write_text(str(os.getpid()))
    kept = []
    while True:
        kept.append(b"\x01" * _MIB)


def _disk_full(_: Options) -> None:
    """No file may grow: the interpreter ignores SIGXFSZ, so a write fails with EFBIG, as one fails on a full disk."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _noise(_: Options) -> None:
    """As C++ libraries print, past the interpreter's own streams."""
    libc = ctypes.CDLL(None)
    libc.printf(b"a library says hello\n")
    libc.fflush(None)
    os.write(2, b"and complains\n")


def _flood(_: Options) -> None:
    chunk = b"W: the same warning again\n" * (_MIB // 26)
    for _mib in range(200):
        os.write(2, chunk)


def _chance(_: Options) -> None:
    """Says its random numbers where a test can read them: as the last line of a process that ends."""
    os.write(2, f"random {random.random()} {np.random.random()}\n".encode())
    os._exit(3)


def _orphan(_: Options) -> None:
    """A grandchild in a session of its own, without a program of its own, that holds all our pipes."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                time.sleep(3600)
        os._exit(0)


def _orphan_exit(_: Options) -> None:
    """A grandchild with a program of its own, that outlives us."""
    subprocess.Popen([sys.executable, "-c", _FOR_EVER], start_new_session=True, pass_fds=[_protocol_pipe()])
    os._exit(3)


def _says(*lines: bytes) -> Callable[[Options], None]:
    """Words of our own on the protocol's pipe, and then silence."""

    def say(_: Options) -> None:
        for line in lines:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(_protocol_pipe(), rest) :]
        time.sleep(3600)

    return say


def _protocol_pipe() -> int:
    """The pipe that the worker moved its protocol to: the one to write to that is neither 1 nor 2."""
    import fcntl

    for fd in range(3, 64):
        with contextlib.suppress(OSError):
            writes = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
            if writes and stat.S_ISFIFO(os.fstat(fd).st_mode):
                return fd
    raise RuntimeError("the protocol has no pipe of its own")


_HELLO = json.dumps({"event": "hello", "protocol": 1, "side": "native", "runtime": {}, "provenance": {}})
_FAULTS: dict[str, Callable[[Options], None]] = {
    "segfault": _segfault, "abort": _abort, "abort_for_memory": _abort_for_memory, "exit": _exit, "exit0": _exit0,
    "kill": _kill, "hang": _hang, "hang_gil": _hang_gil, "oom": _oom, "oom_native": _oom_native,
    "oom_kernel": _oom_kernel, "disk_full": _disk_full, "noise": _noise, "flood": _flood, "chance": _chance,
    "orphan": _orphan, "orphan_exit": _orphan_exit,
    "garbage": _says(b"Traceback? No: a library's banner, v1.2\n"),
    "endless_line": _says(b"x" * (16 * _MIB)),
    "no_event": _says(b'{"answer": 42}\n'),
    "zeros": _says(bytes(1000) + b"\n"),
    "out_of_order": _says(f"{_HELLO}\n".encode()),
    "done_early": _says(b'{"event": "done", "stopped_by": "budget"}\n'),
}  # fmt: skip
