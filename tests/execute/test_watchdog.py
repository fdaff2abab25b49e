"""What gets nowhere is ended, and whoever did the work is told so by the closing of its generator."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from harness.core.events import Alive, Event, Failed, Hello, Note, Phase
from harness.execute.watchdog import watched

HELLO = Hello(protocol=1, side="native", runtime={}, provenance={})
MOVES = Phase(phase="load", duration_ns=1)


async def speak(script: Sequence[tuple[float, Event]], closed: list[bool]) -> AsyncGenerator[Event, None]:
    """Each Event after a pause, then silence."""
    try:
        for pause_s, event in script:
            await asyncio.sleep(pause_s)
            yield event
        await asyncio.sleep(600)
    finally:
        closed.append(True)


def hear(
    script: Sequence[tuple[float, Event]], silence_limit_s: float, may_pause: bool = False
) -> tuple[list[Event], list[bool]]:
    async def listen() -> list[Event]:
        return [event async for event in watched(speak(script, closed), silence_limit_s, may_pause=may_pause)]

    closed: list[bool] = []
    return asyncio.run(listen()), closed


def test_silence_ends_it() -> None:
    heard, closed = hear([(0, HELLO)], 0.2)
    assert heard == [HELLO, Failed(code="silence", reason="no progress for 0.2 s, so it was ended")]
    assert closed == [True]


@pytest.mark.parametrize("event", [Alive(), Note(kind="progress", text="still here")])
def test_signs_of_life_are_no_progress(event: Event) -> None:
    heard, closed = hear([(0, HELLO), *[(0.05, event)] * 100], 0.3)
    assert isinstance(heard[-1], Failed) and heard[-1].code == "silence"
    assert 1 < heard.count(event) < 100
    assert closed == [True]


def test_while_a_person_looks_nobody_is_ended_and_afterwards_the_limits_count_again() -> None:
    paused, goes_on = (Note(kind="progress", text="", data={"paused": each}) for each in (True, False))
    script: list[tuple[float, Event]] = [(0, HELLO), (0, paused), (0.9, MOVES), (0.9, goes_on), (0, MOVES)]
    heard, closed = hear(script, 0.2, may_pause=True)
    assert heard[:-1] == [HELLO, paused, MOVES, goes_on, MOVES], "1.8 s: longer than a silence, and than the whole"
    assert heard[-1] == Failed(code="silence", reason="no progress for 0.2 s, so it was ended")
    assert closed == [True]


def test_a_page_that_was_not_asked_to_wait_cannot_stop_the_clock() -> None:
    paused = Note(kind="progress", text="", data={"paused": True})
    heard, _ = hear([(0, HELLO), (0, paused), (600, MOVES)], 0.2)
    assert heard == [HELLO, paused, Failed(code="silence", reason="no progress for 0.2 s, so it was ended")]


def test_progress_without_end_is_ended_as_well() -> None:
    heard, closed = hear([(0, HELLO), *[(0.05, MOVES)] * 1000], 0.2)
    assert isinstance(heard[-1], Failed) and heard[-1].code == "timeout"
    assert closed == [True]


def test_what_ends_by_itself_is_left_alone() -> None:
    async def two() -> AsyncGenerator[Event, None]:
        yield HELLO
        yield MOVES

    async def listen() -> list[Event]:
        return [event async for event in watched(two(), 5)]

    assert asyncio.run(listen()) == [HELLO, MOVES]


def test_leaving_early_closes_it() -> None:
    async def leave() -> None:
        events = watched(speak([(0, HELLO)], closed), 5)
        async for _ in events:
            break
        await events.aclose()

    closed: list[bool] = []
    asyncio.run(leave())
    assert closed == [True]
