"""A page in a browser: one fresh tab and one seat at the page server per Round, in a fresh browser or in a kept one."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from harness import catalog
from harness.core.errors import Unsupported
from harness.core.events import LAST_WORDS, Done, Event, Failed, Hello, Note, Outputs, Phase, Probe, Refused
from harness.core.nouns import Case, Outcome
from harness.core.plugins import Browser, FlagSet
from harness.core.visits import Told
from harness.execute.attach_driver import AttachDriver, who
from harness.execute.doors import Reception
from harness.execute.drivers import FIRST_LOAD, BrowserFailed, Driver, Limits, Tab
from harness.execute.executor import Assignment, Invitation, Probes, as_its_device_sees
from harness.execute.finding import at_version
from harness.execute.flags import candidates, is_real, not_tried, with_set
from harness.execute.looking import Look, until_closed
from harness.execute.page_server import PageServer, Seat
from harness.execute.playwright_driver import PlaywrightDriver
from harness.execute.sampling import SamplingUsage
from harness.execute.seating import pipe_for, seat_for
from harness.execute.seeing import NOBODY, Seeing
from harness.execute.selenium_driver import SeleniumDriver
from harness.execute.watchdog import watched

_LOOK_AGAIN_S = 0.25
# A page whose line was cut tries again after half a second; a WebDriver may not yet know where its page is.
_COMES_BACK_S = 1.5
# Moments at which a page may ask for its processes' memory to be read.
_MARKS = ("leak_before", "leak_after")
_DRIVERS: dict[str, type[PlaywrightDriver] | type[SeleniumDriver]] = {
    "playwright": PlaywrightDriver, "selenium": SeleniumDriver,
}  # fmt: skip


class PageExecutor:
    """Runs Rounds in browsers; the page server and the drivers start with the first of them."""

    def __init__(
        self, probes: Probes, limits: Limits | None = None, reception: Reception | None = None, seeing: Seeing = NOBODY
    ) -> None:
        self._probes = probes
        self._seeing = seeing
        self._left_open: list[tuple[Driver, Tab, bool]] = []
        self._limits = limits or Limits()
        self._reception = reception or Reception()
        self._server: PageServer | None = None
        self._drivers: dict[str, Driver] = {}
        self._chosen: dict[tuple[str, str], tuple[FlagSet, dict[str, Any]]] = {}

    async def execute(self, assignment: Assignment) -> AsyncGenerator[Event, None]:
        case = assignment.case
        try:
            seat = seat_for(assignment, self._seeing.message)
        except Unsupported as reason:
            yield Refused(reason=str(reason))
            return
        asked = at_version(catalog.browsers()[case.browser or ""], case.browser_version)
        browser = await self._fit(asked, case.platform)
        (await self._serve()).pipe = pipe_for(case)  # not what was asked of a probe page just now
        if case.network and case.cache == "warm":
            browser = browser.model_copy(update={"profile": "disk"})
        if browser.driver == "attach":
            await self._announce(assignment)
        # Closed here and now: left to the event loop, the browser would still be ending while the next Round begins.
        async with aclosing(self._converse(browser, case.platform, seat, assignment)) as events:
            async for event in events:
                yield event

    async def greet(self, browser: Browser) -> Hello | Failed | Refused:
        """What a browser says of itself on a probe page, with every platform's flags; and what its driver knows.

        Its GPU's clocks are calibrated last: one that hangs then costs the calibration, not the answer.
        """
        seat = Seat(lambda _: Probe(calibrate=True))
        for platform in browser.flag_sets:
            browser = await self._fit(browser, platform)
        found: dict[str, Any] = {}
        hello: Hello | None = None
        async with aclosing(watched(self._converse(browser, None, seat), self._limits.probe_s)) as events:
            async for event in events:
                if isinstance(event, Hello):
                    hello = event
                elif isinstance(event, Note) and event.kind == "provenance":
                    found |= event.data
                elif isinstance(event, Failed | Refused) and "browser" not in found:
                    return event
                elif isinstance(event, Failed | Refused):
                    found["calibration"] = {"reason": event.reason}
                if "calibration" in found:
                    break
        if hello is None:
            return Failed(code="silence", reason="the probe page said nothing")
        return hello.model_copy(update={"provenance": {**hello.provenance, **found}})

    async def receive(
        self, invitations: Sequence[Invitation], invited: Callable[[str, Sequence[str]], None],
        arrived: Callable[[str, str], None],
    ) -> dict[str, str]:  # fmt: skip
        server = await self._serve()
        self._drivers.setdefault("attach", AttachDriver(server.lobby))  # which tells the devices that it is over
        for each in invitations:
            token = server.lobby.invite(each).token
            invited(each.device, [f"{url}#{token}" for url in server.outside_urls("attach.html")])
        wait_s = self._reception.wait_s
        missing = await server.lobby.arrivals(wait_s, lambda place: arrived(place.invitation.device, who(place)))
        return {each.invitation.device: f"{each.name} did not come within {wait_s:g} s" for each in missing}

    async def wait_for_return(self, case: Case, say: Callable[[str], None]) -> None:
        place = (await self._serve()).lobby.place(case.browser_version or "")
        if place is None or place.given_up or place.here.is_set():
            return
        say(f"{place.name} is away: it is waited for, {self._reception.wait_s:g} s at most")
        try:
            await asyncio.wait_for(place.here.wait(), self._reception.wait_s)
        except TimeoutError:
            place.given_up = True

    async def tell(self, case: Case, outcome: Outcome, reason: str | None) -> None:
        place = self._server.lobby.place(case.browser_version or "") if self._server and case.browser else None
        if place is not None and catalog.browsers()[case.browser or ""].driver == "attach":
            place.ended += 1
            place.told.append(Told(what=as_its_device_sees(case), outcome=outcome, reason=reason))
            await place.tell()

    async def _announce(self, assignment: Assignment) -> None:
        """The device hears what comes, and how long it may be away."""
        place = (await self._serve()).lobby.place(assignment.case.browser_version or "")
        if place is not None:
            place.what = as_its_device_sees(assignment.case)
            place.away_s = min(self._limits.away_s, assignment.silence_limit_s / 2)

    async def linger(self) -> None:
        """Wait until the person who looks has closed the windows that were left open."""
        while self._left_open:
            driver, tab, keep = self._left_open.pop()
            try:
                self._seeing.say("the window stays open: close it to go on (Ctrl-C ends the run)")
                await until_closed(tab)
            finally:
                await driver.end(tab, keep)

    async def close(self) -> None:
        for driver in self._drivers.values():
            await driver.close()
        if self._server is not None:
            await self._server.close()

    async def _fit(self, browser: Browser, platform: str) -> Browser:
        """The browser with the flags that bring the platform here: of several sets the first with which a probe page
        finds a real device, and soon; else the last. What was chosen, and why not another, goes into every Round."""
        key = (browser.label, platform)
        if key not in self._chosen:
            tried = not_tried(browser, platform)
            sets = candidates(browser, platform)
            for each in sets:
                why_not = None if each == sets[-1] else await self._why_not(with_set(browser, platform, each), platform)
                if why_not is None:
                    self._chosen[key] = each, {"name": each.name, "not": tried}
                    break
                tried[each.name] = why_not
        if key not in self._chosen:
            return browser
        return with_set(browser, platform, self._chosen[key][0])

    async def _why_not(self, browser: Browser, platform: str) -> str | None:
        """Why a probe page finds no real device with these flags; None where it does."""
        seat = Seat(lambda _: Probe())
        async with aclosing(watched(self._converse(browser, platform, seat), self._limits.flags_s)) as events:
            async for event in events:
                if isinstance(event, Hello):
                    return is_real(platform, event.provenance)
                if isinstance(event, Failed | Refused):
                    return event.reason
        return "the probe page said nothing"

    async def _converse(
        self, browser: Browser, platform: str | None, seat: Seat, assignment: Assignment | None = None
    ) -> AsyncGenerator[Event, None]:
        """What a page says: a Round's, or a probe's. A `zygote`'s Round is in a browser that was kept, if there is one;
        and it is kept again, unless something went wrong."""
        tab: Tab | None = None
        look: Look | None = None
        well = False
        warm = assignment is not None and assignment.case.isolation == "zygote"
        server = await self._serve()
        try:
            driver = self._driver(browser, server)
            url = server.take(seat)
            first = server.take(seat.rehearsal, FIRST_LOAD) if seat.rehearsal else url
            tab = await driver.open(browser, platform, first, warm)
            fresh_peaks = tab.rounds_before == 0 or self._peaks_begin_anew(tab)
            if assignment is not None:
                look = Look(self._seeing, tab, assignment, self._limits)
            about: dict[str, Any] = {
                "browser": {**tab.provenance, "flag_sets": self._chosen_for(browser, platform)},
                "isolation": "document" if browser.driver == "attach" else "zygote" if warm else "process",
            }
            if told := self._seeing.told():
                about["seeing"] = told
            listening = self._listen(tab, seat, fresh_peaks, about, look)
            async with aclosing(listening) as events:
                async for event in events:
                    # Silence and a word out of turn are seen by others: they close us before the last word.
                    well = isinstance(event, Done | Refused)
                    if look is not None:
                        look.heard(event)
                    yield event
        except Unsupported as reason:
            yield Refused(reason=str(reason))
        except BrowserFailed as error:
            yield Failed(code="browser_start", reason=str(error))
        finally:
            server.leave(seat)
            if seat.rehearsal is not None:
                server.leave(seat.rehearsal)
            if tab is not None:
                await self._part(driver, tab, warm and well, look)

    async def _part(self, driver: Driver, tab: Tab, keep: bool, look: Look | None) -> None:
        """End the tab, or leave it to the person who wants to go on looking at its Round."""
        try:
            if look is not None:
                await look.finish()
                if self._seeing.keep_open and tab.is_open is not None:
                    self._left_open.append((driver, tab, keep))
                    return
        except BaseException:
            await driver.end(tab)
            raise
        await driver.end(tab, keep)

    def _peaks_begin_anew(self, tab: Tab) -> bool:
        return tab.pid is not None and self._probes.reset_peaks is not None and self._probes.reset_peaks(tab.pid)

    def _chosen_for(self, browser: Browser, platform: str | None) -> dict[str, Any]:
        """Platform → the flag set that this browser was started with; of a probe all, of a Round its own."""
        asked = browser.flag_sets if platform is None else (platform,)
        return {name: self._chosen[browser.label, name][1] for name in asked if (browser.label, name) in self._chosen}

    async def _listen(
        self, tab: Tab, seat: Seat, fresh_peaks: bool, about: dict[str, Any], look: Look | None
    ) -> AsyncGenerator[Event, None]:
        greeted, usage = False, SamplingUsage(self._probes.usage)
        while True:
            event = await _next_event(tab, seat, tab.link_s or self._limits.link_s)
            if isinstance(event, Phase) and tab.pid is not None and (used := usage.heard(event, tab.pid)):
                yield used
            if isinstance(event, Outputs) and event.iteration == "last" and tab.pid is not None:
                yield self._memory_note(tab.pid, fresh_peaks)
            if isinstance(event, Note) and event.data.get("read_memory") in _MARKS and tab.pid is not None:
                found = {f"{event.data['read_memory']}_tree_pss": self._probes.memory(tab.pid).get("tree_pss", 0)}
                yield Note(kind="memory", text="the browser's process tree, as the page asked", data=found)
            last = isinstance(event, LAST_WORDS)
            more = await look.before(event) if look is not None and last else []
            if last and greeted:
                for note in more:
                    yield note
                for line in tab.console:
                    yield Note(kind="console", text=line.replace(seat.token, "…"))  # the browser names our addresses
            if isinstance(event, Failed) and not greeted and tab.console:
                event = event.model_copy(update={"reason": f"{event.reason}; its console says: {tab.console[0][:300]}"})
            yield event
            if isinstance(event, Hello):
                greeted = True
                tab.arrived()
                yield Note(kind="provenance", text="browser", data=about)
            if last:
                return

    def _memory_note(self, pid: int, fresh_peaks: bool) -> Note:
        """A peak that an earlier Round of the same browser may have left is not this Round's."""
        found = dict(self._probes.memory(pid))
        if fresh_peaks:
            return Note(kind="memory", text="the browser's process tree", data=found)
        found.pop("tree_hwm_rss", None)
        text = "the browser's process tree now; its peak is unknown, since the browser served earlier Rounds"
        return Note(kind="memory", text=text, data=found)

    async def _serve(self) -> PageServer:
        if self._server is None:
            server = PageServer(self._reception.door)
            await server.open()
            self._server = server
        return self._server

    def _driver(self, browser: Browser, server: PageServer) -> Driver:
        if browser.driver == "attach":
            self._drivers.setdefault("attach", AttachDriver(server.lobby))
        elif browser.driver not in self._drivers:
            self._drivers[browser.driver] = _DRIVERS[browser.driver](self._limits, self._seeing)
        return self._drivers[browser.driver]


