"""The page's files, the Artifact's files, the output bytes and one websocket per Round; on loopback, and at a second
address only where one was asked for (`doors.py`).

A Round is named by an unguessable token, in the page's URL fragment, so it is in no log and no Referer; the page's own
files lie behind a secret too, so whoever only finds the port gets nothing.
Cross-origin isolation (COOP + COEP + CORP) is what makes `SharedArrayBuffer` and the fine clock exist.
"""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import WebSocketError, WSCloseCode, WSMessage, WSMsgType, web

from harness.catalog import PAGE_ROOT
from harness.core.errors import DISK_FULL, ProtocolViolation, UserMistake
from harness.core.events import LAST_WORDS, Ack, CaseMessage, Event, Failed, Probe, Stop, parse_event
from harness.execute.doors import Door, origin, origins_of
from harness.execute.files import Pipe, send_file
from harness.execute.lobby import Lobby

_ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",  # a Round that finds its model in the browser's cache has not fetched it
}
_LARGEST_OUTPUT_BYTES = 4 * 1024**3  # of one Round together
_LARGEST_FRAME_BYTES = 16 * 1024 * 1024  # as long as a native worker's line may be
_CHUNK_BYTES = 1024 * 1024
_CLOSES_S = 2.0  # for who is still connected when everything is over
_MOST_LOADS = 20
_Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class Seat:
    """One page's place at the table: what it is to be told, what it says, and where its files lie."""

    message: Callable[["Seat"], CaseMessage | Probe]
    artifact_dir: Path | None = None
    outputs_dir: Path | None = None
    runtime_dir: Path | None = None
    # The page's first load in its profile, which comes here with its second.
    rehearsal: "Seat | None" = None
    # What a person who has the page before him is told at its end; asked for between its last word and the ack.
    closing_words: Callable[[], Awaitable[str]] | None = None
    received_bytes: int = 0
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    page: str | None = field(default=None, init=False)  # which load of the page has it
    heard: int = field(default=0, init=False)
    links: int = field(default=0, init=False)
    down: asyncio.Event = field(default_factory=_set_event, init=False)

    def take_link(self) -> int:
        """The number of a new connection: what an earlier one still says counts no more."""
        self.links += 1
        self.down.clear()
        return self.links

    def drop_link(self, number: int) -> None:
        if number == self.links:
            self.down.set()


# What a page asks for by its URL → a seat of its own; None: there is no such.
ByHand = Callable[[str], Seat | None]


