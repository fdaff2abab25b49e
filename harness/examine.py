"""What this machine can run: asked of the packages, and of each browser on a real probe page. `harness doctor`."""

from typing import Any

from harness import catalog
from harness.core.events import Hello, Refused
from harness.core.nouns import Browser
from harness.execute.page import PageExecutor
from harness.measure.host import memory_of_tree
from harness.measure.machine import fingerprint
from harness.plan.cases import missing_packages


async def examine() -> dict[str, Any]:
    """The machine, each platform with what stands in its way, each browser with what it says of itself."""
    executor = PageExecutor(memory_of_tree)
    try:
        browsers = [await _ask(executor, browser) for browser in catalog.browsers().values()]
    finally:
        await executor.close()
    return {"machine": fingerprint(), "platforms": _platforms(browsers), "browsers": browsers}


async def _ask(executor: PageExecutor, browser: Browser) -> dict[str, Any]:
    word = await executor.greet(browser)
    found: dict[str, Any] = {"name": browser.name, "title": browser.title, "limits": list(browser.limits)}
    if isinstance(word, Hello):
        return {**found, "outcome": "ok", "reason": None, "provenance": word.provenance}
    outcome = "unsupported" if isinstance(word, Refused) else "failed"
    return {**found, "outcome": outcome, "reason": word.reason, "provenance": None}


def _platforms(browsers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for platform, offers in catalog.platforms().items():
        for backend in offers:
            if backend.for_tests:
                continue
            missing = missing_packages(backend)
            reason = f"{', '.join(missing)} is not installed: {backend.install}" if missing else None
            row = {"platform": platform, "backend": backend.name, "browser": None, "available": not missing}
            if backend.side == "native" or missing:
                rows.append({**row, "reason": reason, "software": None})
                continue
            rows += [{**row, "browser": b["name"], **_in_browser(platform, b)} for b in browsers]
    return rows


def _in_browser(platform: str, browser: dict[str, Any]) -> dict[str, Any]:
    """Whether the probe page found the platform there, in the browser's own words where it did not."""
    if browser["outcome"] != "ok":
        return {"available": False, "reason": browser["reason"], "software": None}
    said = browser["provenance"].get(platform)
    if platform == "wasm" or not isinstance(said, dict):
        return {"available": True, "reason": None, "software": None}
    return {
        "available": bool(said.get("available", said.get("present"))),
        "reason": said.get("reason"),
        "software": said.get("software"),
    }
