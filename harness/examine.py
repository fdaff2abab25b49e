"""What this machine can run: asked of the packages, and of each browser on a real probe page. `harness doctor`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness import catalog
from harness.core.clocks import choose_clock, medians_ms, per_run_ns
from harness.core.events import Hello, Refused, Samples
from harness.core.plugins import Browser
from harness.core.statistics import median
from harness.core.text import one_line
from harness.core.units import ms
from harness.execute.asking import devices_of
from harness.execute.executor import Probes
from harness.export.process import environments
from harness.measure.host import memory_of_tree
from harness.measure.machine import fingerprint
from harness.measure.quiet import findings_of
from harness.plan.cases import not_installed
from harness.steps.quiet import look_around

if TYPE_CHECKING:
    from harness.execute.page import PageExecutor


async def examine(say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """The machine, each platform with what stands in its way, each browser with what it says of itself.

    `say` hears which browser is asked: that takes seconds where it has a GPU, or a software one, to calibrate.
    """
    readings = await look_around()  # before browsers of our own make load
    quiet = {"findings": findings_of(readings), "readings": readings.model_dump(mode="json")}
    browsers = [_unreachable(browser) for browser in catalog.browsers().values()]
    if not any(not_installed(backend) for backend in catalog.backends().values() if backend.side == "page"):
        from harness.execute.page import PageExecutor

        executor = PageExecutor(Probes(memory_of_tree))
        try:
            browsers = [await _ask(executor, browser, say) for browser in catalog.browsers().values()]
        finally:
            await executor.close()
    natives = await _ask_natives(say)
    platforms = _platforms(browsers, natives)
    machine = {**fingerprint(), "quiet": quiet}
    return {"machine": machine, "platforms": platforms, "browsers": browsers, "environments": environments()}


async def _ask_natives(say: Callable[[str], None]) -> dict[str, dict[str, str | None]]:
    """Backend → what each of its devices says of itself, asked of the library; none of what is not installed."""
    found = {}
    for backend in catalog.backends().values():
        if backend.side == "native" and not backend.for_tests and not not_installed(backend):
            say(f"asking {backend.name}")
            found[backend.name] = await devices_of(backend)
    return found


def _unreachable(browser: Browser) -> dict[str, Any]:
    reason = "what drives browsers is not installed; see the platforms that need one"
    return {**_about(browser), "outcome": "unsupported", "reason": reason}


def _about(browser: Browser) -> dict[str, Any]:
    """What is known of it without starting it; nothing of what it would say."""
    about = {"name": browser.name, "title": browser.title, "install": browser.install}
    return {**about, "limits": list(browser.limits), "provenance": None, "gpu_clocks": None}


async def _ask(executor: PageExecutor, browser: Browser, say: Callable[[str], None]) -> dict[str, Any]:
    say(f"asking {browser.name}")
    word = await executor.greet(browser)
    found = _about(browser)
    if isinstance(word, Hello):
        clocks = calibrated(word.provenance.get("calibration"))
        return {**found, "outcome": "ok", "reason": None, "provenance": word.provenance, "gpu_clocks": clocks}
    outcome = "unsupported" if isinstance(word, Refused) else "failed"
    return {**found, "outcome": outcome, "reason": word.reason}


def calibrated(told: Any) -> dict[str, Any] | None:
    """What a GPU's clocks make of a kernel of known cost, `once` and with `twice` the work; null without a GPU.

    `all_ms` and `verdict` as in a Case's clock; `twice_ms` in the same clock as the verdict: about twice as much, if it
    is any good. A page may say anything: what cannot be read is a reason.
    """
    if told is None:
        return None
    try:
        if set(told) == {"reason"}:
            return {"reason": str(told["reason"])}
        once, twice = ([Samples.model_validate(each) for each in told[name]] for name in ("once", "twice"))
        verdict, why = choose_clock([once], _finite(told["wait_floor_ns"]))
        doubled = per_run_ns(twice, verdict or "")
        return {
            "verdict": verdict,
            "why": why,
            "all_ms": medians_ms([once]),
            "twice_ms": ms(median(doubled)) if doubled else None,
            "wait_floor_ms": ms(_finite(told["wait_floor_ns"])),
            "right": told["right"] is True,
            "no_timestamps": told["no_timestamps"],
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return {"reason": f"what the page said of it cannot be read: {one_line(str(error), 200)}"}


def _finite(value: Any) -> float:
    if not math.isfinite(number := float(value)):
        raise ValueError(f"{number} is no duration")
    return number


def _platforms(browsers: list[dict[str, Any]], natives: dict[str, dict[str, str | None]]) -> list[dict[str, Any]]:
    """A row per platform, backend and browser; of a native backend one per device."""
    rows = []
    for platform, offers in catalog.platforms().items():
        for backend in offers:
            if backend.for_tests:
                continue
            reason = not_installed(backend)
            row: dict[str, Any] = {
                "platform": platform,
                "backend": backend.name,
                "browser": None,
                "available": not reason,
            }
            if reason:
                rows.append({**row, "reason": reason, "software": None})
                continue
            if backend.side == "native":
                for name, why_not in natives[backend.name].items():
                    if name.partition(":")[0] == platform:
                        told = {"platform": name, "available": why_not is None, "reason": why_not, "software": None}
                        rows.append({**row, **told})
                continue
            rows += [{**row, "browser": each["name"], **_mended(platform, each)} for each in browsers]
    return rows


def _mended(platform: str, browser: dict[str, Any]) -> dict[str, Any]:
    """Whether the platform is there, with what would fill the hole where it is not and the browser's record knows."""
    found = _in_browser(platform, browser)
    fill = catalog.browsers()[browser["name"]].fills.get(platform)
    if found["available"] or fill is None or browser["outcome"] != "ok":
        return found
    return {**found, "reason": f"{str(found['reason']).rstrip('.')}; {fill}"}


def _in_browser(platform: str, browser: dict[str, Any]) -> dict[str, Any]:
    """Whether the probe page found the platform there, in the browser's own words where it did not."""
    if browser["outcome"] != "ok":
        return {"available": False, "reason": browser["reason"], "software": None}
    said = browser["provenance"].get(platform)
    if platform == "wasm" or not isinstance(said, dict):
        return {"available": True, "reason": None, "software": None}
    if "contexts" in said:  # WebNN: the interface may be there and no context to be had
        made = any(answer.get("ok") for answer in said["contexts"].values())
        refusals = [answer.get("reason") for answer in said["contexts"].values() if not answer.get("ok")]
        return {"available": made, "reason": None if made else refusals[0], "software": None}
    available = bool(said.get("available", said.get("present")))
    return {"available": available, "reason": said.get("reason"), "software": said.get("software")}
