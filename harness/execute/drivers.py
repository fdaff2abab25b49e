"""Drive a browser: find it, start it with what the platform needs, open a URL, end it.

A driver is one class with `open` and `close`; Playwright is the first. Selenium (WebKitGTK, Safari) and `attach`
(a person opens the URL) fit the same two methods, because all else goes through the page's websocket.
"""

import asyncio
import contextlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

from harness.core.errors import HarnessError, Unsupported
from harness.core.nouns import Browser
from harness.execute.embedded import find_embedded

_OPEN_TIMEOUT_MS = 60_000
_CLOSE_TIMEOUT_S = 10
_NO_PLAYWRIGHT = "playwright is not installed: pip install 'model-benchmark-harness[browser]'"


@dataclass
class Tab:
    """An open page: which browser it is, the process to ask for memory, and how it ended if it did."""

    provenance: dict[str, Any]
    pid: int | None
    console: list[str] = field(default_factory=list)
    ended: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def end(self, how: str) -> None:
        if not self.ended.done():
            self.ended.set_result(how)


class BrowserFailed(HarnessError):
    """A browser that is there did not start; the text in its own words."""


class Driver(Protocol):
    async def open(self, browser: Browser, platform: str | None, url: str) -> Tab:
        """A fresh browser with an empty profile at the URL.

        Raises Unsupported when there is no such browser, BrowserFailed when it is there and does not start.
        """
        ...

    async def end(self, tab: Tab) -> None:
        """Close the tab and its browser, and make sure that no process of it is left."""
        ...

    async def close(self) -> None: ...


def platform_args(browser: Browser, platform: str | None) -> list[str]:
    """The browser's flags for a platform; for None (a probe) those of every platform."""
    names = list(browser.platform_args) if platform is None else [platform]
    flags = [*browser.args, *(flag for name in names for flag in browser.platform_args.get(name, ()))]
    return list(dict.fromkeys(flags))


class PlaywrightDriver:
    """Chromium and what else Playwright drives; one Playwright for the Run, one browser process per Round."""

    def __init__(self) -> None:
        self._playwright: Any = None
        self._open: dict[int, Any] = {}

    async def open(self, browser: Browser, platform: str | None, url: str) -> Tab:
        executable, environment = await asyncio.to_thread(self._find, browser)
        playwright = await self._start()
        # No process tells Playwright its id; an argument of our own makes the browser's root findable.
        mark = f"--harness-round={secrets.token_hex(8)}"
        args = [*platform_args(browser, platform), mark]
        from playwright.async_api import Error

        try:
            started = await playwright.chromium.launch(
                executable_path=executable, args=args, env=environment, headless=True, timeout=_OPEN_TIMEOUT_MS
            )
        except Error as error:
            if "Executable doesn't exist" in str(error):
                raise Unsupported(f"there is no {browser.name} here: {browser.install}") from error
            raise BrowserFailed(f"{browser.name} does not start: {_first_line(error)}") from error
        provenance = {
            "name": browser.name, "version": started.version, "path": str(executable or "playwright's own"),
            "args": args[:-1], "driver": "playwright", "headless": True,
        }  # fmt: skip
        tab = Tab(provenance=provenance, pid=_find_pid(mark))
        self._open[id(tab)] = started
        started.on("disconnected", lambda _: tab.end("the browser ended"))
        try:
            await _visit(started, tab, url)
        except Error as error:
            tab.end(f"the page did not open: {_first_line(error)}")
        return tab

    async def end(self, tab: Tab) -> None:
        processes = _tree(tab.pid)
        started = self._open.pop(id(tab), None)
        if started is not None:
            # Ctrl-C reaches Playwright's own process as well; with that gone it raises a bare Exception.
            with contextlib.suppress(Exception):
                await asyncio.wait_for(started.close(), _CLOSE_TIMEOUT_S)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    async def close(self) -> None:
        if self._playwright is not None:
            with contextlib.suppress(Exception):  # for the same reason
                await asyncio.wait_for(self._playwright.stop(), _CLOSE_TIMEOUT_S)
            self._playwright = None

    async def _start(self) -> Any:
        if self._playwright is None:
            try:
                from playwright.async_api import async_playwright
            except ImportError as error:
                raise Unsupported(_NO_PLAYWRIGHT) from error
            self._playwright = await async_playwright().start()
        return self._playwright

    def _find(self, browser: Browser) -> tuple[Path | None, dict[str, str]]:
        """The first of the browser's places that holds it; None as path leaves the finding to Playwright."""
        reasons = []
        for place in browser.find:
            if "npm" in place:
                try:
                    return find_embedded(place["npm"])
                except Unsupported as error:
                    reasons.append(str(error))
            elif "playwright" in place:
                return None, dict(os.environ)
        raise Unsupported(f"there is no {browser.name} here ({'; '.join(reasons)}): {browser.install}")


async def _visit(browser: Any, tab: Tab, url: str) -> None:
    """A new tab at the URL, whose console and end the Tab hears of."""
    page = await (await browser.new_context()).new_page()
    page.on("crash", lambda _: tab.end("the page crashed"))
    page.on("close", lambda _: tab.end("the page was closed"))
    page.on("pageerror", lambda error: tab.console.append(f"page error: {error}"))
    page.on("console", lambda line: tab.console.append(f"{line.type}: {line.text}") if _worth(line.type) else None)
    await page.goto(url, timeout=_OPEN_TIMEOUT_MS, wait_until="commit")


def _worth(kind: str) -> bool:
    return kind in ("error", "warning")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _find_pid(mark: str) -> int | None:
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            if mark in line and not any(part.startswith("--type=") for part in line):
                return process.pid
    return None


def _tree(pid: int | None) -> list[psutil.Process]:
    if pid is None:
        return []
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
