"""One fresh worker per Round, started or forked; its stdout lines are the Events."""

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing

from harness.core.errors import ProtocolViolation, Unsupported
from harness.core.events import LAST_WORDS, Ack, Event, Failed, Note, Outputs, Phase, Refused, parse_event
from harness.core.nouns import Case
from harness.execute.executor import Assignment, Probes
from harness.execute.sampling import SamplingUsage
from harness.processes.child import Child, start_child
from harness.processes.endings import how_it_ended, oom_kills
from harness.processes.zygotes import Zygote, ZygoteEnded


class NativeExecutor:
    """Starts a worker in a process group of its own, so that whatever it starts ends with it."""

    def __init__(self, probes: Probes) -> None:
        self._probes = probes
        # One for each backend and number of threads, since libraries read that number when they are imported.
        self._zygotes: dict[tuple[str, int], Zygote] = {}

    async def execute(self, assignment: Assignment) -> AsyncGenerator[Event, None]:
        kills = oom_kills()
        try:
            worker = await self._begin(assignment.case)
        except Unsupported as reason:
            yield Refused(reason=str(reason))
            return
        except ZygoteEnded as gone:
            yield how_it_ended(gone.code, gone.error, None, (kills, oom_kills()), who="the worker's zygote")
            return
        except OSError as error:
            yield Failed(code="worker_start", reason=f"no worker could be started: {error}")
            return
        try:
            async with aclosing(self._listen(worker, assignment, kills)) as events:
                async for event in events:
                    yield event
        finally:
            await worker.end()

    async def close(self) -> None:
        for zygote in self._zygotes.values():
            await zygote.close()
        self._zygotes.clear()

    async def _begin(self, case: Case) -> Child:
        environment = environment_for(case.threads)
        if case.isolation == "process":
            return await start_child((sys.executable, "-m", "native.worker"), environment)
        known = (case.backend, case.threads)
        if zygote := self._zygotes.get(known):
            try:
                return await zygote.fork()
            except ZygoteEnded:  # since the last Round: nothing of this one has begun, so another can fork it
                await self._zygotes.pop(known).close()
        try:
            self._zygotes[known] = await Zygote.start("native.zygote", environment, case.backend)
            return await self._zygotes[known].fork()
        except Unsupported as reason:
            raise Unsupported(f"{reason}: use --isolation process") from reason

    async def _listen(self, worker: Child, assignment: Assignment, kills: int | None) -> AsyncGenerator[Event, None]:
        reached: str | None = None
        usage = SamplingUsage(self._probes.usage)
        worker.say(assignment.message(str(assignment.artifact_dir), str(assignment.outputs_dir)).model_dump_json())
        while True:
            line = b""
            try:
                line = await worker.line()
                if not line:
                    yield await _ending(worker, reached, kills)
                    return
                event = parse_event(line)
            except ProtocolViolation as error:
                said = f"; it said {repr(line)[:80]}" if line else ""
                yield Failed(code="protocol", reason=f"{error}{said}")
                return
            if isinstance(event, Phase):
                reached = event.phase
                if note := usage.heard(event, worker.pid):
                    yield note
            if isinstance(event, Outputs) and event.iteration == "last":
                # The high-water mark, read once, after the timing and before anything else uses memory.
                told = self._probes.memory(worker.pid)
                data = {"peak_rss": told.get("tree_hwm_rss", 0), "tree_pss": told.get("tree_pss", 0)}
                yield Note(kind="memory", text="high-water mark of the worker", data=data)
            if isinstance(event, LAST_WORDS):
                worker.say(Ack().model_dump_json())
                yield event
                return
            yield event


async def _ending(worker: Child, reached: str | None, kills: int | None) -> Failed:
    code, error, who = await worker.ended, await worker.last_error(), "the worker"
    if isinstance(worker.lost, ZygoteEnded):
        code, error, who = worker.lost.code, worker.lost.error, "the worker's zygote"
    return how_it_ended(code, error, reached, (kills, oom_kills()), who)


def environment_for(threads: int) -> dict[str, str]:
    """The caller's environment, with one thread count for every library that reads one at import.

    ONNX Runtime starts a thread at import that sends usage data over the network; nothing but the Case runs here.
    """
    counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    quiet = {"TOKENIZERS_PARALLELISM": "false", "ORT_DISABLE_TELEMETRY": "1"}
    return {**os.environ, **counts, **quiet, "PYTHONUNBUFFERED": "1"}
