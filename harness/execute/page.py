"""A page in a browser: one fresh browser, one fresh tab and one seat at the page server per Round."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from harness import catalog
from harness.core.errors import Unsupported
from harness.core.events import LAST_WORDS, Event, Failed, Hello, Note, Outputs, Probe, Refused
from harness.core.nouns import Browser
from harness.execute.drivers import Driver, PlaywrightDriver, Tab
from harness.execute.executor import Assignment, MemoryProbe
from harness.execute.page_server import PageServer, Seat

_CONSOLE_KEPT = 20
_PROBE_LIMIT_S = 60.0


class PageExecutor:
    """Runs Rounds in browsers; the page server and the drivers start with the first of them."""

    def __init__(self, memory: MemoryProbe) -> None:
        self._memory = memory
        self._server: PageServer | None = None
        self._drivers: dict[str, Driver] = {}

    async def execute(self, assignment: Assignment) -> AsyncGenerator[Event, None]:
        case = assignment.case
        seat = Seat(
            lambda seat: assignment.message(f"/artifact/{seat.token}/", f"/outputs/{seat.token}/"),
            artifact_dir=assignment.artifact_dir, outputs_dir=assignment.outputs_dir,
        )  # fmt: skip
        browser = catalog.browsers()[case.browser or ""]
        async for event in self._converse(browser, case.platform, seat, assignment.silence_limit_s):
            yield event

    async def greet(self, browser: Browser) -> Hello | Failed | Refused:
        """What a browser says of itself on a probe page, with the flags of every platform."""
        seat = Seat(lambda _: Probe())
        async for event in self._converse(browser, None, seat, _PROBE_LIMIT_S):
            if isinstance(event, Hello | Failed | Refused):
                return event
        return Failed(code="silence", reason="the probe page said nothing")

    async def close(self) -> None:
        for driver in self._drivers.values():
            await driver.close()
        if self._server is not None:
            await self._server.close()

    async def _converse(
        self, browser: Browser, platform: str | None, seat: Seat, silence_limit_s: float
    ) -> AsyncGenerator[Event, None]:
        tab: Tab | None = None
        server = await self._serve()
        try:
            driver = self._driver(browser)
            tab = await driver.open(browser, platform, _version(seat), server.take(seat))
            async for event in self._listen(tab, seat, silence_limit_s):
                yield event
        except Unsupported as reason:
            yield Refused(reason=str(reason))
        finally:
            server.leave(seat)
            if tab is not None:
                await driver.end(tab)

    async def _listen(self, tab: Tab, seat: Seat, silence_limit_s: float) -> AsyncGenerator[Event, None]:
        while True:
            event = await _next_event(tab, seat, silence_limit_s)
            if isinstance(event, Outputs) and event.iteration == "last" and tab.pid is not None:
                yield Note(kind="memory", text="the browser's process tree", data=dict(self._memory(tab.pid)))
            last = isinstance(event, LAST_WORDS)
            if last:
                for line in tab.console[:_CONSOLE_KEPT]:
                    yield Note(kind="console", text=line[:1000])
            yield event
            if isinstance(event, Hello):
                yield Note(kind="provenance", text="browser", data={"browser": tab.provenance})
            if last:
                return

    async def _serve(self) -> PageServer:
        if self._server is None:
            self._server = PageServer()
            await self._server.open()
        return self._server

    def _driver(self, browser: Browser) -> Driver:
        if browser.driver != "playwright":
            raise Unsupported(f"{browser.name} is driven by {browser.driver}, which is not offered here")
        return self._drivers.setdefault(browser.driver, PlaywrightDriver())


def _version(seat: Seat) -> str | None:
    message = seat.message(seat)
    return None if isinstance(message, Probe) else message.case.browser_version


async def _next_event(tab: Tab, seat: Seat, silence_limit_s: float) -> Event:
    """The page's next word, or the word that we must say for it when it ended or fell silent."""
    waiting = asyncio.create_task(seat.events.get())
    both: set[asyncio.Future[Any]] = {waiting, tab.ended}
    try:
        await asyncio.wait(both, timeout=silence_limit_s, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        if tab.ended.done():
            return Failed(code="page_ended", reason=tab.ended.result())
        return Failed(code="silence", reason=f"the page said nothing for {silence_limit_s:g} s")
    finally:
        waiting.cancel()
