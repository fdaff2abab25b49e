"""WebKitGTK and Safari over W3C WebDriver, one code path for both: a driver process and a browser per Round.

WebDriver tells of nothing by itself, and asking it disturbs the page. So nobody asks while the page's line is up; when
it is down, `look` asks what became of the page. Selenium only speaks the protocol: its own finding, downloading and
starting of drivers is not used, because what is started here must end with us.
"""

import asyncio
import contextlib
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from harness.core.errors import Unsupported
from harness.core.plugins import Browser
from harness.execute.drivers import (
    BrowserFailed,
    Limits,
    Tab,
    address_of,
    homes,
    is_running,
    pages_of,
    words_of,
)  # fmt: skip
from harness.execute.finding import Found, find, not_here
from harness.execute.flags import platform_args
from harness.execute.screen import SIZE, Screen
from harness.execute.seeing import NOBODY, Seeing
from harness.processes.child import Child, start_child

_NO_SELENIUM = "selenium is not installed: pip install 'model-benchmark-harness[browser]'"
_LOOK_AGAIN_S = 0.02
# Safari's words for a user who has not allowed it: "Allow remote automation".
_NOT_ALLOWED = "remote automation"


@dataclass
class _Started:
    """A driver process, the session it gave, the browser it started, and the pages' processes of that."""

    service: Child
    port: int
    folder: Path
    session: Any = None
    pid: int | None = None
    pages: tuple[int, ...] = ()
    url: str = ""


class SeleniumDriver:
    """A fresh browser for each Round; a screen of its own, where it needs one, for the whole run."""

    def __init__(self, limits: Limits | None = None, seeing: Seeing = NOBODY) -> None:
        self._limits = limits or Limits()
        self._seeing = seeing
        self._open: dict[int, _Started] = {}
        self._screen = Screen(self._limits.open_s)

    async def open(self, browser: Browser, platform: str | None, url: str, warm: bool = False) -> Tab:
        found = await asyncio.to_thread(find, browser)
        display = await self._display_for(browser) if browser.needs_display else {}
        started = await self._start(browser, found, display)
        try:
            async with asyncio.timeout(self._limits.open_s):
                await _answers(started.service, started.port)
                args = platform_args(browser, platform)
                started.session = await asyncio.to_thread(
                    _new_session, started.port, browser, args, found, self._limits.open_s
                )
                if started.service.ended.done():  # somebody else had the port, and gave us a session
                    raise BrowserFailed("the driver has ended")
        except BaseException as error:
            last = await started.service.last_error() if started.service.ended.done() else None
            await self._finish(started)
            if isinstance(error, Unsupported) or not isinstance(error, Exception):
                raise
            words = last or words_of(error)
            if _NOT_ALLOWED in words.lower():  # Safari, until its user allows it once
                raise not_here(browser, words) from error
            raise BrowserFailed(f"{browser.name} does not start: {words}") from error
        started.pid = _browser_of(started.service.pid)
        provenance = _provenance(browser, found, platform, started.session.capabilities)
        if not browser.needs_display or self._seeing.headed:
            provenance["screen"] = "the user's"
        tab = Tab(provenance, started.pid)
        tab.arrived = lambda: setattr(started, "pages", pages_of(started.pid))
        tab.look = lambda: self._look(started, tab)
        tab.photograph = lambda: asyncio.to_thread(started.session.get_screenshot_as_png)
        tab.is_open = lambda: self._is_open(started)
        self._open[id(tab)] = started
        await self._goto(started, url, tab)
        return tab

    async def end(self, tab: Tab, keep: bool = False) -> None:
        started = self._open.pop(id(tab), None)
        if started is not None:
            await self._finish(started)

    async def close(self) -> None:
        for started in [*self._open.values()]:
            await self._finish(started)
        self._open.clear()
        await self._screen.close()

    async def _start(self, browser: Browser, found: Found, display: dict[str, str]) -> _Started:
        folder = Path(tempfile.mkdtemp(prefix="harness-browser-"))
        port = _free_port()
        try:
            environment = {**found.environment, **homes(folder), **display}
            service = await start_child([str(found.program), "-p", str(port)], environment)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if not isinstance(error, OSError):
                raise
            raise BrowserFailed(f"{browser.name}'s driver does not start: {error}") from error
        return _Started(service, port, folder)

    async def _goto(self, started: _Started, url: str, tab: Tab) -> None:
        started.url = url
        try:
            async with asyncio.timeout(self._limits.open_s):
                await asyncio.to_thread(started.session.get, url)
        except Exception as error:
            tab.end("browser_start", f"the page did not open: {words_of(error)}")
        except BaseException:  # told to stop: nobody will ever end this tab
            await self.end(tab)
            raise

    async def _finish(self, started: _Started) -> None:
        """Killed, not asked: it has nothing to save, and one that hangs would have to be killed anyway.

        But Safari is no child of its driver: only the driver can end it, and a session left open blocks the next.
        """
        if started.session is not None and started.pid is None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(asyncio.to_thread(started.session.quit), self._limits.close_s)
        await started.service.end()
        shutil.rmtree(started.folder, ignore_errors=True)

    async def _look(self, started: _Started, tab: Tab) -> None:
        """What became of a page whose line is down; said to the Tab where it is known."""
        if started.pages and not any(is_running(pid) for pid in started.pages):
            tab.end("page_crashed", "the page's process ended")
            return
        with contextlib.suppress(TimeoutError):
            told = await asyncio.wait_for(asyncio.to_thread(_ask_page, started), self._limits.close_s)
            if told is not None:
                tab.end(*told)

    async def _is_open(self, started: _Started) -> bool:
        try:
            asked = asyncio.to_thread(lambda: started.session.window_handles)
            return bool(await asyncio.wait_for(asked, self._limits.close_s))
        except TimeoutError:  # busy, or stopped in a debugger
            return True
        except Exception:  # Selenium's own: there is no such session any more
            return False

    async def _display_for(self, browser: Browser) -> dict[str, str]:
        if self._seeing.headed:
            return self._seeing.environment()
        try:
            return await self._screen.environment()
        except Unsupported as why:
            raise not_here(browser, str(why)) from why


