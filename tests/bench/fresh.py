"""A fresh process of Python, run to its end."""

import asyncio
import sys
from pathlib import Path

from harness.catalog import ROOT
from harness.core.errors import HarnessError

_LIMIT_S = 120


async def output_of(name: str, *arguments: object, interpreter: str = sys.executable, folder: Path = ROOT) -> bytes:
    """What it says on stdout; raises HarnessError with its last words, by this name, when it fails.

    In a session of its own, so that Ctrl-C ends the bench and not one side of a pair.
    """
    process = await asyncio.create_subprocess_exec(
        interpreter, *map(str, arguments), cwd=folder, start_new_session=True,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        said, errors = await asyncio.wait_for(process.communicate(), _LIMIT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise HarnessError(f"{name} ended with {process.returncode}: {errors.decode(errors='replace')[-300:]}")
    return said
