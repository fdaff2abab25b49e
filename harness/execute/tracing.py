"""A Round's traces: Playwright's, for `playwright show-trace`, and Chromium's own, for DevTools or Perfetto."""

import asyncio
from pathlib import Path
from typing import Any

from harness.execute.drivers import words_of

_ONLY_CHROMIUM = "only Chromium gives a performance trace"


class Trace:
    """Both recordings of one tab, from before its page loads; what one of them cannot do leaves the other alone."""

    def __init__(self, browser: Any, context: Any) -> None:
        self._browser = browser
        self._context = context
        self._engine_runs = False
        self.files: list[Path] = []
        self.missing: dict[str, str] = {}  # which of them → why

    async def begin(self, engine: str, page: Any) -> None:
        await self._context.tracing.start(screenshots=True, snapshots=True)
        if engine != "chromium":
            self.missing["performance"] = _ONLY_CHROMIUM
            return
        try:
            await self._browser.start_tracing(page=page)
            self._engine_runs = True
        except Exception as error:  # playwright's own
            self.missing["performance"] = words_of(error)

    async def write(self, stem: Path, limit_s: float) -> None:
        """Stop and write both, each within its half of the time: a browser may be gone, or hang."""
        ways = [("playwright", self._stop_playwright)]
        if self._engine_runs:
            ways.insert(0, ("performance", self._stop_engine))
        for name, stop in ways:
            try:
                async with asyncio.timeout(limit_s / 2):
                    await stop(stem)
            except Exception as error:
                self.missing[name] = words_of(error)

    async def _stop_engine(self, stem: Path) -> None:
        self._engine_runs = False
        recorded: bytes = await self._browser.stop_tracing()
        file = stem.with_name(f"{stem.name}.json")
        await asyncio.to_thread(file.write_bytes, recorded)
        self.files.append(file)

    async def _stop_playwright(self, stem: Path) -> None:
        file = stem.with_name(f"{stem.name}.zip")
        await self._context.tracing.stop(path=file)
        self.files.append(file)
