"""What is kept of a Round for a person's eyes before its browser ends: a picture of a failure, the traces.

All of it within bounds, and none of it is needed: a page that hangs or a driver that died costs it, not the Round.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.events import Alive, Event, Failed, Note
from harness.execute.drivers import Limits, Tab
from harness.execute.executor import Assignment
from harness.execute.seeing import Seeing

_LOOK_AGAIN_S = 0.25
_NEARLY = 0.9  # of a silence: the watchdog's clock started a little earlier than ours, or later
_NO_TRACE = "no trace: a browser that is driven over WebDriver gives none"


@dataclass
class Look:
    """One Round of one Tab, under the eyes of whoever asked to see it."""

    seeing: Seeing
    tab: Tab
    assignment: Assignment
    limits: Limits
    _traced: bool = field(default=False, init=False)
    _ended: bool = field(default=False, init=False)
    _moved_at: float = field(default_factory=lambda: asyncio.get_running_loop().time(), init=False)

    def heard(self, event: Event) -> None:
        """Whatever is a step forward, by the watchdog's rule."""
        if not isinstance(event, Alive | Note):
            self._moved_at = asyncio.get_running_loop().time()
        elif isinstance(event, Note) and event.data.get("paused") is True:
            self.seeing.say("paused before the first iteration: press Continue in the window (Ctrl-C ends the run)")

    async def before(self, last: Event) -> list[Note]:
        """Look before the page's last word is passed on; gives what is to be said of it."""
        self._ended = True
        if isinstance(last, Failed):
            await self._photograph()
        return await self._write_trace()

    async def finish(self) -> None:
        """For a Round that was ended from outside: nobody listens any more, but what it shows is worth having.

        Whoever pressed Ctrl-C does not want a picture; whoever waited in vain for the page does.
        """
        waited_s = asyncio.get_running_loop().time() - self._moved_at
        if not self._ended and waited_s >= _NEARLY * self.assignment.silence_limit_s:
            await self._photograph()
        await self._write_trace()

    async def _photograph(self) -> None:
        """The page as it looks now, in a file that has the Round's name; none where it does not answer."""
        folder = self.seeing.screenshots
        if folder is None or self.tab.photograph is None or not self.tab.has_process():
            return
        with contextlib.suppress(Exception):
            async with asyncio.timeout(self.limits.picture_s):
                picture = await self.tab.photograph()
            folder.mkdir(parents=True, exist_ok=True)
            picture_of(folder, self.assignment.round_id).write_bytes(picture)

    async def _write_trace(self) -> list[Note]:
        if self.seeing.trace is None or self._traced:
            return []
        self._traced = True
        if self.tab.trace is None:
            self.seeing.say(_NO_TRACE)
            return [Note(kind="warning", text=_NO_TRACE)]
        trace = self.tab.trace
        stem = self.seeing.trace_stem(self.assignment.case.slug, self.assignment.number)
        await trace.write(stem, self.limits.trace_s)
        files = [str(file) for file in trace.files]
        self.seeing.say(f"traced: {', '.join(files) or 'nothing'}")
        found = {"trace": {"files": files, "missing": trace.missing}}
        notes = [Note(kind="provenance", text="traced", data=found)]
        if not files:
            reasons = "; ".join(f"{name}: {why}" for name, why in trace.missing.items())
            notes.append(Note(kind="warning", text=f"no trace was written: {reasons}"))
        return notes


def picture_of(folder: Path, round_id: str) -> Path:
    """Where the picture of a failed Round lies, if there is one."""
    return folder / f"{round_id}.png"


async def until_closed(tab: Tab) -> None:
    """Wait for a person to close the window, or for its browser to end."""
    while True:
        if not tab.has_process() or tab.is_open is None or not await tab.is_open():
            return
        await asyncio.sleep(_LOOK_AGAIN_S)
