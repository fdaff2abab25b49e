"""Ends what gets nowhere: the Events of a Round, and a last word of our own where they stop coming."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from harness.core.events import Alive, Event, Failed, Note

# A Round's phases that may each be as long as a silence: runtime, prepare, load, first, warm, sample.
_PHASES = 6


async def watched(
    events: AsyncGenerator[Event, None], silence_limit_s: float, slice_s: float = 0.0, may_pause: bool = False
) -> AsyncGenerator[Event, None]:
    """The same Events; `failed: silence` after so long without progress, `failed: timeout` when the whole takes longer
    than a Round ever may. Closing the generator is what ends its worker or browser.

    `alive` and notes say that somebody is there, not that the work gets on: a runtime that never answers must not be
    waited for because its page still ticks. But for a person it is waited, as long as a note says `paused`, if that was
    asked for (`may_pause`): a page must not stop the clock by itself.
    """
    loop = asyncio.get_running_loop()
    whole_s = slice_s + _PHASES * silence_limit_s
    ends_at, moved_at = loop.time() + whole_s, loop.time()
    paused_at: float | None = None
    async with aclosing(events):
        while True:
            try:
                async with asyncio.timeout_at(min(moved_at + silence_limit_s, ends_at) if paused_at is None else None):
                    event = await anext(events)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if loop.time() < ends_at:
                    yield Failed(code="silence", reason=f"no progress for {silence_limit_s:g} s, so it was ended")
                else:
                    yield Failed(code="timeout", reason=f"not done after {whole_s:g} s, so it was ended")
                return
            if may_pause and isinstance(event, Note) and event.kind == "progress" and "paused" in event.data:
                if paused_at is not None:
                    ends_at += loop.time() - paused_at
                paused_at = loop.time() if event.data["paused"] is True else None
                moved_at = loop.time()
            elif not isinstance(event, Alive | Note):
                moved_at = loop.time()
            yield event
