"""How a Round is looked at: in a window, paused, kept open, traced, photographed when it fails.

No part of a Case, since it is not what is measured. But it does something to what is measured: so `told` goes into
every Round's provenance, and from there into the doubts.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line has this before it has anything to measure with
    from harness.core.events import CaseMessage
    from harness.core.plugins import Browser

# Chromium opens them by itself, and only then does a `debugger` statement stop. Firefox opens them with no flag: its
# `-devtools` is for a window that a driven Firefox does not use. WebKitGTK's can only be opened by hand.
_DEVTOOLS = {"chromium": ("--auto-open-devtools-for-tabs",)}
_NO_FILE_NAME = re.compile(r"[^\w.=@+-]+")
_LONGEST_NAME = 120


@dataclass(frozen=True)
class Seeing:
    """What a person asked to see; `say` tells that person something while it works."""

    headed: bool = False
    pause: bool = False
    keep_open: bool = False
    trace: Path | None = None  # FILE, as it was typed
    screenshots: Path | None = None  # the folder; None: of failures no picture is kept
    say: Callable[[str], None] = lambda text: None

    def told(self) -> dict[str, bool]:
        """What is otherwise than when nobody looks; empty when nobody does."""
        ways = {"headed": self.headed, "paused": self.pause, "traced": self.trace is not None}
        return {way: True for way, taken in ways.items() if taken}

    def message(self, message: CaseMessage) -> CaseMessage:
        """The page's order, with the pause where one was asked for; a rehearsal's first iteration is nobody's."""
        return message.model_copy(update={"pause": self.pause and message.rehearse_for is None})

    def args(self, browser: Browser) -> tuple[str, ...]:
        """More flags for the browser."""
        return _DEVTOOLS.get(browser.engine, ()) if self.pause else ()

    def environment(self) -> dict[str, str]:
        """What lets a browser whose home is elsewhere onto the user's screen: the key lies in the real home."""
        if not self.headed or sys.platform != "linux" or "XAUTHORITY" in os.environ:
            return {}
        return {"XAUTHORITY": str(Path.home() / ".Xauthority")}

    def trace_stem(self, slug: str, number: int) -> Path:
        """FILE without its ending, and which Round it is: `FILE.bert-fp32-…-wasm-chromium.1`, with a further number
        where there are such files already. `.zip` and `.json` go behind it."""
        assert self.trace is not None
        file = self.trace.with_suffix("") if self.trace.suffix in (".zip", ".json") else self.trace
        stem = f"{file.name}.{_NO_FILE_NAME.sub('-', slug)[:_LONGEST_NAME]}.{number}"
        taken, again = stem, 1
        while any(file.with_name(taken + ending).exists() for ending in (".zip", ".json")):
            again += 1
            taken = f"{stem}-{again}"
        return file.with_name(taken)


NOBODY = Seeing()
