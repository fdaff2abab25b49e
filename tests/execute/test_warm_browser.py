"""A browser that is kept for the next Round: the same process, another page, and thrown away after any trouble."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness import catalog
from harness.catalog import ROOT
from harness.core.events import Done, Event, Failed, Hello, Note, Phase
from harness.execute.executor import Assignment, Probes
from harness.execute.page import PageExecutor
from harness.measure.host import memory_of_tree, reset_peaks_of_tree
from tests.execute.page_rounds import LONG, SHORT, assign, browser_with, do_round, driver, make_executor, processes


class Seen:
    """Which processes served a Round, and what it said."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.root = 0
        self.renderers: set[int] = set()

    def __call__(self, event: Event, _: PageExecutor) -> None:
        if isinstance(event, Phase) and event.phase == "first":
            self.renderers = {each.pid for each in processes("renderer")}

    def said(self, kind: str) -> dict[str, Any]:
        return {
            key: value
            for event in self.events
            if isinstance(event, Note) and event.kind == kind
            for key, value in event.data.items()
        }


def warm(folder: Path, isolation: str = "zygote", **options: Any) -> Assignment:
    policy = LONG if "fault" in options else SHORT
    assignment = assign(folder, policy, backend="faulty_web", duration_us="1000", **options)
    return replace(assignment, case=assignment.case.model_copy(update={"isolation": isolation}))


def serve(
    *assignments: Assignment,
    executor: Callable[[], PageExecutor] = make_executor,
    between: Callable[[], None] = lambda: None,
    silence_limit_s: float = 60,
) -> list[Seen]:
    """Rounds after each other in one executor; nothing is left of it afterwards."""

    async def all_of_them() -> list[Seen]:
        opened, found = executor(), []
        try:
            for assignment in assignments:
                seen = Seen()
                seen.events, _ = await do_round(opened, assignment, seen, silence_limit_s)
                driver_ = opened._drivers["playwright"]
                kept = list(driver_._kept.values())  # type: ignore[attr-defined]
                assert [each.pid for each in processes()] == [each.pid for each in kept]
                assert not processes("renderer"), "no page is kept"
                seen.root = kept[-1].pid if kept else 0
                found.append(seen)
                between()
        finally:
            await opened.close()
        return found

    before = psutil.Process().children(recursive=True)
    found = asyncio.run(all_of_them())
    assert psutil.Process().children(recursive=True) == before
    return found


def test_two_rounds_share_a_browser_and_no_page(tmp_path: Path) -> None:
    first, second = serve(warm(tmp_path), warm(tmp_path))
    assert isinstance(second.events[-1], Done)
    assert first.root == second.root != 0
    assert first.renderers and second.renderers and not first.renderers & second.renderers
    assert [each.said("provenance")["browser"]["rounds_before"] for each in (first, second)] == [0, 1]
    assert {each.said("provenance")["isolation"] for each in (first, second)} == {"zygote"}


def test_isolated_rounds_share_nothing_and_a_kept_browser_serves_none_of_them(tmp_path: Path) -> None:
    kept, isolated, again = serve(warm(tmp_path), warm(tmp_path, "process"), warm(tmp_path))
    assert isolated.said("provenance")["isolation"] == "process"
    assert isolated.said("provenance")["browser"]["rounds_before"] == 0
    assert kept.root == isolated.root == again.root != 0, "it waited beside the isolated Round's own"
    assert again.said("provenance")["browser"]["rounds_before"] == 1


@pytest.mark.long
def test_each_isolated_round_has_a_browser_of_its_own(tmp_path: Path) -> None:
    roots: list[int] = []

    class Roots(Seen):
        def __call__(self, event: Event, _: PageExecutor) -> None:
            if isinstance(event, Hello):
                roots.extend(each.pid for each in processes())

    async def two() -> None:
        executor = make_executor()
        for _ in range(2):
            await do_round(executor, warm(tmp_path, "process"), Roots())
            assert not processes()
        await executor.close()

    asyncio.run(two())
    assert len(set(roots)) == 2


FAULTS = ("cut_for_good", "lost_webgpu", "hang", "garbage", "reload")


