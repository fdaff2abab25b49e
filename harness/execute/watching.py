"""A page under Playwright's eyes: every way in which it can end by itself, told to its Tab with code and reason."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from typing import Any

from harness.execute.drivers import Tab, address_of
from harness.execute.seeing import Seeing
from harness.execute.tracing import Trace

# A tab that closes because its browser ends says so first; the detail of a crash comes beside the crash.
_DETAIL_WITHIN_S = 0.3


async def watch_browser(browser: Any, engine: str, tab_of_now: Callable[[], Tab | None]) -> Any:
    """Tell the tab that is open when the browser ends or a process of it crashes; gives the session that hears of it.

    Playwright says that a page crashed; only Chromium's own protocol says how its process ended.
    """

    def end(code: str, how: str) -> None:
        tab = tab_of_now()
        if tab is not None:
            tab.end(code, how)

    # Playwright has Firefox end as a whole when a page's process crashes: nobody can tell the one from the other.
    also = ", or its page crashed" if engine == "firefox" else ""
    browser.on("disconnected", lambda _: end("browser_ended", f"the browser ended before the page's last word{also}"))
    if engine != "chromium":
        return None
    session = await browser.new_browser_cdp_session()
    session.on("Target.targetCrashed", lambda how: end(*_crash(how.get("status", ""), how.get("errorCode", 0))))
    await session.send("Target.setDiscoverTargets", {"discover": True})
    return session


def context_options(headed: bool) -> dict[str, bool]:
    """Of a context that a Round's page lives in: it downloads nothing, and a window has a size of its own."""
    return {"accept_downloads": False, **({"no_viewport": True} if headed else {})}


async def watch_page(context: Any, tab: Tab, url: str, limit_s: float, seeing: Seeing) -> None:
    """A new tab at the URL, whose console and end the Tab hears of."""
    loop, browser = asyncio.get_running_loop(), context.browser

    def closed(_: Any) -> None:
        loop.call_later(_DETAIL_WITHIN_S, tab.end, "page_closed", "the page was closed")

    def crashed(_: Any) -> None:
        loop.call_later(_DETAIL_WITHIN_S, tab.end, "page_crashed", "the page's process ended")

    page = await context.new_page()
    show_to_people(browser, page, tab)
    if seeing.trace is not None:
        tab.trace = trace = Trace(browser, context)
        await trace.begin(browser.browser_type.name, page)
    # What it opened beside itself would take the processor from it.
    context.on("page", lambda other: asyncio.ensure_future(_close_beside(other, tab)))
    page.on("crash", crashed)
    page.on("close", closed)
    page.on("framenavigated", lambda frame: _moved(frame, page, tab, url))
    page.on("pageerror", lambda error: tab.hear(f"page error: {error}"))

    def said(line: Any) -> None:
        if line.type in ("error", "warning") and not tab.hear(f"{line.type}: {line.text}"):
            page.remove_listener("console", said)  # a flood must not go on reaching us

    page.on("console", said)
    await page.goto(url, timeout=limit_s * 1000, wait_until="commit")


def show_to_people(browser: Any, page: Any, tab: Tab) -> None:
    """What the Tab can do for whoever looks at it."""

    async def is_open() -> bool:
        return browser.is_connected() and not page.is_closed()

    tab.photograph = page.screenshot
    tab.is_open = is_open


async def has_no_tab(browser: Any, session: Any) -> bool:
    """Whether a browser that was kept still answers, and shows nothing of the Rounds before."""
    if not browser.is_connected() or browser.contexts:
        return False
    targets = (await session.send("Target.getTargets"))["targetInfos"]
    return not [target for target in targets if target["type"] == "page"]


def _crash(status: str, number: int) -> tuple[str, str]:
    """Code and reason from the browser's words for it, and the number of a signal or an exit code."""
    if status == "oom":
        return "out_of_memory", "the page's process ran out of memory"
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"exit code {number}"
    hints = {
        "SIGKILL": "as the system does when memory runs out, or somebody by hand",
        "SIGTRAP": "as Chromium ends itself, also when a script has used up its memory",
        "SIGILL": "as Chromium ends itself, also when a script has used up its memory",
    }
    hint = f", {hints[name]}" if name in hints else ""
    return "page_crashed", f"the page's process {status or 'ended'} ({name}{hint})"


def _moved(frame: Any, page: Any, tab: Tab, url: str) -> None:
    """Only another address counts: coming to our own twice is noticed at the page server."""
    address = address_of(frame.url)
    if frame == page.main_frame and address != address_of(url):
        tab.end("page_left", f"the page went away, to {address[:200]}")


async def _close_beside(other: Any, tab: Tab) -> None:
    tab.hear(f"warning: the page opened another one, which was closed: {other.url[:200]}")
    with contextlib.suppress(Exception):  # gone by itself, or with the browser
        await other.close()