class PageServer:
    """Serves until `close`; `take` gives a page its URL."""

    def __init__(self, door: Door | None = None) -> None:
        self._seats: dict[str, Seat] = {}
        self._by_hand: dict[str, ByHand] = {}
        self._loads: dict[tuple[str, str], Seat] = {}
        self._runner: web.AppRunner | None = None
        self._door = door
        self._outside: tuple[str, ...] = ()
        self._key = secrets.token_urlsafe(12)
        self.lobby = Lobby()
        self.origin = ""
        self.pipe: Pipe | None = None  # of the Round under way, where its downloads are held to a rate

    async def open(self) -> None:
        app = web.Application(middlewares=[_isolate, self._only_ours])
        app.on_response_prepare.append(_isolate_streamed)
        app.router.add_get("/link/{token}", self._link)
        app.router.add_get("/lobby/{token}", self.lobby.visit)
        app.router.add_get("/artifact/{token}/{path:.+}", self._artifact)
        app.router.add_get("/runtime/{token}/{path:.+}", self._runtime)
        app.router.add_post("/outputs/{token}/{iteration}/{index}", self._outputs)
        app.router.add_get(f"/page/{self._key}/{{path:.+}}", self._page)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_CLOSES_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.origin = origin("http", "127.0.0.1", self._runner.addresses[0][1])
        if self._door is not None:
            await self._open_door(self._runner, self._door)

    async def _open_door(self, runner: web.AppRunner, door: Door) -> None:
        try:
            await web.TCPSite(runner, door.host, door.port, ssl_context=door.tls).start()
        except OSError as error:
            await self.close()
            said = error.strerror or str(error)
            raise UserMistake("cannot_listen", f"cannot listen at {door.host}:{door.port}: {said}", None) from error
        self._outside = origins_of(door, runner.addresses[-1][1])

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def take(self, seat: Seat, query: str = "") -> str:
        """Give the page a place; returns the URL that it must open."""
        self._seats[seat.token] = seat
        return f"{self.page_url('run.html')}{query}#{seat.token}"

    def leave(self, seat: Seat) -> None:
        self._seats.pop(seat.token, None)

    def page_url(self, name: str) -> str:
        return f"{self.origin}/page/{self._key}/{name}"

    def outside_urls(self, name: str) -> tuple[str, ...]:
        """The page as it is called from outside, the best name first; on loopback where no other door was asked for."""
        return tuple(f"{each}/page/{self._key}/{name}" for each in self._outside) or (self.page_url(name),)

    def open_by_hand(self, make: ByHand) -> str:
        """A token with which any page may come, again and again: `make` gives each load of one a seat of its own."""
        token = secrets.token_urlsafe(24)
        self._by_hand[token] = make
        return token

    @web.middleware
    async def _only_ours(self, request: web.Request, handler: _Next) -> web.StreamResponse:
        """Another page can send requests here, but not say that it is ours: a browser sets Host and Origin itself.

        A foreign Host is a name that was bound to this address afterwards (DNS rebinding). Scripts of a page always
        send an Origin with a websocket or a POST, and it must be ours; a navigation may send none.
        """
        ours = f"{request.scheme}://{request.headers.get('Host', '').lower()}"
        if ours != self.origin and ours not in self._outside:
            raise web.HTTPForbidden(text="this server has another name")
        asks = request.method == "POST" or request.path.startswith(("/link/", "/lobby/"))
        if request.headers.get("Origin", None if asks else ours) != ours:
            raise web.HTTPForbidden(text="only a page of this server may ask for that")
        return await handler(request)

    def _seat(self, request: web.Request) -> Seat:
        seat = self._seats.get(request.match_info["token"])
        if seat is None:
            raise web.HTTPNotFound
        return seat

    def _seat_by_hand(self, make: ByHand, page: str, case: str) -> Seat:
        """The seat that this load of a page has, or a new one; of many loads the oldest give theirs up."""
        if (page, case) not in self._loads:
            seat = make(case)
            if seat is None:
                raise web.HTTPNotFound
            self._seats[seat.token] = self._loads[page, case] = seat
            while len(self._loads) > _MOST_LOADS:
                self.leave(self._loads.pop(next(iter(self._loads))))
        return self._loads[page, case]

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        page = request.query.get("page", "")
        by_hand = self._by_hand.get(request.match_info["token"])
        case = request.query.get("case", "")
        seat = self._seat(request) if by_hand is None else self._seat_by_hand(by_hand, page, case)
        # Who sits there stays: a stranger who learned the token cannot take over. The page's own name for itself lets
        # it come back before the end of its earlier connection was noticed here.
        if not seat.down.is_set() and (not page or page != seat.page):
            raise web.HTTPConflict(text="the seat is taken")
        if seat.page not in (None, page):
            # A reload: the Round must not silently begin again.
            seat.events.put_nowait(Failed(code="page_left", reason="the page was loaded a second time"))
            raise web.HTTPConflict(text="the page that sat here is gone")
        seat.page = page
        number = seat.take_link()
        socket = web.WebSocketResponse(max_msg_size=_LARGEST_FRAME_BYTES, heartbeat=None)
        try:
            await socket.prepare(request)
            await self._listen(seat, socket, number)
        except ConnectionError:
            pass  # cut while we spoke
        finally:
            seat.drop_link(number)
        return socket

    async def _listen(self, seat: Seat, socket: web.WebSocketResponse, number: int) -> None:
        message = seat.message(seat)
        await socket.send_str(message.model_copy(update={"heard": seat.heard}).model_dump_json())
        async for frame in socket:
            if number != seat.links:
                return  # what it says now was not counted as heard, so the page has said it again on the newer one
            event = _event_of(frame)
            if event is None:
                return
            seat.heard += 1
            seat.events.put_nowait(event)
            if isinstance(event, LAST_WORDS):
                said = await seat.closing_words() if seat.closing_words else None
                await socket.send_str(Ack(said=said).model_dump_json())
            elif event.event == "hello" and isinstance(message, Probe) and not message.calibrate:
                await socket.send_str(Stop().model_dump_json())

    async def _artifact(self, request: web.Request) -> web.StreamResponse:
        return await send_file(request, self._seat(request).artifact_dir, self.pipe)

    async def _runtime(self, request: web.Request) -> web.StreamResponse:
        return await send_file(request, self._seat(request).runtime_dir, self.pipe)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return await send_file(request, PAGE_ROOT, self.pipe)

    async def _outputs(self, request: web.Request) -> web.Response:
        seat = self._seat(request)
        iteration, index = request.match_info["iteration"], request.match_info["index"]
        if seat.outputs_dir is None or iteration not in ("first", "last") or not re.fullmatch(r"[0-9]{1,4}", index):
            raise web.HTTPNotFound
        try:
            await self._keep(request, seat, seat.outputs_dir / iteration / f"{index}.bin")
        except OSError as error:
            code = "disk_full" if error.errno in DISK_FULL else "outputs_not_kept"
            seat.events.put_nowait(Failed(code=code, reason=f"cannot write the outputs: {error.strerror or error}"))
            raise web.HTTPInsufficientStorage from error
        return web.Response(status=204)

    async def _keep(self, request: web.Request, seat: Seat, path: Path) -> None:
        """The body into the file; raises OSError when the disk takes no more."""
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        with path.open("wb") as file:
            async for chunk in request.content.iter_chunked(_CHUNK_BYTES):
                seat.received_bytes += len(chunk)
                if seat.received_bytes > _LARGEST_OUTPUT_BYTES:
                    raise web.HTTPRequestEntityTooLarge(_LARGEST_OUTPUT_BYTES, seat.received_bytes)
                file.write(chunk)


def _event_of(frame: WSMessage) -> Event | None:
    """What a frame says; None when the connection broke. What is no Event ends the Round."""
    if frame.type == WSMsgType.ERROR:
        if isinstance(frame.data, WebSocketError) and frame.data.code == WSCloseCode.MESSAGE_TOO_BIG:
            return Failed(code="protocol", reason=f"a frame of more than {_LARGEST_FRAME_BYTES} bytes")
        return None
    try:
        if frame.type != WSMsgType.TEXT:
            raise ProtocolViolation("a binary frame; Events are text")
        return parse_event(frame.data)
    except ProtocolViolation as error:
        return Failed(code="protocol", reason=str(error))


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


async def _isolate_streamed(_: web.Request, response: web.StreamResponse) -> None:
    """What begins to be sent before the middleware sees it; it may say itself whether it may be kept."""
    for name, value in _ISOLATION.items():
        response.headers.setdefault(name, value)
