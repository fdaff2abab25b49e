"""--headed, --pause, --keep-open, --trace: to look at a Round while it runs, and what forbids it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.core.errors import UserMistake
from harness.execute.seeing import Seeing

if TYPE_CHECKING:
    from harness.core.nouns import Plan

_SEEING = [
    click.option("--headed", is_flag=True, help="Browsers in windows on your screen, not out of sight."),
    click.option(
        "--pause", is_flag=True, help="Wait in the page before the first iteration, DevTools open; with --headed."
    ),
    click.option("--keep-open", is_flag=True, help="A round's window stays until you close it; with --headed."),
    click.option(
        "--trace",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Per round FILE.<case>.<number>.zip (playwright show-trace) and, of Chromium, .json (DevTools, Perfetto).",
    ),
]


def seeing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """All four; `take_seeing` takes them out of the options again."""
    for option in reversed(_SEEING):
        command = option(command)
    return command


def take_seeing(options: dict[str, Any]) -> Seeing:
    """What was asked to be seen, out of the options. Raises UserMistake before anything is started: needs_headed,
    no_display, bad_trace."""
    trace: Path | None = options.pop("trace")
    asked = Seeing(
        headed=options.pop("headed"),
        pause=options.pop("pause"),
        keep_open=options.pop("keep_open"),
        trace=None if trace is None else _writable(Path.cwd() / trace.expanduser()),
    )
    for flag, given in (("--pause", asked.pause), ("--keep-open", asked.keep_open)):
        if given and not asked.headed:
            raise UserMistake("needs_headed", f"{flag} is for a window that you can see", f"add --headed to {flag}")
    if asked.headed and sys.platform == "linux" and not _has_display():
        message = "there is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set), so nothing can be --headed"
        raise UserMistake("no_display", message, "a virtual one: xvfb-run -a harness …")
    return asked


def once(seeing: Seeing, asked: dict[str, Any]) -> dict[str, Any]:
    """One Round where a person has to do something in each of them, unless a number was given."""
    by_hand = seeing.pause or seeing.keep_open
    return {"rounds": 1, **asked} if by_hand else asked


def refuse_to_show_nothing(seeing: Seeing, plan: Plan) -> None:
    """Raises UserMistake, nothing_to_see, where no Case is one that could be looked at."""
    if seeing.told() and not any(point.case.browser for point in plan.cases):
        message = "no case runs in a browser, so there is nothing to be seen or traced"
        raise UserMistake("nothing_to_see", message, "one that does: --hardware wasm")


def _has_display() -> bool:
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _writable(file: Path) -> Path:
    folder = file.parent
    if not folder.is_dir():
        raise UserMistake("bad_trace", f"--trace: there is no folder {folder}", "make it, or name another")
    if not os.access(folder, os.W_OK):
        raise UserMistake("bad_trace", f"--trace: nothing can be written to {folder}", "name another folder")
    return file
