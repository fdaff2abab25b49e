"""Asks a process of its own what this machine reaches: see `native/roof.py`."""

import json
import sys
from typing import Any

from harness.core.errors import ProtocolViolation
from harness.core.text import one_line
from harness.execute.native import environment_for
from harness.processes.child import start_child

_NUMBERS = ("gflops", "gbytes_per_second")


async def measure_roof(threads: int) -> dict[str, Any]:
    """`gflops`, `gbytes_per_second` and who reached them, at so many threads; {"reason": …} where it cannot be told."""
    try:
        child = await start_child((sys.executable, "-m", "native.roof", str(threads)), environment_for(threads))
    except OSError as error:
        return {"reason": f"no process could be started: {error}"}
    try:
        found = json.loads(await child.line() or b"{}")
    except (ProtocolViolation, ValueError) as error:
        return {"reason": one_line(str(error), 200)}
    finally:
        await child.end()
    if not isinstance(found, dict) or not all(isinstance(found.get(name), int | float) for name in _NUMBERS):
        return {"reason": await child.last_error() or "it said nothing"}
    return found
