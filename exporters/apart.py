"""Run one step in a fork of this process: what hangs, crashes or grows there ends that step and nothing else.

A fork has the one thread that forked: where threads live here (a library has computed), or there is no fork, the step
runs in this process, and no limit holds. The worker itself computes nothing, so its forks are fresh.
"""

import gc
import os
import pickle
import select
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporters.graphs.run import first_line
from exporters.seam import ExportFailed, ExportUnsupported, Limits

Tell = Callable[[str], None]
Step = Callable[[Tell], Any]
_HEAD = struct.Struct("<Q")
# How torch, C++ and the system say it, whatever class of exception carries the words.
_NO_MEMORY = ("can't allocate memory", "cannot allocate memory", "bad_alloc", "bad allocation", "not enough memory")

_LINKERS_WORD = 127


def run_apart(step: Step, stage: str, limits: Limits) -> Any:
    """What the step returns. It is given a function to name the stage that begins; `stage` is the first one.

    Raises what the step raises of ours, and ExportFailed `STAGE_timeout`, `STAGE_memory`, `STAGE_killed` (SIGKILL) or
    `STAGE_crashed` (any other end without a word).
    """
    if not _forks_are_fresh():
        return step(lambda name: None)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _be_child(step, writing, limits)
    os.close(writing)
    heard = _Heard(stage)
    try:
        return _listen(reading, heard, limits)
    except EOFError as error:
        _, status = os.waitpid(pid, 0)
        pid = 0
        raise _ended(status, heard.stage, limits) from error
    finally:
        os.close(reading)
        if pid:
            os.kill(pid, signal.SIGKILL)  # its number is its own until it is waited for
            os.waitpid(pid, 0)


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception, or what led to it, says that there is not enough memory."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError) or any(words in str(seen).lower() for words in _NO_MEMORY):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


@contextmanager
def as_ours(code: Callable[[], str]) -> Iterator[None]:
    """What a model's or a library's own code raises, of whatever kind, as an ExportFailed with the code of that moment;
    a package that is not here as ExportUnsupported, want of memory as MemoryError."""
    try:
        yield
    except (ExportFailed, ExportUnsupported):
        raise
    except ImportError as error:
        raise ExportUnsupported(first_line(error)) from error
    except Exception as error:
        if out_of_memory(error):
            raise MemoryError(first_line(error)) from error
        raise ExportFailed(code(), f"{type(error).__name__}: {first_line(error)}") from error


def _forks_are_fresh() -> bool:
    """Pools that know how to be forked end their threads for it: so a fork that does nothing, and then count."""
    if sys.platform != "linux":
        return False
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return len(list(Path("/proc/self/task").iterdir())) == 1


def _be_child(step: Step, writing: int, limits: Limits) -> None:
    def tell(*message: Any) -> None:
        body = pickle.dumps(message)
        body = _HEAD.pack(len(body)) + body
        while body:
            body = body[os.write(writing, body) :]

    # An export makes objects by the million and little garbage: a fifth of its time went into looking for it.
    gc.set_threshold(50_000, 20, 20)
    try:
        if limits.bytes is not None:
            import resource

            resource.setrlimit(resource.RLIMIT_DATA, (limits.bytes, limits.bytes))
        tell("result", step(lambda name: tell("stage", name)))
    except ExportFailed as failure:
        tell("failed", failure.code, str(failure))
    except ExportUnsupported as refusal:
        tell("unsupported", str(refusal))
    except BaseException as error:
        if out_of_memory(error):
            tell("memory", first_line(error))
        else:
            traceback.print_exc()
            sys.stderr.flush()
            tell("failed", "exporter_error", f"{type(error).__name__}: {first_line(error)}")
    finally:
        os._exit(0)  # nothing is torn down: C++ libraries have been seen to hang or crash there


@dataclass
class _Heard:
    """The stage that the child is in."""

    stage: str


def _listen(reading: int, heard: _Heard, limits: Limits) -> Any:
    """Raises EOFError where the child ended without a word."""
    deadline = None if limits.seconds is None else time.monotonic() + limits.seconds
    while True:
        try:
            head = _exactly(reading, _HEAD.size, deadline)
            kind, *said = pickle.loads(_exactly(reading, _HEAD.unpack(head)[0], deadline))
        except TimeoutError as error:
            reason = f"{heard.stage}: not done within {limits.seconds:g} s"
            raise ExportFailed(f"{heard.stage}_timeout", reason) from error
        if kind == "result":
            return said[0]
        if kind == "stage":
            heard.stage = said[0]
        elif kind == "unsupported":
            raise ExportUnsupported(said[0])
        elif kind == "memory":
            most = "" if limits.bytes is None else f"; it may have {limits.bytes / 1e9:.3g} GB"
            raise ExportFailed(f"{heard.stage}_memory", f"{heard.stage}: {said[0]}{most}")
        else:
            raise ExportFailed(said[0], said[1])


def _exactly(reading: int, size: int, deadline: float | None) -> bytes:
    parts = bytearray()
    waiting = select.poll()
    waiting.register(reading, select.POLLIN)
    while len(parts) < size:
        left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        if not waiting.poll(left):
            raise TimeoutError
        read = os.read(reading, size - len(parts))
        if not read:
            raise EOFError
        parts += read
    return bytes(parts)


def _ended(status: int, stage: str, limits: Limits) -> ExportFailed:
    code = os.waitstatus_to_exitcode(status)
    # The fork runs no other program, so this is the dynamic linker's word: it could not get memory for a library.
    if code == _LINKERS_WORD and limits.bytes is not None:
        reason = f"{stage}: no memory to load a library; it may have {limits.bytes / 1e9:.3g} GB"
        return ExportFailed(f"{stage}_memory", reason)
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    ending = "killed" if -code == signal.SIGKILL else "crashed"
    return ExportFailed(f"{stage}_{ending}", f"{stage}: its process ended with {how}, without a word")
