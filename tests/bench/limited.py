"""A command with a time limit, ended with everything that it started."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO

import psutil

from harness.catalog import ROOT
from harness.core.errors import HarnessError

_ENDS_S = 10


@dataclass(frozen=True)
class Ended:
    """What a command said on stdout, whether it ended in its time, how long that took, and its end by perf_counter."""

    said: bytes
    in_time: bool
    wall_s: float
    at_s: float


async def until_limit(name: str, command: Sequence[object], limit_s: float, environment: Mapping[str, str]) -> Ended:
    """Its end or its limit, whichever is first; raises HarnessError with its last words when it fails by itself.

    A browser's driver puts its browser into a process group of its own, so each process of the tree is ended by id.
    """
    began = time.perf_counter()
    # Files and no pipes: a browser that outlives the command would keep a pipe open, and its end from being noticed.
    with TemporaryFile() as out, TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *map(str, command), cwd=ROOT, env=environment, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=errors,
        )  # fmt: skip
        in_time = False
        try:
            await asyncio.wait_for(process.wait(), limit_s)
            in_time = True
        except TimeoutError:
            pass
        finally:
            at_s = time.perf_counter()
            if not in_time:
                await _end(process.pid)
        said, words = _all_of(out), _all_of(errors)
    if in_time and process.returncode != 0:
        raise HarnessError(f"{name} ended with {process.returncode}: {(words or said).decode(errors='replace')[-300:]}")
    return Ended(said, in_time, at_s - began, at_s)


def _all_of(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


async def _end(pid: int) -> None:
    """Ask first: a run that is asked removes what it made."""
    try:
        root = psutil.Process(pid)
        tree = [*root.children(recursive=True), root]
    except psutil.NoSuchProcess:
        return
    root.terminate()
    _, alive = await asyncio.to_thread(psutil.wait_procs, tree, _ENDS_S)
    for one in alive:
        one.kill()
    await asyncio.to_thread(psutil.wait_procs, alive, _ENDS_S)
