"""Drives Chromium, Firefox and WebKit: one Playwright for the Run, a browser per Round or one kept for the next.

What is kept has no tab: its renderer, with the page's heap and compiled code, ends with each Round. What lives on is
the browser's root, network and GPU process. Such a browser was watched for 20 s on Linux: no CPU time, not one context
switch, about 100 MB. So one is kept for each set of flags; else Rounds that are interleaved would start one every time.

How cold is a Round in it? In eight interleaved pairs of a tiny BERT, first inference and latency could not be told
apart on any platform, nor loading on wasm and WebNN. Loading on WebGPU took 0.74 (0.60 to 0.91) of the time in a fresh
browser, and the tree's memory was 3 to 14 % more: the GPU process keeps what it has compiled. Hence `rounds_before`.
"""

import asyncio
import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import psutil

from harness.core.errors import Unsupported
from harness.core.plugins import Browser
from harness.execute.drivers import (
    BrowserFailed,
    Limits,
    Tab,
    homes,
    is_running,
    pages_of,
    words_of,
)  # fmt: skip
from harness.execute.finding import Found, find, not_here
from harness.execute.flags import platform_args, platform_preferences
from harness.execute.seeing import NOBODY, Seeing
from harness.execute.watching import context_options, has_no_tab, watch_browser, watch_page
from harness.processes.children import TEMPORARY, end_group, environment_with, watch_group

# Playwright's words for a browser that is not installed.
_NOT_THERE = ("Executable doesn't exist", "is not found at", "is not supported on", "missing dependencies")
_NO_PLAYWRIGHT = "playwright is not installed: pip install 'model-benchmark-harness[browser]'"
_LOOK_AGAIN_S = 0.01
_RENDERER_ENDS_S = 2.0
_FILES_END_S = 2.0
_LOCKS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
_MOST_KEPT = 3  # wasm, WebGPU and WebNN have flags of their own


@dataclass
class _Started:
    """A browser that runs: Playwright's handle, its root process, the folders of its files, and what it is doing."""

    handle: Any
    pid: int | None
    folders: tuple[Path, ...]
    provenance: dict[str, Any]
    keeps: bool = False
    session: Any = None
    tab: Tab | None = None
    context: Any = None
    rounds: int = 0
    born: float = 0.0

    def is_ours(self) -> bool:
        """Whether its number is still its own: a browser that was kept may have died long ago."""
        with contextlib.suppress(psutil.Error):
            return self.pid is not None and psutil.Process(self.pid).create_time() == self.born
        return self.pid is not None  # gone, and nobody has the number: what is left of its group is ours

    @property
    def key(self) -> tuple[str, ...]:
        return _key(self.provenance["label"], self.provenance["args"], self.provenance["preferences"])


class _DriverGone(Exception):
    """Playwright's own process has ended."""


