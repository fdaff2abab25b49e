"""How many parameters an architecture has at full size: counted on the meta device, one process each, bounded.

A process of its own, because some configs ask for terabytes or for minutes, and because what one class does to the
library's state shall not change what the next one counts.
"""

import json
import os
import resource
import signal
import time
from typing import Any

import torch

from exporters.quiet import quiet
from exporters.zoo import diffusion
from exporters.zoo.build import default_config
from exporters.zoo.registry import class_named

LIMIT_SECONDS = 60
LIMIT_BYTES = 6 * 1024**3
_AT_ONCE = 2


def count_all(classes: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Architecture → class, to architecture → {"parameters", "reason"}; some are counted at a time."""
    waiting = list(classes.items())
    running: dict[str, tuple[int, int, float]] = {}
    counted: dict[str, dict[str, Any]] = {}
    while waiting or running:
        while waiting and len(running) < _AT_ONCE:
            name, built_by = waiting.pop(0)
            running[name] = _start(name, built_by)
        for name, (child, pipe, began) in list(running.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if not ended and time.monotonic() - began > LIMIT_SECONDS:
                os.kill(child, signal.SIGKILL)
                ended, status = os.waitpid(child, 0)
            if ended:
                counted[name] = _read(pipe, status)
                del running[name]
        time.sleep(0.005)
    return {name: counted[name] for name in classes}


def count(architecture: str, built_by: str) -> int:
    """Parameters of that class, built from the default config; raises whatever building raises."""
    if architecture in diffusion.names():
        return diffusion.count_parameters(diffusion.part_of(architecture))
    config = default_config(architecture)
    # Not by the Auto class: where several classes are listed it looks for one in the config, which has none by default.
    with torch.device("meta"):
        model = class_named(built_by, architecture)._from_config(config)
    return sum(parameter.numel() for parameter in model.parameters())


def _start(architecture: str, built_by: str) -> tuple[int, int, float]:
    reader, writer = os.pipe()
    began = time.monotonic()
    # A fork, not a fresh interpreter: the imports take seconds, and there are hundreds to count.
    if child := os.fork():
        os.close(writer)
        return child, reader, began
    try:
        os.close(reader)
        resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_BYTES, LIMIT_BYTES))
        torch.set_num_threads(1)
        try:
            with quiet():
                said: dict[str, Any] = {"parameters": count(architecture, built_by), "reason": None}
        except Exception as error:  # whatever a class raises is why it cannot be built
            said = {"parameters": None, "reason": f"{type(error).__name__}: {' '.join(str(error).split())[:240]}"}
        os.write(writer, json.dumps(said).encode())
    finally:
        os._exit(0)


def _read(pipe: int, status: int) -> dict[str, Any]:
    with os.fdopen(pipe, "rb") as file:
        text = file.read()
    if text:
        said: dict[str, Any] = json.loads(text)
        return said
    number = os.waitstatus_to_exitcode(status)
    slow = number == -signal.SIGKILL
    why = f"counting took more than {LIMIT_SECONDS} s" if slow else f"counting ended with {number}"
    return {"parameters": None, "reason": why}