def _provenance(browser: Browser, found: Found, platform: str | None, capabilities: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": browser.name, "version": capabilities.get("browserVersion"), "engine": browser.engine,
        "path": str(found.binary or found.program), "args": platform_args(browser, platform), "preferences": {},
        "driver": "selenium", "headless": False, "screen": f"Xvfb {SIZE}",
    }  # fmt: skip


def _new_session(port: int, browser: Browser, args: list[str], found: Found, limit_s: float) -> Any:
    """A WebDriver session; raises Unsupported without Selenium, else what the driver says."""
    try:
        from selenium.webdriver import Remote
        from selenium.webdriver.common.options import ArgOptions
        from selenium.webdriver.common.proxy import Proxy, ProxyType
        from selenium.webdriver.remote.client_config import ClientConfig
        from selenium.webdriver.remote.remote_connection import RemoteConnection
    except ImportError as error:
        raise Unsupported(_NO_SELENIUM) from error

    options = ArgOptions()  # only what is the same in every browser
    # `none`: the page's own first word tells that it is there. A dialog must not wait for a person.
    options.set_capability("pageLoadStrategy", "none")
    options.set_capability("unhandledPromptBehavior", "dismiss")
    if browser.options_key is not None:
        options.set_capability(browser.options_key, {"binary": str(found.binary or found.program), "args": args})
    direct = Proxy({"proxyType": ProxyType.DIRECT})  # whatever the environment says: the driver is on this machine
    config = ClientConfig(f"http://127.0.0.1:{port}", timeout=int(limit_s), proxy=direct)
    return Remote(RemoteConnection(client_config=config), options=options)


def _ask_page(started: _Started) -> tuple[str, str] | None:
    """Code and reason of the page's end, as far as the driver knows of one."""
    from selenium.common.exceptions import InvalidSessionIdException, NoSuchWindowException

    try:
        address = started.session.current_url
    except NoSuchWindowException:
        return "page_closed", "the page was closed"
    except InvalidSessionIdException:
        return "browser_ended", "the browser ended before the page's last word"
    except Exception:  # the driver process itself is gone, or busy: the line's own limit decides
        return None
    if address_of(address) != address_of(started.url):
        return "page_left", f"the page went away, to {address[:200]}"
    return None


async def _answers(service: Child, port: int) -> None:
    """Wait until the driver takes connections; raises BrowserFailed when it has ended instead."""
    while True:
        if service.ended.done():
            raise BrowserFailed(f"the driver ended with exit code {service.ended.result()}")
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(_LOOK_AGAIN_S)


def _free_port() -> int:
    """A port that nobody has now; neither driver can choose one by itself and say which."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _browser_of(service_pid: int) -> int | None:
    """The browser's root process; Safari is no child of its driver, and its memory nobody's to know."""
    with contextlib.suppress(psutil.Error):
        return next((child.pid for child in psutil.Process(service_pid).children()), None)
    return None
