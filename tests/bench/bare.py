"""The same work in the loop that a stranger would write (`loops/`), in a fresh process or a fresh browser."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from harness import catalog
from harness.core.errors import HarnessError
from harness.core.events import Failed, Note, Probe
from harness.execute.page_server import PageServer, Seat
from harness.execute.playwright_driver import PlaywrightDriver
from tests.bench.fresh import output_of
from tests.bench.pairs import Timed

LOOPS = Path(__file__).parent / "loops"
_LIMIT_S = 120
_DIST = "node_modules/onnxruntime-web/dist/"


class BareFailed(HarnessError):
    """The bare loop did not work; the text in its own words."""


@dataclass(frozen=True)
class BareWork:
    """A graph with one float32 input, both relative to `folder`, and how long to run it."""

    folder: Path
    model: str
    data: str
    shape: tuple[int, ...]
    threads: int
    warm_s: float
    sample_s: float

    @property
    def shape_text(self) -> str:
        return ",".join(map(str, self.shape))


async def bare_native(work: BareWork) -> Timed:
    """One fresh process."""
    files = (work.folder / work.model, work.folder / work.data)
    numbers = (work.shape_text, work.threads, work.warm_s, work.sample_s)
    return Timed(**json.loads(await output_of("the bare loop", LOOPS / "bare_loop.py", *files, *numbers)))


class BareBrowser:
    """Bare pages from the real page server (the same headers), in browsers that the real driver starts."""

    def __init__(self) -> None:
        self._server = PageServer()
        self._driver = PlaywrightDriver()

    async def __aenter__(self) -> "BareBrowser":
        await self._server.open()
        return self

    async def __aexit__(self, *ended: object) -> None:
        await self._driver.close()
        await self._server.close()

    async def measure(self, work: BareWork) -> Timed:
        """One fresh browser with the flags that wasm's Rounds have."""
        page = Seat(lambda _: Probe(), artifact_dir=LOOPS)
        files = Seat(lambda _: Probe(), artifact_dir=work.folder)
        for seat in (page, files):
            self._server.take(seat)
        asked = urlencode({
            "bundle": self._server.page_url(_DIST + str(catalog.backends()["ort_web"].platforms["wasm"].bundle)),
            "model": f"/artifact/{files.token}/{quote(work.model)}",
            "input": f"/artifact/{files.token}/{quote(work.data)}",
            "shape": work.shape_text, "threads": work.threads, "warm_s": work.warm_s, "sample_s": work.sample_s,
        })  # fmt: skip
        url = f"{self._server.origin}/artifact/{page.token}/page.html?{asked}"
        tab = await self._driver.open(catalog.browsers()["chromium"], "wasm", url)
        try:
            event = await asyncio.wait_for(page.events.get(), _LIMIT_S)
        except TimeoutError as error:
            raise BareFailed(f"the bare page said nothing; its console says {tab.console[:1]}") from error
        finally:
            await self._driver.end(tab)
            for seat in (page, files):
                self._server.leave(seat)
        return _timed(event, work)


def _timed(event: Any, work: BareWork) -> Timed:
    if isinstance(event, Failed):
        raise BareFailed(event.reason)
    assert isinstance(event, Note)
    found = dict(event.data)
    # A page that lost its isolation or its threads would be slower, and our loop would look good.
    if not found.pop("isolated") or found.pop("threads") != work.threads:
        raise BareFailed(f"the bare page ran otherwise than ours: {event.data}")
    return Timed(**found)
