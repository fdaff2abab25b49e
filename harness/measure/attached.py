"""What is to be known of numbers from a browser that its user has opened: purely, from what the Rounds kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.core.rounds import Round

_IN_A_KEPT_BROWSER = (
    "a fresh document per round in an attached browser, not a fresh browser: load and caches know what it did before"
)


def doubts_about_attached(rounds: Sequence[Round]) -> list[str]:
    """Nobody started this browser, nobody knows its machine, and its version is its own word."""
    found = []
    for browser in filter(None, map(_attached, rounds)):
        told = " ".join(str(browser[key]) for key in ("product", "version") if browser.get(key)) or "nothing"
        found.append(f"{_where(browser)}; of itself the browser says: {told}")
        found.append(_IN_A_KEPT_BROWSER)
        if browser.get("secure") is False:
            found.append("not a secure context: no WebGPU, no WebNN, no threads, a coarse clock")
    return found


def is_elsewhere(one: Round) -> bool:
    """Whether it ran in a browser that came from another address than this machine's."""
    browser = _attached(one)
    return browser is not None and not browser.get("this_machines_address")


def _where(browser: Mapping[str, Any]) -> str:
    if browser.get("this_machines_address"):
        return "attached from this machine's own address: here, or on a device whose port is forwarded to here"
    return "measured on another device than the run's machine, which describes the conductor only"


def _attached(one: Round) -> Mapping[str, Any] | None:
    browser = one.provenance.get("browser")
    return browser if isinstance(browser, Mapping) and browser.get("driver") == "attach" else None
