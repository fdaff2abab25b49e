"""What it is to drive a browser: find it, start it with what the platform needs, open a URL, end it.

A driver is one class with `open`, `end` and `close`: Playwright's, Selenium's (WebKitGTK, Safari), and that of browsers
which a person has opened. All else goes through the page's websocket.
"""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

from harness.core.errors import HarnessError
from harness.core.events import Failed
from harness.core.plugins import Browser
from harness.processes.children import TEMPORARY

# Of a load that warms the profile for the next: going on to that one is then a visit, and no reload.
FIRST_LOAD = "?first"
_HOMES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
_CONSOLE_LINES = 20
_CONSOLE_LINE_LENGTH = 1000


@dataclass(frozen=True)
class Limits:
    """How long a browser may take for what is no measurement."""

    open_s: float = 60.0
    close_s: float = 10.0
    # A page that computes in its main thread cannot reconnect meanwhile; longer than this it is given up.
    link_s: float = 30.0
    # A device that a person carries about; never more than half of the silence that ends a Round.
    away_s: float = 120.0
    probe_s: float = 60.0
    # A set of flags for a GPU may hang the browser: then it is not the set for this machine.
    flags_s: float = 20.0
    # What is kept for a person's eyes, where the page or the browser still answers.
    picture_s: float = 3.0
    # Both traces, half of it each: Chromium's tracing service itself waits 5 s for a page that hangs, before it gives
    # what it has (`kDataSourceStopTimeoutMs` in Perfetto).
    trace_s: float = 30.0


@dataclass
class Tab:
    """An open page: which browser it is, the process to ask for memory, and how it ended if it did."""

    provenance: dict[str, Any]
    pid: int | None
    rounds_before: int = 0  # that its browser has served
    link_s: float | None = None  # how long its line may be down; None: as everywhere
    console: list[str] = field(default_factory=list)
    # To be called once the page has spoken, for drivers that must know then what it runs in.
    arrived: Callable[[], None] = lambda: None
    # Where nothing tells by itself how a page ended: asks, and says it to this Tab. Never while something is measured.
    look: Callable[[], Awaitable[None]] | None = None
    # For a person's eyes: a PNG of the page, whether its window is still open, what was recorded of it.
    photograph: Callable[[], Awaitable[bytes]] | None = None
    is_open: Callable[[], Awaitable[bool]] | None = None
    trace: "Traced | None" = None
    ended: asyncio.Future[Failed] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def end(self, code: str, how: str) -> None:
        """The first to say so is the one that counts."""
        if not self.ended.done():
            self.ended.set_result(Failed(code=code, reason=how))

    def hear(self, line: str) -> bool:
        """Keep a line of the console; False when there is no room for another. The first lines tell the cause."""
        if len(self.console) < _CONSOLE_LINES:
            self.console.append(line[:_CONSOLE_LINE_LENGTH])
        return len(self.console) < _CONSOLE_LINES

    def has_process(self) -> bool:
        """Whether the browser still runs, as far as that can be known: its driver may be gone, and say nothing."""
        return self.pid is None or is_running(self.pid)


class Traced(Protocol):
    """The recordings of a tab: what was written, and what could not be."""

    files: list[Path]
    missing: dict[str, str]

    async def write(self, stem: Path, limit_s: float) -> None: ...


class BrowserFailed(HarnessError):
    """A browser that is there did not start; the text in its own words."""


class Driver(Protocol):
    async def open(self, browser: Browser, platform: str | None, url: str, warm: bool = False) -> Tab:
        """A fresh tab at the URL: in a fresh browser with an empty profile, or, where `warm` will do, in one that was
        kept with the same flags.

        Raises Unsupported when there is no such browser, BrowserFailed when it is there and does not start.
        """
        ...

    async def end(self, tab: Tab, keep: bool = False) -> None:
        """Close the tab, and its browser unless it may be kept for another Round; no process or file of what was closed
        is left."""
        ...

    async def close(self) -> None: ...


def homes(folder: Path) -> dict[str, str]:
    """The environment in which all that a browser writes lies in the folder: its temporary files, its caches (compiled
    shaders too: they would make the next browser warm), its downloads. Elsewhere than on Linux only the first."""
    names = (*TEMPORARY, *_HOMES) if sys.platform == "linux" else TEMPORARY
    return dict.fromkeys(names, str(folder))


def pages_of(pid: int | None) -> tuple[int, ...]:
    """The processes of a browser's pages (Chromium's, WebKit's)."""
    found = []
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(pid).children(recursive=True) if pid is not None else ():
            with contextlib.suppress(psutil.Error):
                is_page = "WebProcess" in process.name() or "--type=renderer" in process.cmdline()
                found += [process.pid] if is_page else []
    return tuple(found)


def address_of(url: str) -> str:
    """A page's address, by which its leaving is noticed: without its fragment, and the same for its first load."""
    return url.partition("#")[0].removesuffix(FIRST_LOAD)


def is_running(pid: int) -> bool:
    """Whether there is such a process; one that has ended and was not yet collected is none."""
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.Error:
        return False


def words_of(error: Exception) -> str:
    """The first line of what was said; a timeout says nothing."""
    text = str(error).removeprefix("BrowserType.launch: ")  # Playwright's name for what was called
    lines = (line.strip(" ║╔╗╚╝═") for line in text.splitlines())  # it puts some of its messages into a box
    return next(filter(None, lines), "it gave no answer in time")
