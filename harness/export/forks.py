"""Exports in forks of one process that has imported what they need, within limits: for many small ones."""

import json
import sys
from dataclasses import dataclass
from typing import Any

from harness.core.errors import Unsupported
from harness.export.process import (
    SILENCE_LIMIT_S,
    ExportFailed,
    Progress,
    environment_of_exporters,
    hear_out,
    run_worker,
)
from harness.processes.child import Child
from harness.processes.endings import how_it_ended, oom_kills
from harness.processes.zygotes import Zygote, ZygoteEnded

_MARGIN_S = 60.0  # for what the limits are not of: the files, their hashes, an import


@dataclass(frozen=True)
class ExportLimits:
    """What each step of an export may take: the build with its forward pass, and each attempt at a graph. A step that
    takes more ends as `STAGE_timeout` or `STAGE_memory`; an attempt at a graph leaves an Artifact that lacks it.
    `bytes` are of private written memory, about half a gigabyte of imports included."""

    seconds: float | None = None
    bytes: int | None = None


class ExportForks:
    """One slot of work: one export at a time, with the contract of `run_worker`. Where this is no Linux, or threads
    keep the process from being forked, each export has a fresh process after all."""

    def __init__(self, limits: ExportLimits | None = None) -> None:
        limits = limits or ExportLimits()
        self._limits = {"seconds": limits.seconds, "bytes": limits.bytes}
        self._silence_s = SILENCE_LIMIT_S if limits.seconds is None else limits.seconds + _MARGIN_S
        self._zygote: Zygote | None = None
        self._forks = sys.platform == "linux"

    async def run(self, environment: str, verb: str, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """The worker's result; raises ExportFailed or Unsupported in the worker's own words."""
        request = {**request, "limits": self._limits} if verb == "export" else request
        kills = oom_kills()
        worker = await self._fork(kills) if environment == "main" and self._forks else None
        if worker is None:
            return await run_worker(environment, verb, request, progress)
        worker.say(verb)
        worker.say(json.dumps(request))
        return await hear_out(worker, kills, progress, self._silence_s)

    async def close(self) -> None:
        if self._zygote is not None:
            await self._zygote.close()
            self._zygote = None

    async def _fork(self, kills: int | None) -> Child | None:
        """A worker; None where there is nothing to fork."""
        try:
            if self._zygote is not None:
                try:
                    return await self._zygote.fork()
                except ZygoteEnded:  # since the last export: nothing of this one has begun, so another can fork it
                    await self.close()
            self._zygote = await Zygote.start("exporters.zygote", environment_of_exporters())
            return await self._zygote.fork()
        except Unsupported:
            self._forks = False
            await self.close()
            return None
        except ZygoteEnded as gone:
            await self.close()
            ended = how_it_ended(gone.code, gone.error, None, (kills, oom_kills()), "the exporter's zygote")
            raise ExportFailed("exporter_start", ended.reason) from gone
        except OSError as error:
            raise ExportFailed("exporter_start", f"no exporter could be started: {error}") from error
