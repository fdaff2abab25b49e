"""A page in a browser: one fresh browser, one fresh tab and one seat at the page server per Round."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from harness import catalog
from harness.core.errors import Unsupported
from harness.core.events import LAST_WORDS, Alive, Event, Failed, Hello, Note, Outputs, Probe, Refused
from harness.core.nouns import Browser
from harness.execute.drivers import BrowserFailed, Driver, PlaywrightDriver, Tab
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
        if case.browser_version is not None:
            yield Refused(reason=f"a version of its own cannot be chosen for {browser.name} here")
            return
        # Closed here and now: left to the event loop, the browser would still be ending while the next Round begins.
        async with aclosing(self._converse(browser, case.platform, seat, assignment.silence_limit_s)) as events:
            async for event in events:
                yield event

    async def greet(self, browser: Browser) -> Hello | Failed | Refused:
        """What a browser says of itself on a probe page, with the flags of every platform."""
        seat = Seat(lambda _: Probe())
        async with aclosing(self._converse(browser, None, seat, _PROBE_LIMIT_S)) as events:
            async for event in events:
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
            tab = await driver.open(browser, platform, server.take(seat))
            async with aclosing(self._listen(tab, seat, silence_limit_s)) as events:
                async for event in events:
                    yield event
        except Unsupported as reason:
            yield Refused(reason=str(reason))
        except BrowserFailed as error:
            yield Failed(code="browser_start", reason=str(error))
        finally:
            server.leave(seat)
            if tab is not None:
                await driver.end(tab)

    async def _listen(self, tab: Tab, seat: Seat, silence_limit_s: float) -> AsyncGenerator[Event, None]:
        greeted = False
        while True:
            event = await _next_event(tab, seat, silence_limit_s)
            if isinstance(event, Outputs) and event.iteration == "last" and tab.pid is not None:
                yield Note(kind="memory", text="the browser's process tree", data=dict(self._memory(tab.pid)))
            last = isinstance(event, LAST_WORDS)
            if last and greeted:
                for line in tab.console[:_CONSOLE_KEPT]:
                    yield Note(kind="console", text=line[:1000])
            if isinstance(event, Failed) and not greeted and tab.console:
                event = event.model_copy(update={"reason": f"{event.reason}; its console says: {tab.console[0][:300]}"})
            yield event
            if isinstance(event, Hello):
                greeted = True
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


async def _next_event(tab: Tab, seat: Seat, silence_limit_s: float) -> Event:
    """The page's next word, or the word that we must say for it when it ended or got nowhere.

    `alive` says that the page's script runs, not that it gets on: a runtime that never answers must not wait for ever.
    """
    deadline = asyncio.get_running_loop().time() + silence_limit_s
    while isinstance(event := await _next_word(tab, seat, deadline), Alive):
        pass
    return event


async def _next_word(tab: Tab, seat: Seat, deadline: float) -> Event:
    waiting = asyncio.create_task(seat.events.get())
    both: set[asyncio.Future[Any]] = {waiting, tab.ended}
    try:
        await asyncio.wait(both, timeout=_until(deadline), return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        if tab.ended.done():
            return Failed(code="page_ended", reason=tab.ended.result())
        return Failed(code="silence", reason="the page got nowhere for as long as a Round may be silent")
    finally:
        waiting.cancel()


def _until(deadline: float) -> float:
    return max(0.0, deadline - asyncio.get_running_loop().time())
