"""Speak with `python -m exporters.worker`: a request on its stdin, JSON lines back, the last of them the result."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from harness import catalog
from harness.catalog import ROOT
from harness.core.errors import HarnessError, ProtocolViolation, Unsupported, UserMistake
from harness.core.plugins import Exporter
from harness.export.environments import find, find_or_make, home, requirements_of
from harness.processes.child import Child, start_child
from harness.processes.endings import how_it_ended, oom_kills
from harness.processes.zygotes import ZygoteEnded

Progress = Callable[[str], None]
RunWorker = Callable[[str, str, dict[str, Any], Progress], Awaitable[dict[str, Any]]]
_WHO = "the exporter"
_QUIET = {"ORT_DISABLE_TELEMETRY": "1"}  # ONNX Runtime would send usage data from an import on
_INSPECT_LIMIT_S = 120
SILENCE_LIMIT_S = 3600.0  # the longest single step, a large model's export, is minutes


class ExportFailed(HarnessError):
    """The exporter said why it could not; the Cases that needed it have failed with this code and reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def interpreter(environment: str) -> str:
    """The Python that an exporter's environment names; raises Unsupported for one that is not made yet."""
    if environment == "main":
        return sys.executable
    found = find(requirements_of(environment), home())
    if found is None:
        raise Unsupported(f"the exporter needs the environment {environment!r}, which is not made yet")
    return str(found)


async def interpreters(wanted: Exporter, progress: Progress) -> dict[str, str]:
    """Environment, other than the main one → its Python: that of the exporter asked for, which is made where it is not
    there, and those that are there. So an exporter that may be tried among others costs nobody a download.

    Raises UserMistake where it cannot be made.
    """
    found = {}
    for name in sorted({exporter.environment for exporter in catalog.exporters().values()} - {"main"}):
        if name == wanted.environment:
            found[name] = str(await find_or_make(requirements_of(name), home(), progress))
        elif (python := find(requirements_of(name), home())) is not None:
            found[name] = str(python)
    return found


def environments() -> list[dict[str, str | None]]:
    """Each exporter that needs an environment of its own, that one's Python where it is made, and how to make it."""
    found = []
    for exporter in catalog.exporters().values():
        if exporter.environment != "main":
            python = find(requirements_of(exporter.environment), home())
            about = {"exporter": exporter.name, "environment": exporter.environment, "install": exporter.install}
            found.append({**about, "python": None if python is None else str(python)})
    return found


def inspect_model(name: str, revision: str | None) -> dict[str, Any]:
    """What a hub id or folder holds, without loading it; raises UserMistake with the next step when it is not there."""
    try:
        process = subprocess.run(
            [interpreter("main"), "-m", "exporters.worker", "inspect"],
            input=json.dumps({"name": name, "revision": revision}), capture_output=True, text=True, cwd=ROOT,
            timeout=_INSPECT_LIMIT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        message = f"{name!r} could not be looked up within {_INSPECT_LIMIT_S} s"
        raise UserMistake("hub_unreachable", message, "set HF_HUB_OFFLINE=1, or give a local folder") from error
    lines = process.stdout.strip().splitlines()
    said = lines[-1] if lines else json.dumps({"event": "failed", "code": "crashed", "reason": _tail(process.stderr)})
    last = json.loads(said)
    if last["event"] != "result":
        raise UserMistake(last.get("code", "unsupported"), last["reason"], "see `harness doctor` for what is installed")
    inspected: dict[str, Any] = last["result"]
    return inspected


async def run_worker(environment: str, verb: str, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The worker's result; raises ExportFailed or Unsupported in the worker's own words."""
    kills = oom_kills()
    arguments = (interpreter(environment), "-m", "exporters.worker", verb)
    try:
        worker = await start_child(arguments, environment_of_exporters())
    except OSError as error:
        raise ExportFailed("exporter_start", f"no exporter could be started: {error}") from error
    worker.say(json.dumps(request))
    return await hear_out(worker, kills, progress, SILENCE_LIMIT_S)


def environment_of_exporters() -> dict[str, str]:
    return {**os.environ, **_QUIET}


async def hear_out(worker: Child, kills: int | None, progress: Progress, silence_s: float) -> dict[str, Any]:
    """The result of a worker that was given its request, which is ended then; raises as `run_worker` does. `kills` is
    what `oom_kills` said before."""
    try:
        last = await _last_word(worker, progress, silence_s)
        if last is None:
            code, error, who = await worker.ended, await worker.last_error(), _WHO
            if isinstance(worker.lost, ZygoteEnded):
                code, error, who = worker.lost.code, worker.lost.error, "the exporter's zygote"
            ended = how_it_ended(code, error, None, (kills, oom_kills()), who)
            raise ExportFailed("exporter_crashed" if ended.code == "crashed" else ended.code, ended.reason)
    finally:
        await worker.end()
    if last["event"] == "unsupported":
        raise Unsupported(last["reason"])
    if last["event"] == "failed":
        raise ExportFailed(last["code"], last["reason"])
    result: dict[str, Any] = last["result"]
    return result


async def _last_word(worker: Child, progress: Progress, silence_s: float) -> dict[str, Any] | None:
    """What it ended with, in its own words; None when it ended without."""
    try:
        while line := await asyncio.wait_for(worker.line(), silence_s):
            said: dict[str, Any] = json.loads(line)
            if said["event"] == "note":
                progress(said["text"])
            else:
                return said
    except TimeoutError as error:
        silent = f"the exporter said nothing for {silence_s:g} s and was ended"
        raise ExportFailed("exporter_silent", silent) from error
    except (ProtocolViolation, ValueError, KeyError, TypeError) as error:
        raise ExportFailed("protocol", f"the exporter said what cannot be read: {error}") from error
    return None


def _tail(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
