"""`python -m native.zygote BACKEND`: a backend imported and nothing computed, forked for each Round; the fork is the
worker.

    stdin    a Unix socket: `fork` with three file descriptors, the worker's stdin, stdout and stderr
    stdout   {"ready": true} or {"refused": reason}, once; then for each fork {"pid": N} and {"ended": status}, or
             {"refused": reason}

So each Round still has a process of its own, with a model of its own, and only the imports are shared. What else is
shared must be known to whoever reads the numbers: all forks have one layout of memory and one hash seed, and what
differs by them between fresh processes is not in the spread of their Rounds. Pages of the imports are mapped or copied
when a fork first touches them, which is in `load` and `first`; the steady state showed no difference.

A fork has the one thread that forked and whatever locks the others held. After import there are, on Linux: OpenBLAS's
pools of numpy and of scipy (which transformers imports), `threads - 1` each, which end themselves before a fork and
come again when needed; none of PyTorch's or ONNX Runtime's, whose pools begin with the first operator or session; and
ONNX Runtime's sender of usage data, unless ORT_DISABLE_TELEMETRY is set, which the conductor does. Which threads end
themselves is not asked of their names but tried: after a fork that does nothing, one thread must be left. If there are
more, or if later something has run here, nothing is forked, and it is said so.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from native import worker


def main() -> int:
    """In the zygote: 0 once the conductor is gone. In a fork: what the worker's `main` returns."""
    channel = worker.private_stdout()
    requests = socket.socket(fileno=0)

    def tell(**said: Any) -> None:
        channel.write(json.dumps(said) + "\n")
        channel.flush()

    gc.disable()
    with contextlib.suppress(ImportError):  # the fork will try again, and say why not in its own words
        importlib.import_module(f"native.backends.{sys.argv[1]}")
    _rehearse()
    # Out of the collector's sight: a collection in a fork would write to, and so copy, every page of what is shared.
    gc.freeze()
    tell(**({"refused": reason} if (reason := _why_not()) else {"ready": True}))
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, 64, 3)
        if not message:
            return 0
        if reason := _why_not():
            tell(refused=reason)
        elif (pid := os.fork()) == 0:
            requests.detach()
            channel.close()
            _become_worker(descriptors)
            return worker.main("zygote")
        else:
            tell(pid=pid)
            tell(ended=os.waitstatus_to_exitcode(_end_of(pid, requests)))
        for descriptor in descriptors:
            os.close(descriptor)


def _rehearse() -> None:
    """A fork that does nothing: pools that know how to be forked end their threads for it."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _why_not() -> str | None:
    """Why a fork of this process would not be a fresh one; None when it would."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads == 1:
        return None
    return f"{sys.argv[1]} runs {threads - 1} threads here that a fork would lose: use --isolation process"


def _become_worker(descriptors: list[int]) -> None:
    """What a fresh process has: a session, streams and chance of its own; `random` sees to itself."""
    os.setsid()
    for own, given in enumerate(descriptors):
        os.dup2(given, own)
        os.close(given)
    if "numpy.random" in sys.modules:
        import numpy as np

        np.random.seed()
    gc.enable()


def _end_of(pid: int, requests: socket.socket) -> int:
    """Its wait status, however long that takes; the fork is ended where the conductor is gone."""
    end = os.pidfd_open(pid)
    waiting = select.poll()
    waiting.register(end, select.POLLIN)
    waiting.register(requests.fileno(), select.POLLHUP)
    while True:
        ready = dict(waiting.poll())
        if requests.fileno() in ready:
            waiting.unregister(requests.fileno())
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if end in ready:
            os.close(end)
            return os.waitpid(pid, 0)[1]


if __name__ == "__main__":
    sys.exit(main())
