"""The other end of the page's line, as small as it can be: files, output bytes and one websocket."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import WSMsgType, web
from numpy.typing import NDArray

from harness.core.events import LAST_WORDS, Ack, CaseMessage, Conversation, Event, Hello, Probe, Stop, parse_event

PAGE_ROOT = Path(__file__).parents[2] / "browser_assets"
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_LIMIT_S = 90


@dataclass
class Spoken:
    """Everything a page said, checked for its legal order, with when it arrived."""

    outputs_dir: Path
    conversation: Conversation = field(default_factory=Conversation)
    events: list[Event] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    connections: int = 0
    console: list[str] = field(default_factory=list)
    status: dict[str, str] = field(default_factory=dict)
    html: str = ""

    def of(self, kind: str, /, **fields: object) -> list[Any]:
        """The Events of a kind whose fields are these."""
        return [
            event
            for event in self.events
            if event.event == kind and all(getattr(event, key) == value for key, value in fields.items())
        ]

    def output(self, iteration: str, index: int = 0) -> NDArray[np.float32]:
        return np.fromfile(self.outputs_dir / iteration / f"{index}.bin", dtype=np.float32)


async def converse(
    browser: Any,
    message: CaseMessage | Probe,
    outputs_dir: Path,
    artifact_dir: Path | None = None,
    isolated: bool = True,
    drop_last_words: int = 0,
    stop_after: str = "",
    init_script: str = "",
) -> Spoken:
    """One message to one fresh page, in a context of its own.

    `drop_last_words` breaks the connection instead of acknowledging, so many times. `stop_after` names the Event after
    which the page is told to stop; two seconds later the conversation is over.
    """
    server = _Conductor(message, Spoken(outputs_dir), artifact_dir or PAGE_ROOT, isolated, drop_last_words, stop_after)
    await server.serve(browser, init_script)
    return server.spoken


@dataclass
class _Conductor:
    message: CaseMessage | Probe
    spoken: Spoken
    artifact_dir: Path
    isolated: bool
    drops: int
    stop_after: str
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, browser: Any, init_script: str) -> None:
        app = web.Application(middlewares=[self._headers()], client_max_size=1 << 26)
        app.router.add_get("/link/token", self._link)
        app.router.add_post("/outputs/token/{iteration}/{index}", self._outputs)
        app.router.add_static("/artifact/token/", self.artifact_dir)
        app.router.add_static("/page/", PAGE_ROOT)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/page/run.html#token"
        context = await browser.new_context()
        try:
            page = await context.new_page()
            page.on("console", lambda line: self.spoken.console.append(line.text))
            page.on("pageerror", lambda error: self.spoken.console.append(str(error)))
            if init_script:
                await page.add_init_script(init_script)
            await page.goto(url)
            await asyncio.wait_for(self.over.wait(), _LIMIT_S)
            for name in ("what", "outcome", "phase", "n"):
                self.spoken.status[name] = await page.text_content(f"#{name}") or ""
            self.spoken.html = await page.content()
        finally:
            await context.close()
            await runner.cleanup()

    def _headers(self) -> Any:
        @web.middleware
        async def add(request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]) -> web.StreamResponse:
            response: web.StreamResponse = await handler(request)
            if self.isolated and not response.prepared:
                response.headers.update(ISOLATION)
            return response

        return add

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=1 << 26)
        await socket.prepare(request)
        self.spoken.connections += 1
        await socket.send_str(self.message.model_copy(update={"heard": len(self.spoken.events)}).model_dump_json())
        async for frame in socket:
            if frame.type != WSMsgType.TEXT:
                continue
            event = parse_event(frame.data)
            self.spoken.conversation.accept(event)
            self.spoken.events.append(event)
            self.spoken.at_s.append(asyncio.get_running_loop().time())
            if isinstance(event, LAST_WORDS) and self.drops > 0:
                self.drops -= 1
                await socket.close()
            elif isinstance(event, LAST_WORDS):
                await socket.send_str(Ack().model_dump_json())
                self.over.set()
            elif event.event == self.stop_after:
                await socket.send_str(Stop().model_dump_json())
                asyncio.get_running_loop().call_later(2, self.over.set)
            elif isinstance(event, Hello) and isinstance(self.message, Probe):
                await socket.send_str(Stop().model_dump_json())
                self.over.set()
        return socket

    async def _outputs(self, request: web.Request) -> web.Response:
        file = self.spoken.outputs_dir / request.match_info["iteration"] / f"{request.match_info['index']}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(await request.read())
        return web.Response(status=204)