class PlaywrightDriver:
    """A driver whose own process may die as well: it is then started again for the next Round."""

    def __init__(self, limits: Limits | None = None, seeing: Seeing = NOBODY) -> None:
        self._limits = limits or Limits()
        self._seeing = seeing
        self._playwright: Any = None
        self._pid: int | None = None
        self._folder: Path | None = None
        self._open: dict[int, _Started] = {}
        self._kept: dict[tuple[str, ...], _Started] = {}

    async def open(self, browser: Browser, platform: str | None, url: str, warm: bool = False) -> Tab:
        browser = browser.model_copy(update={"args": (*browser.args, *self._seeing.args(browser))})
        key = _key(browser.label, platform_args(browser, platform), platform_preferences(browser, platform))
        started = await self._take_kept(key) if warm else None
        if started is None:
            started = await self._launch(browser, platform)
        tab = Tab(started.provenance | {"rounds_before": started.rounds}, started.pid, started.rounds)
        self._open[id(tab)] = started
        started.tab = tab
        try:
            async with asyncio.timeout(self._limits.open_s):
                if started.session is None:
                    started.session = await watch_browser(started.handle, browser.engine, lambda: started.tab)
                if started.context is None:
                    started.context = await started.handle.new_context(**context_options(self._seeing.headed))
                await watch_page(started.context, tab, url, self._limits.open_s, self._seeing)
        except Exception as error:  # playwright's own, or a bare one when its process is gone
            tab.end("browser_start", f"the page did not open: {words_of(error)}")
        except BaseException:  # told to stop, or the Round took too long: nobody will ever end this tab
            await self.end(tab)
            raise
        return tab

    async def end(self, tab: Tab, keep: bool = False) -> None:
        started = self._open.pop(id(tab), None)
        if started is None:
            return
        well = False
        try:
            well = keep and started.keeps and not tab.ended.done() and await self._empty(started)
        finally:
            if well:
                self._kept[started.key] = started
            else:
                await self._finish(started)
        while len(self._kept) > _MOST_KEPT:
            await self._finish(self._kept.pop(next(iter(self._kept))))

    async def close(self) -> None:
        for started in [*self._open.values(), *self._kept.values()]:
            await self._finish(started)
        self._open.clear()
        self._kept.clear()
        await self._stop()

    async def _empty(self, started: _Started) -> bool:
        """Close the Round's tab with all that belongs to it; whether that went well."""
        started.tab, started.rounds = None, started.rounds + 1
        context, started.context = started.context, None
        pages = list(pages_of(started.pid))
        with contextlib.suppress(Exception):
            async with asyncio.timeout(self._limits.close_s):
                await context.close()
                return await _ended(pages, _RENDERER_ENDS_S) and await has_no_tab(started.handle, started.session)
        return False

    async def _take_kept(self, key: tuple[str, ...]) -> _Started | None:
        """The browser that was kept with these flags, if it is still well: it may have died while it was idle."""
        started = self._kept.pop(key, None)
        if started is None:
            return None
        well = False
        try:
            async with asyncio.timeout(self._limits.close_s):
                well = self._runs() and await has_no_tab(started.handle, started.session)
        except Exception:
            well = False
        finally:
            if not well:
                await self._finish(started)
        return started if well else None

    async def _launch(self, browser: Browser, platform: str | None) -> _Started:
        try:
            return await self._try_launch(browser, platform)
        except _DriverGone:  # it died unseen, between two Rounds
            pass
        try:
            return await self._try_launch(browser, platform)
        except _DriverGone as error:
            raise BrowserFailed(f"{browser.name} does not start: playwright's own process ends: {error}") from error

    async def _try_launch(self, browser: Browser, platform: str | None) -> _Started:
        headed = self._seeing.headed
        found = await asyncio.to_thread(find, browser, headed)
        playwright = await self._start()
        before = _children(self._pid)
        # What it leaves there when it is killed goes with it. A short name: sockets allow about 100 characters.
        folder = Path(tempfile.mkdtemp(prefix="b"))
        on_disk = _needs_profile(browser)
        launching = _launching(getattr(playwright, browser.engine), folder / "profile" if on_disk else None, headed)(
            **_asked(browser, platform, found), headless=not headed, timeout=self._limits.open_s * 1000,
            env={**found.environment, **homes(folder), **self._seeing.environment()}, artifacts_dir=folder,
        )  # fmt: skip
        try:
            # Playwright keeps the limit itself, unless it is Playwright that hangs.
            handle = await asyncio.wait_for(launching, self._limits.open_s + self._limits.close_s)
            context = handle if on_disk else None
            handle = handle.browser if on_disk else handle
        except BaseException as error:
            pid = _newest(_children(self._pid) - before)
            folders = [folder, *_profile_of(pid)]
            await self._end_processes(pid)
            for each in folders:
                await _remove(each)
            if not isinstance(error, Exception):
                # Told to stop. It may have made a profile already, and start a browser in it a moment from now.
                await self._stop()
                raise
            if any(part in str(error) for part in _NOT_THERE):
                raise not_here(browser, "; ".join([*found.passed_over, words_of(error)])) from error
            gone = not self._runs()
            await self._stop()  # whatever it still waits for
            if gone:
                raise _DriverGone(words_of(error)) from error
            raise BrowserFailed(f"{browser.name} does not start: {words_of(error)}") from error
        # No process tells Playwright its id; but browsers are started one by one, as children of its own.
        pid = _newest(_children(self._pid) - before)
        if pid is not None:
            watch_group(pid)  # Playwright starts a browser as the first of a group of its own
        provenance = {
            "name": browser.name, "label": browser.label, "version": handle.version, "engine": browser.engine,
            "path": str(found.program or found.channel or "playwright's own"),
            "args": platform_args(browser, platform), "preferences": platform_preferences(browser, platform),
            "driver": "playwright", "headless": not headed, "profile": "disk" if on_disk else "private", **_really(pid),
        }  # fmt: skip
        if found.passed_over:
            provenance["passed_over"] = list(found.passed_over)
        keeps = browser.keeps and not on_disk
        every = (folder, *_profile_of(pid))
        return _Started(handle, pid, every, provenance, keeps, context=context, born=_birthday(pid))

    async def _finish(self, started: _Started) -> None:
        """Killed, not asked: it has nothing to save, and one that hangs would have to be killed anyway."""
        if started.is_ours():
            await self._end_processes(started.pid)
        # Until Playwright knows it. Ctrl-C reaches its process too, and then it raises anything.
        with contextlib.suppress(Exception):
            await asyncio.wait_for(started.handle.close(), self._limits.close_s)
        for folder in started.folders:
            await _remove(folder)  # Playwright removes its profile as well, some time later
        if not self._runs():
            await self._stop()

    async def _end_processes(self, pid: int | None) -> None:
        """Kill a browser and wait until all of it has ended, so that it is not in the next Round's way."""
        if pid is not None:
            pids = [pid]
            with contextlib.suppress(psutil.Error):
                pids += [child.pid for child in psutil.Process(pid).children(recursive=True)]
            end_group(pid)
            await _ended(pids, self._limits.close_s)

    def _runs(self) -> bool:
        return self._pid is not None and is_running(self._pid)

    async def _start(self) -> Any:
        if self._playwright is not None and not self._runs():
            await self._stop()
        if self._playwright is None:
            await self._start_alone()
        return self._playwright

    async def _start_alone(self) -> None:
        """Start Playwright while no other driver does: several are at work at once where nothing is timed.

        Which process is whose is told by which is new; one that took another's for its own would kill its browsers.
        """
        try:
            from playwright.async_api import async_playwright
        except ImportError as error:
            raise Unsupported(_NO_PLAYWRIGHT) from error
        async with _starting():
            before = _drivers()
            self._folder = Path(tempfile.mkdtemp(prefix="harness-browser-"))
            try:
                # Playwright's process is given no environment, and leaves profiles when it is killed.
                with environment_with(dict.fromkeys(TEMPORARY, str(self._folder))):
                    self._playwright = await async_playwright().start()
            except BaseException as error:
                if (half_started := _newest(_drivers() - before)) is not None:
                    with contextlib.suppress(psutil.Error):
                        psutil.Process(half_started).kill()
                shutil.rmtree(self._folder, ignore_errors=True)
                if not isinstance(error, Exception):  # told to stop
                    raise
                # A bare one when its process dies before it has said a word.
                raise _DriverGone(words_of(error)) from error
            self._pid = _newest(_drivers() - before)

    async def _stop(self) -> None:
        playwright, self._playwright = self._playwright, None
        if playwright is None:
            return
        kept = list(self._kept.values())
        self._kept.clear()
        for started in kept:  # nobody can speak to them any more
            if started.is_ours():
                await self._end_processes(started.pid)
            for folder in started.folders:
                await _remove(folder)
        with contextlib.suppress(Exception):  # for the same reason
            await asyncio.wait_for(playwright.stop(), self._limits.close_s)
        if self._pid is not None:
            for late in _children(self._pid):  # started while it was asked
                end_group(late.pid)
            with contextlib.suppress(psutil.Error):
                psutil.Process(self._pid).kill()  # it was asked
        self._pid = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


