"""The peer for two web pages: tachometer, which loads both in turn until its interval excludes a difference of nothing.

It drives the distribution's Chromium by the distribution's driver; `peers/tachometer/` pins its version. Its own file
server reads every file as text, which breaks a graph and wasm, so another one serves the pages: with the headers that
give threads, and cacheable, since a page that fetches 14 MB anew for each sample would slow it down.
"""

import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

from aiohttp import web

from harness import catalog
from tests.bench.chains import Chain
from tests.bench.limited import Ended, until_limit

BROWSER = "chromium-system"
HOME = Path(__file__).parent / "peers" / "tachometer"
_PROGRAM = HOME / "node_modules" / "tachometer" / "bin" / "tach.js"
# Cross-origin isolation is what makes threads and the fine clock exist; our own pages have it, too.
_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cache-Control": "max-age=3600",
}
# Its usual sample size of 50 is 102 pages before it looks for the first time; ten is the batch in which it goes on.
SAMPLE_SIZE = 10
_WARM_S, _SAMPLE_S = 0.1, 0.3


Verdict = Literal["faster", "slower", "same", "undecided"]


@dataclass(frozen=True)
class Told:
    """What one side said of the second page against the first: how many times as long it takes, and in what time.

    `interval` is null where it said nothing within its time; `measured_s` is from the first page or Round on.
    """

    wall_s: float
    measured_s: float | None
    interval: tuple[float, float] | None
    verdict: Verdict
    ratio: float | None = None
    doubts: tuple[str, ...] = ()


def why_absent() -> str | None:
    """Why it cannot run here; None: it can."""
    if not _PROGRAM.exists():
        return f"tachometer is not installed: npm ci --prefix {HOME.relative_to(catalog.ROOT)}"
    for program in ("node", "chromedriver", "chromium"):
        if shutil.which(program) is None:
            return f"tachometer needs {program} on the PATH (Debian: chromium, chromium-driver, nodejs)"
    return None


@dataclass
class Pages:
    """The two pages' server: its address, and when a page was first asked for."""

    origin: str
    first_asked_s: float | None = field(default=None)

    def url(self, chain: Chain, threads: int) -> str:
        asked = urlencode({
            "bundle": "/dist/" + str(catalog.backends()["ort_web"].platforms["wasm"].bundle),
            "model": f"/{chain.path.parent.name}/{chain.path.name}",
            "input": f"/{chain.path.parent.name}/{chain.input_file.name}",
            "shape": ",".join(map(str, chain.shape)), "threads": threads, "warm_s": _WARM_S, "sample_s": _SAMPLE_S,
        })  # fmt: skip
        return f"{self.origin}/page.html?{asked}"


@asynccontextmanager
async def served(chains: Sequence[Chain]) -> AsyncIterator[Pages]:
    """The page, the runtime that our own page loads, and each chain's folder by its name."""
    pages = Pages("")

    @web.middleware
    async def isolate(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        response = await handler(request)
        response.headers.update(_HEADERS)
        return response

    async def page(request: web.Request) -> web.StreamResponse:
        pages.first_asked_s = pages.first_asked_s or time.perf_counter()
        return web.FileResponse(HOME / "page.html")

    app = web.Application(middlewares=[isolate])
    app.router.add_get("/page.html", page)
    app.router.add_static("/dist", catalog.PAGE_ROOT / "node_modules" / "onnxruntime-web" / "dist")
    for chain in chains:
        app.router.add_static(f"/{chain.path.parent.name}", chain.path.parent)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        pages.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield pages
    finally:
        await runner.cleanup()


def config(urls: Sequence[str], limit_s: float) -> dict[str, Any]:
    """Its configuration file: both pages in the same browser, in a fresh tab each time, horizon 0 %."""
    browser = {
        "name": "chrome", "headless": True, "binary": shutil.which("chromium"),
        "addArguments": ["--no-sandbox", *catalog.browsers()[BROWSER].args],
    }  # fmt: skip
    return {
        "sampleSize": SAMPLE_SIZE, "timeout": limit_s / 60, "autoSampleConditions": ["0%"],
        "benchmarks": [
            {
                "name": f"page {number}", "url": url, "browser": browser,
                "measurement": {"mode": "expression", "expression": "window.tachometerResult"},
            }
            for number, url in enumerate(urls)
        ],
    }  # fmt: skip


async def ask_tachometer(chains: Sequence[Chain], threads: int, folder: Path, limit_s: float) -> Told:
    """Its verdict on the second chain's page against the first's; raises HarnessError when it fails."""
    folder.mkdir(parents=True)
    asked, answered = folder / "asked.json", folder / "answered.json"
    async with served(chains) as pages:
        asked.write_text(json.dumps(config([pages.url(chain, threads) for chain in chains], limit_s)))
        command = ("node", _PROGRAM, "--config", asked, "--json-file", answered)
        # The driver is on the PATH; Selenium's own finder would else ask the network which is the newest.
        ended = await until_limit("tachometer", command, limit_s, {**os.environ, "SE_OFFLINE": "true"})
    measured_s = None if pages.first_asked_s is None else ended.at_s - pages.first_asked_s
    return told_by_tachometer(json.loads(answered.read_text()) if ended.in_time else None, ended, measured_s)


def told_by_tachometer(said: dict[str, Any] | None, ended: Ended, measured_s: float | None) -> Told:
    """From its JSON, whose differences are in percent; None: it was still at it when its time was over."""
    if said is None:
        return Told(ended.wall_s, measured_s, None, "undecided")
    change = said["benchmarks"][1]["differences"][0]["percentChange"]
    low, high = 1 + change["low"] / 100, 1 + change["high"] / 100
    verdict: Verdict = "slower" if low > 1 else "faster" if high < 1 else "undecided"
    return Told(ended.wall_s, measured_s, (low, high), verdict, ratio=(low + high) / 2)
