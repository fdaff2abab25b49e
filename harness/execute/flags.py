"""A browser's flags and preferences: what it always gets, and the set that brings a platform on this machine.

Of several sets the first is taken with which a probe page finds a real device; `PageExecutor` asks. The last one is
never asked for: it is what remains. A set for a real GPU is not even tried where there is no graphics device: such a
set hung for over 35 s there.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.core.plugins import Browser, FlagSet

# Chromium believes only the last of such a flag.
_LISTS = ("--enable-features", "--disable-features", "--enable-blink-features")
# Linux's nodes of graphics devices; WSL has one of its own. Elsewhere every machine has some.
_DEVICES = ("dri/renderD*", "nvidia[0-9]*", "dxg")


def has_gpu(devices: Path = Path("/dev")) -> bool:
    """Whether the system shows a graphics device. Not whether a browser can use it."""
    return sys.platform != "linux" or any(True for pattern in _DEVICES for _ in devices.glob(pattern))


def candidates(browser: Browser, platform: str) -> tuple[FlagSet, ...]:
    """The sets that may bring the platform here, the preferred first."""
    fitting = [each for each in browser.flag_sets.get(platform, ()) if sys.platform in each.systems]
    return tuple(each for each in fitting if not each.needs_gpu or has_gpu())


def not_tried(browser: Browser, platform: str) -> dict[str, str]:
    """Set → why it is no candidate here."""
    chosen = {each.name for each in candidates(browser, platform)}
    left_out = [each for each in browser.flag_sets.get(platform, ()) if each.name not in chosen]
    return {
        each.name: "there is no graphics device here" if sys.platform in each.systems else f"not for {sys.platform}"
        for each in left_out
    }


def with_set(browser: Browser, platform: str, chosen: FlagSet) -> Browser:
    """The browser with this set as its only one for the platform."""
    return browser.model_copy(update={"flag_sets": {**browser.flag_sets, platform: (chosen,)}})


def platform_args(browser: Browser, platform: str | None) -> list[str]:
    """The browser's flags for a platform; for None (a probe) those of every platform."""
    return _merged([*browser.args, *(flag for each in _sets(browser, platform) for flag in each.args)])


def platform_preferences(browser: Browser, platform: str | None) -> dict[str, bool | int | str]:
    """The browser's preferences for a platform; for None (a probe) those of every platform."""
    more: dict[str, Any] = {}
    for each in _sets(browser, platform):
        more |= each.preferences
    return {**browser.preferences, **more}


def is_real(platform: str, provenance: Mapping[str, Any]) -> str | None:
    """Why what a probe page found is not the platform on a real device; None where it is."""
    said = provenance.get(platform)
    if not isinstance(said, Mapping):
        return f"the page said nothing of {platform}"
    if not said.get("available", said.get("present")):
        return str(said.get("reason"))
    return "only a software adapter" if said.get("software") else None


def _sets(browser: Browser, platform: str | None) -> list[FlagSet]:
    names = list(browser.flag_sets) if platform is None else [platform]
    return [found[0] for name in names if (found := candidates(browser, name))]


def _merged(flags: Iterable[str]) -> list[str]:
    """Each once; lists of features as one flag, at the place of the first."""
    merged: dict[str, list[str]] = {}
    for flag in flags:
        name, _, value = flag.partition("=")
        key = name if name in _LISTS else flag
        merged.setdefault(key, []).extend(value.split(",") if name in _LISTS else [])
    return [f"{key}={','.join(dict.fromkeys(values))}" if values else key for key, values in merged.items()]
