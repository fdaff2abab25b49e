"""The page's files, the Artifact's files, the output bytes and one websocket per Round; on loopback only.

A Round is named by an unguessable token, in the page's URL fragment, so it is in no log and no Referer.
Cross-origin isolation (COOP + COEP + CORP) is what makes `SharedArrayBuffer` and the fine clock exist.
"""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import WSMsgType, web

from harness.catalog import PAGE_ROOT
from harness.core.errors import ProtocolViolation
from harness.core.events import LAST_WORDS, Ack, CaseMessage, Event, Failed, Probe, Stop, parse_event

_ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",  # a Round that finds its model in the browser's cache has not fetched it
}
_LARGEST_OUTPUT_BYTES = 4 * 1024**3
_CHUNK_BYTES = 1024 * 1024
_Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Seat:
    """One page's place at the table: what it is to be told, what it says, and where its files lie."""

    message: Callable[["Seat"], CaseMessage | Probe]
    artifact_dir: Path | None = None
    outputs_dir: Path | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)


class PageServer:
    """Serves until `close`; `seat` gives a page its URL."""

    def __init__(self) -> None:
        self._seats: dict[str, Seat] = {}
        self._runner: web.AppRunner | None = None
        self.origin = ""

    async def open(self) -> None:
        app = web.Application(middlewares=[_isolate])
        app.router.add_get("/link/{token}", self._link)
        app.router.add_get("/artifact/{token}/{path:.+}", self._artifact)
        app.router.add_post("/outputs/{token}/{iteration}/{index}", self._outputs)
        app.router.add_static("/page/", PAGE_ROOT)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def take(self, seat: Seat) -> str:
        """Give the page a place; returns the URL that it must open."""
        self._seats[seat.token] = seat
        return f"{self.origin}/page/run.html#{seat.token}"

    def leave(self, seat: Seat) -> None:
        self._seats.pop(seat.token, None)

    def _seat(self, request: web.Request) -> Seat:
        seat = self._seats.get(request.match_info["token"])
        if seat is None:
            raise web.HTTPNotFound
        return seat

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        seat = self._seat(request)
        if request.headers.get("Origin") != self.origin:
            raise web.HTTPForbidden
        socket = web.WebSocketResponse(max_msg_size=64 * 1024 * 1024, heartbeat=None)
        await socket.prepare(request)
        await socket.send_str(seat.message(seat).model_dump_json())
        async for frame in socket:
            if frame.type != WSMsgType.TEXT:
                continue
            try:
                event = parse_event(frame.data)
            except ProtocolViolation as error:
                event = Failed(code="protocol", reason=str(error))
            seat.events.put_nowait(event)
            if isinstance(event, LAST_WORDS):
                await socket.send_str(Ack().model_dump_json())
            elif event.event == "hello" and isinstance(seat.message(seat), Probe):
                await socket.send_str(Stop().model_dump_json())
        return socket

    async def _artifact(self, request: web.Request) -> web.StreamResponse:
        seat = self._seat(request)
        if seat.artifact_dir is None:
            raise web.HTTPNotFound
        path = (seat.artifact_dir / request.match_info["path"]).resolve()
        if not path.is_relative_to(seat.artifact_dir.resolve()) or not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path)

    async def _outputs(self, request: web.Request) -> web.Response:
        seat = self._seat(request)
        iteration, index = request.match_info["iteration"], request.match_info["index"]
        if seat.outputs_dir is None or iteration not in ("first", "last") or not re.fullmatch(r"\d{1,4}", index):
            raise web.HTTPNotFound
        folder = seat.outputs_dir / iteration
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        size_bytes = 0
        with (folder / f"{index}.bin").open("wb") as file:
            async for chunk in request.content.iter_chunked(_CHUNK_BYTES):
                size_bytes += len(chunk)
                if size_bytes > _LARGEST_OUTPUT_BYTES:
                    raise web.HTTPRequestEntityTooLarge(_LARGEST_OUTPUT_BYTES, size_bytes)
                file.write(chunk)
        return web.Response(status=204)


@web.middleware
async def _isolate(request: web.Request, handler: _Next) -> web.StreamResponse:
    try:
        response = await handler(request)
    except web.HTTPException as error:
        error.headers.update(_ISOLATION)
        raise
    if not response.prepared:
        response.headers.update(_ISOLATION)
    return response