@pytest.mark.parametrize("fault", ["timer_error", *(pytest.param(each, marks=pytest.mark.long) for each in FAULTS)])
def test_after_any_trouble_the_next_round_has_a_fresh_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    chromium = browser_with()
    monkeypatch.setattr(catalog, "browsers", lambda: {"chromium": chromium})
    rounds = (warm(tmp_path), warm(tmp_path, fault=fault, at="load"), warm(tmp_path))
    before, troubled, after = serve(*rounds, executor=lambda: make_executor(link_s=1.0), silence_limit_s=4)
    assert troubled.said("provenance")["browser"]["rounds_before"] == 1
    assert isinstance(troubled.events[-1], Failed) and troubled.root == 0
    assert after.said("provenance")["browser"]["rounds_before"] == 0 and after.root != before.root
    assert isinstance(after.events[-1], Done)


@pytest.mark.parametrize("what", ["browser", pytest.param("driver", marks=pytest.mark.long)])
def test_a_kept_browser_that_died_while_idle_is_replaced(tmp_path: Path, what: str) -> None:
    def kill() -> None:
        for process in [driver()] if what == "driver" else processes():
            process.kill()
            process.wait()

    first, second = serve(warm(tmp_path), warm(tmp_path), between=kill)
    assert isinstance(second.events[-1], Done) and second.root != first.root
    assert second.said("provenance")["browser"]["rounds_before"] == 0


@pytest.mark.long
def test_browsers_are_kept_by_their_flags_and_only_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = make_executor()

    async def four() -> list[int]:
        counts = []
        for number in range(4):
            chromium = browser_with(f"--js-flags=--random-seed={number}")
            monkeypatch.setattr(catalog, "browsers", lambda chromium=chromium: {"chromium": chromium})
            events, _ = await do_round(executor, warm(tmp_path))
            assert isinstance(events[-1], Done)
            counts.append(len(processes()))
        await executor.close()
        return counts

    assert asyncio.run(four()) == [1, 2, 3, 3]


@pytest.mark.parametrize("can_reset", [True, False])
def test_a_peak_of_an_earlier_round_is_not_given_as_this_ones(tmp_path: Path, can_reset: bool) -> None:
    asked: list[int] = []

    def reset(pid: int) -> bool:
        asked.append(pid)
        return can_reset and reset_peaks_of_tree(pid)

    first, second = serve(warm(tmp_path), warm(tmp_path), executor=lambda: PageExecutor(Probes(memory_of_tree, reset)))
    assert asked == [first.root], "the first Round's peaks are its own"
    assert "tree_hwm_rss" in first.said("memory")
    assert ("tree_hwm_rss" in second.said("memory")) is can_reset and "tree_pss" in second.said("memory")


# A conductor between two Rounds, with a browser that waits for the next.
CONDUCTOR = """
import asyncio, sys
from pathlib import Path
from harness.cli.running import carry_out, leaving_nothing
from tests.execute.page_rounds import do_round, make_executor, processes
from tests.execute.test_warm_browser import warm

async def wait_for_ever():
    executor = make_executor()
    try:
        await do_round(executor, warm(Path(sys.argv[1])))
        print(len(processes()), flush=True)
        await asyncio.sleep(600)
    finally:
        await executor.close()

try:
    with leaving_nothing():
        carry_out(wait_for_ever())
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals end processes otherwise on Windows")
@pytest.mark.parametrize(
    "number", ["SIGKILL", *(pytest.param(each, marks=pytest.mark.long) for each in ("SIGINT", "SIGTERM"))]
)
def test_a_kept_browser_does_not_outlive_the_conductor(tmp_path: Path, number: str) -> None:
    temporary = tmp_path / "t"
    temporary.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", CONDUCTOR, str(tmp_path)],
        stdout=subprocess.PIPE, text=True, start_new_session=True, cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as conductor:  # fmt: skip
        try:
            assert conductor.stdout and conductor.stdout.readline() == "1\n"
            started = psutil.Process(conductor.pid).children(recursive=True)
            assert len(started) >= 5, "guard, driver, and the browser's processes"
            conductor.send_signal(getattr(signal, number))
            ended, left = psutil.wait_procs(started, 20)
        finally:
            conductor.kill()
    assert not [process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert len(ended) + len(left) == len(started) and not list(temporary.iterdir())
