"""The files that a page gets: as fast as loopback is, or at the rate of a user's connection.

A rate is kept by pacing what is written, for all files of a Round together, as one connection would. It is kept while
the page fetches; nothing is paced while it is timed, since nothing is fetched then.
"""

import asyncio
import mimetypes
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

_CHUNK_BYTES = 32 * 1024
_LATE_S = 0.01  # how late a wake-up may be
_TOO_SHORT_S = 0.002  # to be slept
Sleep = Callable[[float], Awaitable[None]]
_MAY_BE_KEPT = "public, max-age=86400, immutable"


class Pipe:
    """So many bits per second, whoever writes.

    A sleep always lasts somewhat too long: what was lost so is made up for, else the rate would be a sixth lower than
    its name. A pause that is longer than a late wake-up is one, and gives nothing to make up for.

    `kept`: what comes through may be kept by the browser for its next visit, as a site allows it. Else it may not, or a
    browser that is there for longer than one Round would be warm in the next.
    """

    def __init__(
        self,
        bits_per_s: int,
        kept: bool = False,
        now: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.kept = kept
        self._s_per_byte = 8 / bits_per_s
        self._free_at = 0.0
        self._now, self._sleep = now, sleep

    async def passes(self, size_bytes: int) -> None:
        """Returns when so many bytes have passed."""
        now = self._now()
        begins_at = self._free_at if self._free_at > now - _LATE_S else now
        self._free_at = begins_at + size_bytes * self._s_per_byte
        if self._free_at - now > _TOO_SHORT_S:
            await self._sleep(self._free_at - now)


async def send_file(request: web.Request, folder: Path | None, pipe: Pipe | None) -> web.StreamResponse:
    """The file of the folder that the address names as `path`, all of it.

    Raises HTTPNotFound for all else, also for what lies outside of the folder.
    """
    path = _inside(folder, request.match_info["path"])
    if pipe is None:
        return web.FileResponse(path)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    response = web.StreamResponse(headers={"Content-Type": kind})
    if pipe.kept:
        response.headers["Cache-Control"] = _MAY_BE_KEPT
    response.content_length = path.stat().st_size
    await response.prepare(request)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            await pipe.passes(len(chunk))
            await response.write(chunk)
    await response.write_eof()
    return response


def _inside(folder: Path | None, asked: str) -> Path:
    if folder is None:
        raise web.HTTPNotFound
    try:
        path = (folder / asked).resolve()
        there = path.is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, a loop of symlinks
        there = False
    if not there:
        raise web.HTTPNotFound
    return path
