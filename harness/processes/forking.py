"""The process's side of a zygote: something imported and nothing computed, forked for each request.

    stdin    a Unix socket: `fork` with three file descriptors, the worker's stdin, stdout and stderr
    stdout   {"ready": true} or {"refused": reason}, once; then for each fork {"pid": N} and {"ended": status}, or
             {"refused": reason}

A fork has the one thread that forked and whatever locks the others held. Which threads end themselves before a fork is
not asked of their names but tried: after a fork that does nothing, one thread must be left. If there are more, or if
later something has run here, nothing is forked, and it is said so.

Only the standard library: what is measured may import this file, and nothing else of the conductor's.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO


def serve(what: str, imports: Callable[[], None], work: Callable[[], int]) -> int:
    """In the zygote: 0 once the conductor is gone. In a fork: what `work` returns. A refusal names `what`."""
    channel = _private_stdout()
    requests = socket.socket(fileno=0)

    def tell(**said: Any) -> None:
        channel.write(json.dumps(said) + "\n")
        channel.flush()

    gc.disable()
    imports()
    _rehearse()
    # Out of the collector's sight: a collection in a fork would write to, and so copy, every page of what is shared.
    gc.freeze()
    tell(**({"refused": reason} if (reason := _why_not(what)) else {"ready": True}))
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, 64, 3)
        if not message:
            return 0
        if reason := _why_not(what):
            tell(refused=reason)
        elif (pid := os.fork()) == 0:
            requests.detach()
            channel.close()
            _become_worker(descriptors)
            return work()
        else:
            tell(pid=pid)
            tell(ended=os.waitstatus_to_exitcode(_end_of(pid, requests)))
        for descriptor in descriptors:
            os.close(descriptor)


def _private_stdout() -> TextIO:
    """What libraries print to fd 1 goes to stderr from here on."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def _rehearse() -> None:
    """A fork that does nothing: pools that know how to be forked end their threads for it."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _why_not(what: str) -> str | None:
    """Why a fork of this process would not be a fresh one; None when it would."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    return None if threads == 1 else f"{what} runs {threads - 1} threads here that a fork would lose"


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