async def _remove(folder: Path) -> None:
    """Firefox has a helper, no child of its own, that may still write about the end of its browser for a moment."""
    for _ in range(round(_FILES_END_S / _LOOK_AGAIN_S)):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _ended(pids: list[int], limit_s: float) -> bool:
    """Whether all of these processes have ended, waiting for it if need be."""
    for _ in range(round(limit_s / _LOOK_AGAIN_S)):
        if not any(is_running(pid) for pid in pids):
            return True
        await asyncio.sleep(_LOOK_AGAIN_S)
    return False


def _birthday(pid: int | None) -> float:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).create_time() if pid is not None else 0.0
    return 0.0


def _needs_profile(browser: Browser) -> bool:
    """A Chromium's private contexts keep files in memory, and none of more than some megabytes; Firefox's on disk."""
    return browser.profile == "disk" and browser.engine == "chromium"


def _launching(engine: Any, profile: Path | None, headed: bool) -> Any:
    """What starts it: as always, or with a profile that lies in a folder, which gives its one context."""
    if profile is None:
        return engine.launch
    return partial(engine.launch_persistent_context, profile, **context_options(headed))


def _asked(browser: Browser, platform: str | None, found: Found) -> dict[str, Any]:
    """What Playwright is told of this browser; a stock Firefox is a channel of its own there."""
    asked: dict[str, Any] = {"executable_path": found.program, "args": platform_args(browser, platform)}
    if browser.engine == "firefox":
        return {**asked, "channel": "moz-firefox", "firefox_user_prefs": platform_preferences(browser, platform)}
    return asked if found.channel is None else {**asked, "channel": found.channel}


def _key(name: str, args: list[str], preferences: dict[str, Any]) -> tuple[str, ...]:
    return (name, *args, *(f"{key}={value}" for key, value in preferences.items()))


def _children(pid: int | None) -> set[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return set(psutil.Process(pid).children()) if pid is not None else set()
    return set()


def _newest(processes: set[psutil.Process]) -> int | None:
    return max(processes, key=lambda process: process.create_time()).pid if processes else None


def _really(pid: int | None) -> dict[str, Any]:
    """The program that runs, and its flags: a distribution's script and Playwright add some of their own."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        # Without the paths that are new each time: they say nothing, and would be stored with every Round.
        line = [part for part in process.cmdline()[1:] if tempfile.gettempdir() not in part]
        return {"program": process.exe(), "command_line": line} if pid is not None else {}
    return {}


def _profile_of(pid: int | None) -> list[Path]:
    with contextlib.suppress(psutil.Error):
        line = psutil.Process(pid).cmdline() if pid is not None else []
        chromium = [Path(part.partition("=")[2]) for part in line if part.startswith("--user-data-dir=")]
        return chromium + [Path(line[at + 1]) for at, part in enumerate(line[:-1]) if part == "--profile"]
    return []


def _drivers() -> set[psutil.Process]:
    """Playwright's own processes that this one has started."""
    found = set()
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "run-driver" in process.cmdline():
                found.add(process)
    return found


def _starting() -> asyncio.Lock:
    """One lock per event loop."""
    return _LOCKS.setdefault(asyncio.get_running_loop(), asyncio.Lock())
