"""Questions to native processes that measure no Case: what a backend can run here, what the machine reaches."""

import asyncio
import json
import sys
from typing import Any

from harness.core.errors import ProtocolViolation
from harness.core.plugins import Backend
from harness.core.text import one_line
from harness.execute.native import environment_for
from harness.processes.child import start_child

# Importing a library and asking its drivers takes seconds, the products and copies of the roof too.
_LIMIT_S = 120


async def devices_of(backend: Backend) -> dict[str, str | None]:
    """`--hardware` name → null where the backend can run there, else why not.

    Where it gave no answer that is the reason for all of its names.
    """
    answer = await _ask("native.available", backend.name)
    if isinstance(answer, str):
        return dict.fromkeys(hardware_names(backend), answer)
    return {str(name): None if reason is None else str(reason) for name, reason in answer.items()}


async def measure_roof(threads: int) -> dict[str, Any]:
    """What `native/roof.py` tells, with so many threads; {"reason": …} where it tells nothing."""
    answer = await _ask("native.roof", str(threads), threads)
    return {"reason": answer} if isinstance(answer, str) else answer


def hardware_names(backend: Backend) -> list[str]:
    """As `--hardware` takes them: a platform's first device needs no name, the others are `platform:device`."""
    return [
        platform if device == offer.devices[0] else f"{platform}:{device}"
        for platform, offer in backend.platforms.items()
        for device in offer.devices
    ]


async def _ask(module: str, argument: str, threads: int = 1) -> dict[str, Any] | str:
    """The object that `python -m MODULE ARGUMENT` says in one line of JSON; or, in words, why there is none."""
    try:
        child = await start_child((sys.executable, "-m", module, argument), environment_for(threads))
    except OSError as error:
        return f"no process could be started: {error}"
    try:
        line = await asyncio.wait_for(child.line(), _LIMIT_S)
        found = json.loads(line) if line else None
        return found if isinstance(found, dict) else await child.last_error() or "it ended without a word"
    except TimeoutError:
        return f"it gave no answer within {_LIMIT_S:g} s"
    except (ProtocolViolation, ValueError) as error:
        return one_line(str(error), 200)
    finally:
        await child.end()
