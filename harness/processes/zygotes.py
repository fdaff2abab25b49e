"""Start a zygote (`forking.py`) and have it fork workers: each is a `Child` like one that was started afresh."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Mapping
from typing import Any

from harness.core.errors import HarnessError, Unsupported
from harness.processes.child import Child, start_child
from harness.processes.children import end_group, watch_group

_PATIENCE_S = 20.0  # for what the kernel does not let go of


class ZygoteEnded(HarnessError):
    """It ended when it was not to; `code` as `subprocess` has it."""

    def __init__(self, code: int, error: str | None) -> None:
        super().__init__(f"a zygote ended with {code}: {error}")
        self.code = code
        self.error = error


class Zygote:
    """A process with its imports made. One fork at a time: the next is asked for when the last ended."""

    def __init__(self, process: Child, requests: socket.socket) -> None:
        self._process = process
        self._requests = requests
        self._watching: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, module: str, environment: Mapping[str, str], *arguments: str) -> "Zygote":
        """`python -m module arguments`, whose main is `forking.serve`.

        Raises OSError when it cannot be started, Unsupported or ZygoteEnded when it is not fit to be forked."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                command = (sys.executable, "-m", module, *arguments)
                process = await start_child(command, environment, stdin=theirs)
            except BaseException:
                ours.close()
                raise
        zygote = cls(process, ours)
        try:
            await zygote._heard()
        except BaseException:
            await zygote.close()
            raise
        return zygote

    async def fork(self) -> Child:
        """A worker. Raises Unsupported where something has run in the zygote, ZygoteEnded where it is gone."""
        if self._watching is not None:
            await self._watching
        pipes = [os.pipe() for _ in range(3)]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
        ours = [pipes[0][1], pipes[1][0], pipes[2][0]]
        try:
            socket.send_fds(self._requests, [b"fork"], theirs)
            pid = int((await self._heard())["pid"])
        except BaseException as error:
            for descriptor in ours:
                os.close(descriptor)
            if not isinstance(error, Unsupported):
                await self.close()  # what it does with the request is not known any more
            if isinstance(error, OSError):
                raise await self._end() from error
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        watch_group(pid)
        worker = Child(self._process.mark, spare=self._process.pid)
        worker.pid = pid
        self._watching = asyncio.create_task(self._watch(worker))
        await _connect(worker, ours)
        return worker

    async def close(self) -> None:
        self._requests.close()
        await self._process.end()
        if self._watching is not None:
            await asyncio.wait((self._watching,), timeout=_PATIENCE_S)

    async def _watch(self, worker: Child) -> None:
        """Its end as the zygote tells it; without a zygote there is nobody to tell, and the worker goes too."""
        try:
            worker.ends(int((await self._heard())["ended"]))
        except HarnessError as error:
            worker.lost = error
            end_group(worker.pid)
            worker.ends(0)

    async def _heard(self) -> dict[str, Any]:
        line = await self._process.line()
        if not line:
            raise await self._end()
        said: dict[str, Any] = json.loads(line)
        if "refused" in said:
            raise Unsupported(said["refused"])
        return said

    async def _end(self) -> ZygoteEnded:
        return ZygoteEnded(await self._process.ended, await self._process.last_error())


class _Ear(asyncio.Protocol):
    """One of a worker's pipes, as `SubprocessProtocol` would tell of it."""

    def __init__(self, worker: Child, descriptor: int) -> None:
        self._worker = worker
        self._descriptor = descriptor

    def data_received(self, data: bytes) -> None:
        self._worker.pipe_data_received(self._descriptor, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._worker.pipe_connection_lost(self._descriptor, exc)


async def _connect(worker: Child, descriptors: list[int]) -> None:
    stdin, stdout, stderr = (os.fdopen(fd, mode, 0) for fd, mode in zip(descriptors, ("wb", "rb", "rb"), strict=True))
    loop = asyncio.get_running_loop()
    written, _ = await loop.connect_write_pipe(asyncio.Protocol, stdin)
    heard, _ = await loop.connect_read_pipe(lambda: _Ear(worker, 1), stdout)
    errors, _ = await loop.connect_read_pipe(lambda: _Ear(worker, 2), stderr)
    worker.hears(written, heard, (written, heard, errors))
