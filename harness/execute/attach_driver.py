"""A browser that nobody drives: the Round's page is shown by the page that its user has opened (`attach.js`).

What can be known of it is what it says of itself. It is one browser for the whole run, with a fresh document in a frame
for each Round; no process of ours, so its memory is unknown.
"""

import asyncio
import re
from typing import Any

from harness.core.errors import Unsupported
from harness.core.plugins import Browser
from harness.core.visits import Order, Visitor
from harness.execute.doors import is_loopback, is_ours
from harness.execute.drivers import Tab
from harness.execute.lobby import Lobby, Place

# Who did not come when it was waited for is not waited for again before every Round.
_SHORTLY_S = 2.0
# A line of a Round that is cut together with that of the lobby is the lobby's to judge.
_LATER_S = 2.0
# The first that is in it counts: all of them also say that they are older ones.
_PRODUCTS = (
    ("Edge", r"Edg(?:A|iOS)?/([\d.]+)"), ("Opera", r"OPR/([\d.]+)"), ("Samsung Internet", r"SamsungBrowser/([\d.]+)"),
    ("Firefox on iOS", r"FxiOS/([\d.]+)"), ("Chrome on iOS", r"CriOS/([\d.]+)"), ("Firefox", r"Firefox/([\d.]+)"),
    ("Chromium", r"(?:Headless)?Chrome/([\d.]+)"), ("Safari", r"\((?:Mac|iP[hao]).* Version/([\d.]+).* Safari/"),
    ("WebKit", r"AppleWebKit/([\d.]+)"),
)  # fmt: skip
# What every Chromium adds, so that nobody relies on the list.
_NO_BRAND = re.compile(r"not.{0,2}a.{0,2}brand", re.IGNORECASE)


class AttachDriver:
    """Shows Rounds in the devices of a lobby."""

    def __init__(self, lobby: Lobby) -> None:
        self._lobby = lobby
        self._open: dict[int, tuple[Place, asyncio.Task[None]]] = {}

    async def open(self, browser: Browser, platform: str | None, url: str, warm: bool = False) -> Tab:
        place = self._lobby.place(browser.at or "")
        if place is None:
            raise Unsupported(f"no device was invited: {browser.install}")
        if not await _is_there(place):
            tab = Tab({}, None)
            tab.end("device_gone", f"{place.name} was not there: no page of it has been connected for so long")
            return tab
        assert place.visitor is not None
        place.begun += 1
        tab = Tab(provenance(place, place.visitor), None, place.begun - 1, link_s=place.away_s + _LATER_S)
        place.left = lambda: tab.end("page_left", "the attached page was loaded a second time")
        await place.show(Order(url=url.rpartition("/")[2], what=place.what, number=place.begun))
        self._open[id(tab)] = place, asyncio.create_task(_mind(place, tab))
        return tab

    async def end(self, tab: Tab, keep: bool = False) -> None:
        place, minding = self._open.pop(id(tab), (None, None))
        if place is not None and minding is not None:
            minding.cancel()
            await place.show(None)

    async def close(self) -> None:
        for _, minding in self._open.values():
            minding.cancel()
        await self._lobby.close()


def provenance(place: Place, visitor: Visitor) -> dict[str, Any]:
    """What a Round keeps of the browser it ran in."""
    name, version = told_version(visitor)
    return {
        "name": "attached", "device": place.invitation.device, "product": name, "version": version,
        "version_said_by": "itself", "user_agent": visitor.user_agent, "screen": visitor.screen, "engine": None,
        "path": None, "args": None, "preferences": None, "driver": "attach", "headless": None, "frame": "iframe",
        "loopback": is_loopback(place.peer), "this_machines_address": is_ours(place.peer), "secure": visitor.secure,
        "rounds_before": place.begun - 1,
    }  # fmt: skip


def told_version(visitor: Visitor) -> tuple[str | None, str | None]:
    """Product and version as the browser says them: by its brands, else by its user agent."""
    brands = [brand.rpartition(" ") for brand in visitor.brands if not _NO_BRAND.search(brand)]
    brands.sort(key=lambda each: each[0] == "Chromium")  # which all its descendants say as well
    for name, _, version in brands:
        if name and version:
            return name, version
    for name, pattern in _PRODUCTS:
        if found := re.search(pattern, visitor.user_agent):
            return name, found[1]
    return None, None


def who(place: Place) -> str:
    """Who came, in words: `Firefox 153.0, 390×844 @3, from 192.168.1.20`."""
    assert place.visitor is not None
    name, version = told_version(place.visitor)
    product = f"{name} {version}" if name else "a browser that does not say which"
    insecure = "" if place.visitor.secure else ", not a secure context: no WebGPU, no WebNN, no threads, a coarse clock"
    return f"{product}, {place.visitor.screen}, from {place.peer}{insecure}"


async def _is_there(place: Place) -> bool:
    """Whether the device is connected, or comes back in time."""
    try:
        await asyncio.wait_for(place.here.wait(), _SHORTLY_S if place.missing else place.away_s)
    except TimeoutError:
        place.missing = True
        return False
    place.missing = False
    return True


async def _mind(place: Place, tab: Tab) -> None:
    """Says so when the device goes away and does not come back."""
    while True:
        await place.gone.wait()
        if not await _is_there(place):
            tab.end("device_gone", f"{place.name} went away and did not come back within {place.away_s:g} s")
            return
