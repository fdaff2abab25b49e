"""Several drivers in one process, as where nothing is timed: none takes another's browser for its own."""

import asyncio

from harness import catalog
from harness.execute.drivers import is_running
from harness.execute.playwright_driver import PlaywrightDriver


def test_drivers_that_start_at_once_end_only_their_own_browser() -> None:
    async def at_once() -> None:
        drivers = [PlaywrightDriver() for _ in range(3)]
        chromium = catalog.browsers()["chromium"]
        try:
            tabs = await asyncio.gather(*(each.open(chromium, None, "about:blank") for each in drivers))
            roots = [tab.pid for tab in tabs]
            assert None not in roots and len(set(roots)) == len(drivers)
            await drivers[0].end(tabs[0])
            await asyncio.sleep(0.5)  # a browser that was killed is told of a moment later
            assert [is_running(pid) for pid in roots if pid is not None] == [False, True, True]
            assert [tab.ended.done() for tab in tabs[1:]] == [False, False]
        finally:
            for each in drivers:
                await each.close()

    asyncio.run(at_once())
