"""A child that speaks in lines: that it ended is known at once, whoever else still holds its pipes."""

import asyncio
import os
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import psutil

from harness.catalog import ROOT
from harness.core.errors import ProtocolViolation
from harness.processes.children import end_group, watch_group
from harness.processes.guard import MARK, left_behind

LINE_LIMIT = 8 * 1024 * 1024  # a batch of samples is some hundred kilobytes, the placement of a big graph is more
_TAIL_KEPT = 16 * 1024
# How long after a child's end its pipes may stay open. What it wrote lies in them already, so this waits for nobody
# but the event loop; a pipe that is open for longer is held by somebody else.
_GRACE_S = 0.5
_PATIENCE_S = 20.0


class Child(asyncio.SubprocessProtocol):
    """Lines of its stdout, the tail of its stderr, and how it ended: as `subprocess` has it, a signal is negative."""

    def __init__(self, mark: str, spare: int = 0) -> None:
        """`spare` is a process that bears the mark too and is not to end with this one."""
        self.pid = 0
        self.mark = mark
        self.lost: Exception | None = None  # why nobody can tell how it ended
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._spare = spare
        self._over = False
        self._lines = asyncio.StreamReader(LINE_LIMIT)
        self._errors = bytearray()
        self._errors_closed = asyncio.Event()
        self._stdin: asyncio.WriteTransport | None = None
        self._transports: Sequence[asyncio.BaseTransport] = ()

    async def line(self) -> bytes:
        """The next line; b"" when there will be none, also where the last was torn by the end.

        Raises ProtocolViolation for a line that never ends.
        """
        reading = asyncio.ensure_future(self._lines.readline())
        try:
            await asyncio.wait((reading, self.ended), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                await asyncio.wait((reading,), timeout=_GRACE_S)
            line = reading.result() if reading.done() else b""
        except ValueError as error:
            raise ProtocolViolation(f"a line longer than {LINE_LIMIT // 1024**2} MiB") from error
        finally:
            reading.cancel()
        return line if line.endswith(b"\n") else b""

    def say(self, line: str) -> None:
        """One line on its stdin; that it has gone is heard elsewhere."""
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.write(line.encode() + b"\n")

    async def last_error(self) -> str | None:
        """The last line on its stderr, once it has ended; None where it left none."""
        waiting = asyncio.ensure_future(self._errors_closed.wait())
        await asyncio.wait((waiting,), timeout=_GRACE_S)
        waiting.cancel()
        lines = [line.strip() for line in self._errors.decode(errors="replace").splitlines()]
        return next((line[:500] for line in reversed(lines) if line), None)

    async def end(self) -> None:
        """End it, its group, and what it sent into groups of their own; once, since numbers of processes return."""
        if self._over:
            return
        self._over = True
        end_group(self.pid)
        deadline = asyncio.get_running_loop().time() + _PATIENCE_S
        while left := [process for process in left_behind(self.mark) if process.pid != self._spare]:
            for process in left:
                _kill(process)
            if asyncio.get_running_loop().time() > deadline:
                break  # the kernel does not let go of it: nothing more can be done from here
            await asyncio.sleep(0.02)
        await asyncio.wait((self.ended,), timeout=_PATIENCE_S)
        for transport in self._transports:
            transport.close()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self.pid = transport.get_pid()
        self._process = transport
        stdin, stdout = transport.get_pipe_transport(0), transport.get_pipe_transport(1)
        assert stdin is None or isinstance(stdin, asyncio.WriteTransport)
        assert stdout is not None
        self.hears(stdin, stdout, (transport,))

    def hears(
        self, stdin: asyncio.WriteTransport | None, stdout: asyncio.BaseTransport,
        transports: Sequence[asyncio.BaseTransport],
    ) -> None:  # fmt: skip
        """Its pipes are there, and all that is to be closed at the end; stdout's waits where it says too much."""
        self._stdin, self._transports = stdin, transports
        self._lines.set_transport(stdout)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1:
            self._lines.feed_data(data)
        else:
            self._errors += data
            del self._errors[:-_TAIL_KEPT]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1:
            self._lines.feed_eof()
        elif fd == 2:
            self._errors_closed.set()

    def process_exited(self) -> None:
        code = self._process.get_returncode()
        assert code is not None
        self.ends(code)

    def ends(self, code: int) -> None:
        if not self.ended.done():
            self.ended.set_result(code)


def new_mark() -> str:
    """A mark for a child and its family, which shows whose child it is as well (see `guard.py`)."""
    return f"{os.environ.get(MARK, 'unguarded')}/{secrets.token_hex(8)}"


async def start_child(arguments: Sequence[str], environment: Mapping[str, str], **more: Any) -> Child:
    """A Child in a group of its own, which the guard watches. Raises OSError when it cannot be started."""
    mark = new_mark()
    _, child = await asyncio.get_running_loop().subprocess_exec(
        lambda: Child(mark), *arguments, cwd=ROOT, env={**environment, MARK: mark}, start_new_session=True, **more
    )
    watch_group(child.pid)
    return child


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.Error:
        return
