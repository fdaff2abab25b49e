"""What a page leaves behind when its model is loaded and disposed of again and again: seen in every engine."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from harness.core.events import Done, Event, Note
from harness.metrics.leak_mb_per_load import AFTER, BEFORE
from tests.execute.page_rounds import assign, do_round, make_executor

LOADS = 5


def growth_mb(folder: Path, browser: str, **options: Any) -> float:
    async def once() -> list[Event]:
        executor = make_executor()
        try:
            events, _ = await do_round(executor, assign(folder, backend="faulty_web", browser=browser, **options))
            return events
        finally:
            await executor.close()

    events = asyncio.run(once())
    assert isinstance(events[-1], Done), events[-1]
    memory = {
        key: size for event in events if isinstance(event, Note) and event.kind == "memory"
        for key, size in event.data.items()
    }  # fmt: skip
    leaks = next(event.data["leaks"] for event in events if isinstance(event, Note) and "leaks" in event.data)
    assert leaks["loads"] == LOADS and len(leaks["held"]) == LOADS + 1
    return float(memory[AFTER] - memory[BEFORE]) / LOADS / 1e6


@pytest.mark.long
@pytest.mark.parametrize("browser", ["chromium", "firefox", "webkitgtk"])
def test_a_leak_is_seen_and_its_absence_too(tmp_path: Path, browser: str) -> None:
    assert 30 < growth_mb(tmp_path, browser, leak_check=str(LOADS), leak_mb="40") < 60
    assert growth_mb(tmp_path, browser, leak_check=str(LOADS)) < 15
