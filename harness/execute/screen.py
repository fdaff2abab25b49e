"""A screen that nobody sees (Xvfb), for browsers without a headless mode; only whoever has its cookie may use it.

On the user's own screen windows would open, and be in the way of each other; and what was seen there would be no
page in peace.
"""

import asyncio
import os
import secrets
import shutil
import struct
import tempfile
from pathlib import Path

from harness.core.errors import Unsupported
from harness.execute.drivers import BrowserFailed
from harness.processes.child import Child, start_child

SIZE = "1280x800x24"
_ANY_HOST = 0xFFFF
_COOKIE = b"MIT-MAGIC-COOKIE-1"


class Screen:
    """Started when it is first needed, and again when it has died."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._child: Child | None = None
        self._folder: Path | None = None
        self._environment: dict[str, str] = {}

    async def environment(self) -> dict[str, str]:
        """What a program needs to be shown there. Raises Unsupported without Xvfb, BrowserFailed if it fails."""
        if self._child is None or self._child.ended.done():
            await self.close()
            await self._start()
        return self._environment

    async def close(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.end()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder, self._environment = None, {}

    async def _start(self) -> None:
        program = shutil.which("Xvfb")
        if program is None:
            raise Unsupported("it needs a screen, and there is no Xvfb")
        self._folder = Path(tempfile.mkdtemp(prefix="harness-screen-"))
        authority = self._folder / "authority"
        authority.write_bytes(_authority(secrets.token_bytes(16)))
        authority.chmod(0o600)
        # It chooses a number that is free, and says so once it answers. Without a lock file and a socket in the file
        # system, which would stay behind when it is killed.
        words = [
            program, "-displayfd", "1", "-auth", str(authority), "-nolock", "-nolisten", "unix", "-screen", "0", SIZE,
        ]  # fmt: skip
        try:
            child = await start_child(words, os.environ)
        except OSError as error:
            raise BrowserFailed(f"Xvfb does not start: {error}") from error
        number = ""
        try:
            async with asyncio.timeout(self._limit_s):
                number = (await child.line()).decode().strip()
        except TimeoutError:
            pass
        finally:
            if not number:
                await child.end()
        if not number:
            raise BrowserFailed(f"Xvfb does not start: {await child.last_error() or 'it named no screen in time'}")
        self._child = child
        self._environment = {
            "DISPLAY": f":{number}", "XAUTHORITY": str(authority), "WAYLAND_DISPLAY": "", "GDK_BACKEND": "x11",
        }  # fmt: skip


def _authority(cookie: bytes) -> bytes:
    """An Xauthority file of one entry, for any host and any screen: family, then address, number, name and data."""
    fields = [struct.pack(">H", len(part)) + part for part in (b"", b"", _COOKIE, cookie)]
    return struct.pack(">H", _ANY_HOST) + b"".join(fields)
