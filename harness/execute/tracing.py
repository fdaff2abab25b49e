"""A Round's traces: Playwright's, for `playwright show-trace`, and Chromium's own, for DevTools or Perfetto."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from harness.execute.drivers import words_of

_ONLY_CHROMIUM = "only Chromium gives a performance trace"


class Trace:
    """Both recordings of one tab, from before its page loads; what one of them cannot do leaves the other alone."""

    def __init__(self, browser: Any, context: Any) -> None:
        self._browser = browser
        self._context = context
        self._stops: dict[str, Callable[[Path], Awaitable[Path]]] = {}  # of what is being recorded
        self.files: list[Path] = []
        self.missing: dict[str, str] = {}  # which of them → why

    async def begin(self, engine: str, page: Any) -> None:
        await self._try("playwright", self._context.tracing.start(screenshots=True, snapshots=True), self._playwrights)
        if engine == "chromium":
            await self._try("performance", self._browser.start_tracing(page=page), self._engines)
        else:
            self.missing["performance"] = _ONLY_CHROMIUM

    async def write(self, stem: Path, limit_s: float) -> None:
        """Stop and write both, each within its half of the time: a browser may be gone, or hang."""
        for name, stop in reversed(self._stops.items()):
            try:
                async with asyncio.timeout(limit_s / 2):
                    self.files.append(await stop(stem))
            except Exception as error:
                self.missing[name] = words_of(error)

    async def _try(self, name: str, starting: Awaitable[None], stop: Callable[[Path], Awaitable[Path]]) -> None:
        try:
            await starting
            self._stops[name] = stop
        except Exception as error:  # playwright's own
            self.missing[name] = words_of(error)

    async def _engines(self, stem: Path) -> Path:
        recorded: bytes = await self._browser.stop_tracing()
        file = stem.with_name(f"{stem.name}.json")
        await asyncio.to_thread(file.write_bytes, recorded)
        return file

    async def _playwrights(self, stem: Path) -> Path:
        file = stem.with_name(f"{stem.name}.zip")
        await self._context.tracing.stop(path=file)
        return file
