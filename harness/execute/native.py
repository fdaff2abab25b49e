"""One fresh `python -m native.worker` per Round; its stdout lines are the Events."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator

from harness.catalog import ROOT
from harness.core.errors import ProtocolViolation
from harness.core.events import LAST_WORDS, Ack, Event, Failed, Note, Outputs, parse_event
from harness.execute.executor import Assignment, MemoryProbe

_LINE_LIMIT = 16 * 1024 * 1024  # asyncio's default of 64 KiB is less than a batch of samples
_STDERR_KEPT = 2000


class NativeExecutor:
    """Starts a worker in a process group of its own, so that whatever it starts ends with it."""

    def __init__(self, memory: MemoryProbe) -> None:
        self._memory = memory

    async def execute(self, assignment: Assignment) -> AsyncGenerator[Event, None]:
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "native.worker", cwd=ROOT, limit=_LINE_LIMIT, start_new_session=True,
            env=_environment(assignment.case.threads),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert worker.stderr
        errors = asyncio.create_task(worker.stderr.read())
        try:
            async for event in self._listen(worker, assignment, errors):
                yield event
        finally:
            _end_group(worker)
            await worker.wait()
            await errors

    async def close(self) -> None:
        return None

    async def _listen(
        self, worker: asyncio.subprocess.Process, assignment: Assignment, errors: asyncio.Task[bytes]
    ) -> AsyncGenerator[Event, None]:
        assert worker.stdin and worker.stdout
        message = assignment.message(str(assignment.artifact_dir), str(assignment.outputs_dir))
        worker.stdin.write(message.model_dump_json().encode() + b"\n")
        while True:
            try:
                line = await asyncio.wait_for(worker.stdout.readline(), assignment.silence_limit_s)
            except TimeoutError:
                yield Failed(code="silence", reason=f"the worker said nothing for {assignment.silence_limit_s:g} s")
                return
            if not line:
                yield await _crashed(worker, errors)
                return
            try:
                event = parse_event(line)
            except ProtocolViolation as error:
                yield Failed(code="protocol", reason=str(error))
                return
            if isinstance(event, Outputs) and event.iteration == "last":
                # The high-water mark, read once, after the timing and before anything else uses memory.
                data = {"peak_rss": self._memory(worker.pid).get("tree_hwm_rss", 0)}
                yield Note(kind="memory", text="high-water mark of the worker", data=data)
            yield event
            if isinstance(event, LAST_WORDS):
                worker.stdin.write(Ack().model_dump_json().encode() + b"\n")
                return


def _environment(threads: int) -> dict[str, str]:
    """The caller's environment, with one thread count for every library that reads one at import."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    return {**os.environ, **counts, "PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false"}


async def _crashed(worker: asyncio.subprocess.Process, errors: asyncio.Task[bytes]) -> Failed:
    code = await worker.wait()
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    said = (await errors).decode(errors="replace").strip()[-_STDERR_KEPT:]
    last_line = said.splitlines()[-1] if said else "it said nothing on stderr"
    return Failed(code="crashed", reason=f"the worker ended {how} before its last word: {last_line}")


def _end_group(worker: asyncio.subprocess.Process) -> None:
    """End the worker and everything it started; on Windows, where there are no such groups, the worker alone."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(worker.pid, signal.SIGKILL)
        elif worker.returncode is None:
            worker.kill()
    except ProcessLookupError:
        pass