async def _next_event(tab: Tab, seat: Seat, link_limit_s: float) -> Event:
    """The page's next word, or the word that we must say for it when it has ended or cannot be heard."""
    waiting = asyncio.create_task(seat.events.get())
    cut = asyncio.create_task(_cut(tab, seat, link_limit_s))
    any_of: set[asyncio.Future[Any]] = {waiting, cut, tab.ended}
    try:
        await asyncio.wait(any_of, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        return tab.ended.result() if tab.ended.done() else cut.result()
    finally:
        waiting.cancel()
        cut.cancel()


async def _cut(tab: Tab, seat: Seat, limit_s: float) -> Failed:
    """Waits for the page's line to be down for too long, or down for good: a driver that died cannot tell us that its
    browser did. Looks only while the line is down; the page comes back by itself when it can."""
    loop = asyncio.get_running_loop()
    while True:
        await seat.down.wait()
        began = loop.time()
        while seat.down.is_set():
            if seat.rehearsal is not None and not seat.rehearsal.down.is_set():
                began = loop.time()
            if not tab.has_process():
                return Failed(code="browser_ended", reason="the browser ended before the page's last word")
            if tab.look is not None and seat.page is not None and loop.time() > began + _COMES_BACK_S:
                await tab.look()
            if loop.time() > began + limit_s:
                what = "never came" if seat.page is None else "was cut and did not come back"
                return Failed(code="link_lost", reason=f"the page's line {what} within {limit_s:g} s")
            await asyncio.sleep(_LOOK_AGAIN_S)
