"""A browser that dies, is absent or does not start: the right outcome, and nothing of it left for the next Round."""

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from harness import catalog
from harness.core.events import Conversation, Done, Event, Failed, Hello, Refused, Samples
from harness.execute.drivers import Tab
from harness.execute.executor import Assignment, Probes
from harness.execute.page import PageExecutor
from harness.measure.host import memory_of_tree
from tests.execute.page_rounds import assign, processes


async def do_rounds(assignment: Assignment, meddle: Any = None, times: int = 1) -> list[list[Event]]:
    executor = PageExecutor(Probes(memory_of_tree))
    heard: list[list[Event]] = []
    try:
        for _ in range(times):
            events = []
            stream = executor.execute(assignment)
            async for event in stream:
                events.append(event)
                if meddle is not None and not heard:
                    meddle(event)
                if isinstance(event, Done | Failed | Refused):
                    break
            await stream.aclose()
            assert not processes(), "the browser of a Round has ended when the next may begin"
            heard.append(events)
    finally:
        await executor.close()
    return heard


def test_a_browser_that_is_killed_fails_its_round_and_the_next_has_a_healthy_one(tmp_path: Path) -> None:
    def kill(event: Event) -> None:
        if isinstance(event, Hello):
            for process in processes():
                process.kill()

    first, second = asyncio.run(do_rounds(assign(tmp_path, duration_us="20000"), kill, times=2))
    assert isinstance(first[-1], Failed) and first[-1].code == "browser_ended"
    assert isinstance(second[-1], Done)


def test_a_failure_comes_in_the_pages_words(tmp_path: Path) -> None:
    (events,) = asyncio.run(do_rounds(assign(tmp_path, fail="load_failed")))
    assert isinstance(events[-1], Failed) and events[-1].code == "load_failed"


def test_a_round_that_profiles_has_other_samples_than_one_that_times(tmp_path: Path) -> None:
    profiling = dataclasses.replace(assign(tmp_path, duration_us="2000"), purpose="profile")
    (events,) = asyncio.run(do_rounds(profiling))
    conversation = Conversation()
    for event in events:
        conversation.accept(event)
    assert conversation.last == Done(stopped_by="profiled")
    phases = [event.phase for event in events if isinstance(event, Samples)]
    # One by one, which is the sign of life of a slow model; as many without the profiler before as after.
    before, after = phases[: phases.index("profiled")], phases[phases.index("profiled") + 1 :]
    assert set(after) == {"unprofiled"} and before == ["warm"] * before.count("warm") + after


def test_a_browser_that_is_absent_is_unsupported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = catalog.browsers()["chromium"].model_copy(update={"find": ({"npm": "no-such-package"},)})
    monkeypatch.setattr(catalog, "browsers", lambda: {"chromium": absent})
    (events,) = asyncio.run(do_rounds(assign(tmp_path)))
    assert isinstance(events[-1], Refused) and "no-such-package" in events[-1].reason


def test_a_browser_that_does_not_start_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr("harness.execute.finding.find_embedded", lambda package: (broken, {}))
    (events,) = asyncio.run(do_rounds(assign(tmp_path)))
    assert isinstance(events[-1], Failed) and events[-1].code == "browser_start"


async def test_of_a_console_the_first_lines_are_kept_and_of_those_the_beginning() -> None:
    tab = Tab(provenance={}, pid=None)
    room = [tab.hear(f"{number} ".ljust(10_000_000, "x")) for number in range(22)]
    assert [line.split()[0] for line in tab.console] == [str(number) for number in range(20)]
    assert {len(line) for line in tab.console} == {1000}
    assert room == [*[True] * 19, False, False, False]
