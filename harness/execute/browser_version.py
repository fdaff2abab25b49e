"""The version of the browser that a Round would find now, as far as it can be known without starting it."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from harness import catalog
from harness.core.asked import is_program
from harness.core.errors import Unsupported
from harness.core.nouns import UNKNOWN_VERSION
from harness.core.plugins import Browser
from harness.execute.embedded import embedded_package
from harness.execute.finding import program_of

_PATIENCE_S = 10.0


def version_without_starting(browser: Browser, headed: bool = False) -> str:
    """The place where it would be found and that place's version; UNKNOWN_VERSION where only the browser could tell.

    The places are tried in the drivers' order, `headed` without those that have no window. Playwright pins the builds
    it downloads, so its version names theirs. A program of somebody's own may be built anew under the same version: its
    bytes count as well.
    """
    if browser.driver == "attach":  # it comes by itself, and says then which it is
        return UNKNOWN_VERSION
    if browser.at is not None:
        if not is_program(browser.at):
            return f"{browser.package} {browser.at}"
        program = shutil.which(browser.at)
        return UNKNOWN_VERSION if program is None else f"{_said_by(Path(program))} sha256:{_sha256(Path(program))}"
    for place in browser.find:
        if "npm" in place and not headed:
            try:
                return f"{place['npm']} {embedded_package(place['npm'])[1]}"
            except Unsupported:
                continue
        if "playwright" in place:
            return f"playwright's {place['playwright']} {catalog.installed_version('playwright')}"
        if "path" in place and (found := program_of(place)) is not None:
            # A WebDriver tells nothing, and its browser would need a screen to be asked.
            return _said_by(found[0]) if found[1] is None else UNKNOWN_VERSION
        if "channel" in place:
            break
    return UNKNOWN_VERSION


def _sha256(program: Path) -> str:
    with program.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _said_by(program: Path) -> str:
    """What it prints when asked: `Mozilla Firefox 153.7.0esr`. On Windows browsers open a window instead."""
    if os.name == "nt":
        return UNKNOWN_VERSION
    try:
        asked = [str(program), "--version"]
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=_PATIENCE_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN_VERSION
    return answer.stdout.strip().splitlines()[0][:200] if answer.stdout.strip() else UNKNOWN_VERSION
