"""Places for devices that nobody drives: each opens a URL, says who it is, and waits for the Rounds that it is to show.

One websocket per device, `/lobby/{token}`. Whoever has the place keeps it; another browser with the same URL is told.
A line that breaks comes back by itself, and is told all that it missed in one message.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from harness.core.errors import ProtocolViolation
from harness.core.visits import Order, State, Taken, Told, Visitor, parse_visitor
from harness.execute.executor import Invitation

_LARGEST_FRAME_BYTES = 16 * 1024
_INTRODUCES_ITSELF_S = 10.0
# A phone that lost its network closes nothing. Answered by the browser's network process, not by its pages.
_HEARTBEAT_S = 20.0
_CLOSES_S = 2.0
_MOST_TOLD = 30


@dataclass
class Place:
    """One invited device: who came, over which connection, and what it is to do."""

    invitation: Invitation
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    visitor: Visitor | None = None
    peer: str = ""
    order: Order | None = None
    what: str = ""  # the Round that comes next, in words
    away_s: float = 120.0  # how long it may be away before a Round, and during one
    missing: bool = False  # was not there when it was last waited for
    given_up: bool = False  # was waited for between two Rounds, in vain
    begun: int = 0
    ended: int = 0
    told: list[Told] = field(default_factory=list)
    over: bool = False
    left: Callable[[], None] = lambda: None
    here: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    _socket: web.WebSocketResponse | None = None

    @property
    def name(self) -> str:
        return self.invitation.device or "the attached device"

    def is_taken_from(self, visitor: Visitor) -> bool:
        """Whether somebody else sits there. The same load of the page may come back before its end was noticed."""
        return self._socket is not None and self.visitor is not None and self.visitor.page != visitor.page

    def enter(self, visitor: Visitor, peer: str, socket: web.WebSocketResponse) -> None:
        another = self.visitor is not None and self.visitor.page != visitor.page
        self.visitor, self.peer, self._socket = visitor, peer, socket
        self.given_up = False
        self.here.set()
        self.gone.clear()
        if another and self.order is not None:  # its Round's page went with it; it must not silently begin again
            self.order = None
            self.left()

    def leave(self, socket: web.WebSocketResponse) -> None:
        if self._socket is socket:
            self._socket = None
            self.here.clear()
            self.gone.set()

    def state(self) -> State:
        return State(
            device=self.invitation.device, rounds=self.invitation.rounds, cases=self.invitation.cases,
            ended=self.ended, told=tuple(self.told[-_MOST_TOLD:]), order=self.order, over=self.over,
        )  # fmt: skip

    async def show(self, order: Order | None) -> None:
        """Have the Round's page shown, or taken away."""
        self.order = order
        await self.tell()

    async def tell(self) -> None:
        """All there is to know; a line that is down gets it when it comes back."""
        if self._socket is not None:
            with contextlib.suppress(ConnectionError):
                await self._socket.send_str(self.state().model_dump_json())

    async def close(self) -> None:
        """The run is over; nobody need come back."""
        self.over, self.order = True, None
        socket = self._socket
        if socket is not None:
            await self.tell()
            with contextlib.suppress(ConnectionError):
                await socket.close()


class Lobby:
    """The places of one run, by device."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}

    def place(self, device: str) -> Place | None:
        return self._places.get(device)

    def invite(self, invitation: Invitation) -> Place:
        self._places[invitation.device] = Place(invitation)
        return self._places[invitation.device]

    async def arrivals(self, wait_s: float, arrived: Callable[[Place], Any]) -> Sequence[Place]:
        """Waits for everybody who was invited; gives those who did not come. `arrived` hears of each that did."""
        waiting = {asyncio.create_task(place.here.wait()): place for place in self._places.values()}
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + wait_s
        try:
            while waiting and (left_s := ends_at - loop.time()) > 0:
                done, _ = await asyncio.wait(waiting, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    arrived(waiting.pop(task))
        finally:
            for task in waiting:
                task.cancel()
        return [*waiting.values()]

    async def close(self) -> None:
        await asyncio.gather(*(place.close() for place in self._places.values()))

    async def visit(self, request: web.Request) -> web.WebSocketResponse:
        place = next((each for each in self._places.values() if each.token == request.match_info["token"]), None)
        if place is None:
            raise web.HTTPNotFound
        socket = web.WebSocketResponse(
            max_msg_size=_LARGEST_FRAME_BYTES, heartbeat=_HEARTBEAT_S, timeout=_CLOSES_S, compress=False
        )
        try:
            await socket.prepare(request)
            await self._receive(place, socket, request.remote or "")
        except ConnectionError:
            pass  # cut while we spoke
        finally:
            place.leave(socket)
        return socket

    async def _receive(self, place: Place, socket: web.WebSocketResponse, peer: str) -> None:
        try:
            frame = await socket.receive(timeout=_INTRODUCES_ITSELF_S)
            if frame.type != WSMsgType.TEXT:
                raise ProtocolViolation("no text")
            visitor = parse_visitor(frame.data)
        except (TimeoutError, ProtocolViolation):
            await socket.close(code=WSCloseCode.POLICY_VIOLATION)
            return
        if place.is_taken_from(visitor):
            await socket.send_str(Taken().model_dump_json())
            await socket.close()
            return
        place.enter(visitor, peer, socket)
        await place.tell()
        async for _ in socket:  # it has said all that it may say
            await socket.close(code=WSCloseCode.POLICY_VIOLATION)
