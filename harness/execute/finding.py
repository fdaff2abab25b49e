"""Where a browser is on this machine: the places that its record names, in their order."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.core.asked import is_program, why_not_at
from harness.core.errors import Unsupported
from harness.core.plugins import Browser
from harness.execute.embedded import embedded_package, find_embedded


@dataclass(frozen=True)
class Found:
    """A browser that is there, or that its driver knows how to find; and the environment it is started in."""

    program: Path | None  # None: Playwright's own build, or the product of a channel
    environment: dict[str, str]
    channel: str | None = None
    binary: Path | None = None  # the browser whose WebDriver `program` is
    passed_over: tuple[str, ...] = ()  # places that come first, and why it is not from there


_NO_WINDOW = "the embedded build has no window; one that has: --browser chromium-system"


def find(browser: Browser, headed: bool = False) -> Found:
    """The first place that holds it, or what was asked for by version or path (`browser.at`).

    Raises Unsupported with what was looked for, and how to install it. `headed`: that holds one with a window; what has
    none is passed over.
    """
    own = browser.root_environment if _is_root() else {}
    environment = {**os.environ, **own}
    if browser.at is not None:
        return _find_asked(browser, headed, environment, own)
    reasons: list[str] = []
    for place in browser.find:
        if "playwright" in place:
            return Found(None, environment, passed_over=tuple(reasons) if headed else ())
        if "channel" in place:
            return Found(None, environment, place["channel"])
        if "npm" in place:
            try:
                if headed:
                    embedded_package(place["npm"])
                    reasons.append(_NO_WINDOW)
                    continue
                program, its_own = find_embedded(place["npm"])
                return Found(program, {**its_own, **own})
            except Unsupported as error:
                reasons.append(str(error))
        elif (found := program_of(place)) is not None:
            return Found(found[0], environment, binary=found[1])
        else:
            reasons.append(f"no {place.get('binary', place['path'])}")
    raise not_here(browser, "; ".join(dict.fromkeys(reasons)))


def at_version(browser: Browser, at: str | None) -> Browser:
    """The browser in the version, or as the program, that was asked for; None leaves it as it is."""
    return browser if at is None else browser.model_copy(update={"at": at})


def _find_asked(browser: Browser, headed: bool, environment: dict[str, str], own: dict[str, str]) -> Found:
    at = browser.at or ""
    if (reason := why_not_at(browser, at)) is not None:
        raise Unsupported(reason)
    if is_program(at):
        program = shutil.which(at)
        if program is None:
            raise Unsupported(f"{at} is no program that can be started here")
        return Found(Path(program), environment)
    if headed:
        raise Unsupported(_NO_WINDOW)
    assert browser.package is not None  # else there is a reason why not
    program_there, its_own = find_embedded(browser.package, at)
    return Found(program_there, {**its_own, **own})


def not_here(browser: Browser, why: str) -> Unsupported:
    return Unsupported(f"there is no {browser.name} here ({why}): {browser.install}")


def program_of(place: dict[str, str]) -> tuple[Path, Path | None] | None:
    """The program at a `path` place, and the browser whose WebDriver it is; None where they are not there."""
    program = shutil.which(place["path"])
    if program is None:
        return None
    if "binary" not in place:
        return Path(program), None
    binaries = sorted(Path("/").glob(place["binary"].lstrip("/")))
    return (Path(program), binaries[-1]) if binaries else None


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
