"""Speak with `python -m exporters.worker`: a request on its stdin, JSON lines back, the last of them the result."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from harness.catalog import ROOT
from harness.core.errors import HarnessError, Unsupported, UserMistake

Progress = Callable[[str], None]
_INSPECT_LIMIT_S = 120
_NO_LIMIT = 64 * 1024 * 1024  # a manifest is one line; asyncio's default line limit is 64 KiB


class ExportFailed(HarnessError):
    """The exporter said why it could not; the Cases that needed it have failed with this code and reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def interpreter(environment: str) -> str:
    """The Python that an exporter's environment names; raises Unsupported for one that is not made yet."""
    if environment != "main":
        raise Unsupported(f"the exporter needs the environment {environment!r}, which is not set up here")
    return sys.executable


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
    process = await asyncio.create_subprocess_exec(
        interpreter(environment), "-m", "exporters.worker", verb, cwd=ROOT, limit=_NO_LIMIT, start_new_session=True,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin and process.stdout and process.stderr
    errors = asyncio.create_task(process.stderr.read())
    last: dict[str, Any] = {}
    try:
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.close()
        async for line in process.stdout:
            last = json.loads(line)
            if last["event"] == "note":
                progress(last["text"])
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if last.get("event") == "result":
        result: dict[str, Any] = last["result"]
        return result
    if last.get("event") == "unsupported":
        raise Unsupported(last["reason"])
    if last.get("event") == "failed":
        raise ExportFailed(last["code"], last["reason"])
    text = _tail((await errors).decode(errors="replace"))
    raise ExportFailed("exporter_crashed", f"the exporter ended with {process.returncode} and no result: {text}")


def _tail(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
