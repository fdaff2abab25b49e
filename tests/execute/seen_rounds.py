"""Rounds under a person's eyes, on a screen that nobody sees; and that person's hands, in two drivers."""

import asyncio
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import catalog
from harness.core.events import Conversation, Event, Note
from harness.execute.executor import Assignment
from harness.execute.page import PageExecutor
from harness.execute.screen import Screen
from harness.execute.seeing import Seeing
from tests.execute.page_rounds import browser_with, do_round, make_seeing_executor, processes

Look = Callable[[Event, PageExecutor], Any]


class Viewing:
    """A screen and an event loop; each `round` has an executor of its own, of which nothing is left."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self._runner = asyncio.Runner()
        self._screen = Screen(30)

    def show(self) -> None:
        """From now on there is a display."""
        for name, value in self._runner.run(self._screen.environment()).items():
            self._patch.setenv(name, value)

    def round(
        self, assignment: Assignment, seeing: Seeing, look: Look | None = None, silence_s: float = 60, **limits: float
    ) -> tuple[list[Event], Conversation]:
        return self.rounds([assignment], seeing, look, silence_s, **limits)[0]

    def rounds(
        self, assignments: list[Assignment], seeing: Seeing, look: Look | None = None, silence_s: float = 60,
        **limits: float,
    ) -> list[tuple[list[Event], Conversation]]:  # fmt: skip
        async def all_of_them() -> list[tuple[list[Event], Conversation]]:
            executor = make_seeing_executor(seeing, **limits)
            try:
                return [await do_round(executor, each, look, silence_s) for each in assignments]
            finally:
                await executor.close()

        heard = self._runner.run(all_of_them())
        assert not processes(), "nothing is left open"
        return heard

    def run(self, work: Any) -> Any:
        return self._runner.run(work)

    def close(self) -> None:
        self._runner.run(self._screen.close())
        self._runner.close()


def use(patch: pytest.MonkeyPatch, *browsers: str) -> None:
    """These browsers of the catalogue, with no flags to be chosen from."""
    known = {name: browser_with(name=name) for name in browsers}
    patch.setattr(catalog, "browsers", lambda: known)


def started_in(executor: PageExecutor) -> Any:
    """The browser that runs."""
    (driver,) = executor._drivers.values()
    (started,) = driver._open.values()  # type: ignore[attr-defined]
    return started


async def press_continue(executor: PageExecutor) -> list[str]:
    """As a person does: the button, and, where a debugger stops behind it, its own. Gives the addresses of DevTools."""
    started = started_in(executor)
    if hasattr(started, "service"):  # Selenium's
        await asyncio.to_thread(lambda: started.session.find_element("id", "continue").click())
        return []
    (page,) = started.context.pages
    if started.session is None:
        await page.click("#continue")
        return []
    targets = (await started.session.send("Target.getTargets"))["targetInfos"]
    debugger = await started.context.new_cdp_session(page)
    stopped = asyncio.get_running_loop().create_future()
    debugger.on("Debugger.paused", lambda how: None if stopped.done() else stopped.set_result(how))
    await debugger.send("Debugger.enable")
    clicking = asyncio.ensure_future(page.click("#continue"))
    how = await stopped
    frame = how["callFrames"][0]
    await debugger.send("Debugger.resume")
    await clicking
    await debugger.detach()
    return [*(target["url"] for target in targets if target["url"].startswith("devtools:")), frame["functionName"]]


def notes_of(events: list[Event], kind: str) -> list[Note]:
    return [event for event in events if isinstance(event, Note) and event.kind == kind]


def provenance_of(events: list[Event]) -> dict[str, Any]:
    return {key: value for note in notes_of(events, "provenance") for key, value in note.data.items()}


def colours_in(png: Path) -> int:
    """How many different bytes its picture has, of one colour only a few: filters leave zeros."""
    content = png.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    at, data = 8, b""
    while at < len(content):
        length = int.from_bytes(content[at : at + 4])
        if content[at + 4 : at + 8] == b"IDAT":
            data += content[at + 8 : at + 8 + length]
        at += 12 + length
    return len(set(zlib.decompress(data)))
