"""A real worker process: right answers, failures in its own words, crashes, silence, and nothing left behind."""

import asyncio
import dataclasses
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.core.events import Conversation, Done, Event, Failed, Phase, Samples
from harness.core.nouns import LoopPolicy
from harness.execute.executor import Assignment, Probes
from harness.execute.native import NativeExecutor
from harness.execute.watchdog import watched
from harness.measure.host import memory_of_tree
from harness.measure.verify import judge
from tests.making import make_artifact, make_case

SHORT = LoopPolicy(slice_ns=400_000_000, least_time_ns=1_000_000)


def assign(tmp_path: Path, silence_limit_s: float = 60, **options: Any) -> Assignment:
    folder = tmp_path / "artifact"
    folder.mkdir()
    case = make_case(options=options)
    return Assignment("r", case, make_artifact(folder), folder, tmp_path / "out", SHORT, silence_limit_s)


async def listen(assignment: Assignment, meddle: Any = None) -> tuple[list[Event], Conversation]:
    events, conversation = [], Conversation()
    async for event in watched(NativeExecutor(Probes(memory_of_tree)).execute(assignment), assignment.silence_limit_s):
        events.append(event)
        conversation.accept(event)
        if meddle is not None:
            meddle(event)
    return events, conversation


def workers() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if "native.worker" in " ".join(p.cmdline())]


@pytest.mark.long
def test_a_profile_of_a_slow_model_shows_that_it_gets_on(tmp_path: Path) -> None:
    """Each run is told as it ends, so that a silence limit of two of them is enough; a few runs, though ten fit not."""
    slow = assign(tmp_path, silence_limit_s=4, duration_us="900000")
    _, conversation = asyncio.run(listen(dataclasses.replace(slow, purpose="profile")))
    assert conversation.last == Done(stopped_by="profiled")


def test_a_round_of_known_duration_takes_that_long(tmp_path: Path) -> None:
    assignment = assign(tmp_path, duration_us="2000")
    events, conversation = asyncio.run(listen(assignment))
    assert isinstance(conversation.last, Done)
    per_run = [
        d / e.runs_per_sample for e in events if isinstance(e, Samples) and e.phase == "sample" for d in e.durations_ns
    ]
    assert min(per_run) >= 2_000_000, "a busy wait is never shorter than asked"
    assert judge(
        assignment.artifact, assignment.artifact_dir, conversation.outputs, assignment.outputs_dir, assignment.case
    ).passed
    assert [e.phase for e in events if isinstance(e, Phase)] == [
        "runtime",
        "prepare",
        "load",
        "first",
        "warm",
        "sample",
    ]
    assert not workers()


def test_spoilt_outputs_do_not_pass_the_judge(tmp_path: Path) -> None:
    assignment = assign(tmp_path, wrong=True)
    _, conversation = asyncio.run(listen(assignment))
    verdict = judge(
        assignment.artifact, assignment.artifact_dir, conversation.outputs, assignment.outputs_dir, assignment.case
    )
    assert not verdict.passed


def test_a_failure_comes_in_the_workers_words(tmp_path: Path) -> None:
    _, conversation = asyncio.run(listen(assign(tmp_path, fail="load_failed")))
    assert conversation.last == Failed(code="load_failed", reason="asked to fail")


@pytest.mark.skipif(os.name == "nt", reason="signals end processes otherwise on Windows")
def test_a_worker_that_is_killed_is_a_crash_named_by_its_signal(tmp_path: Path) -> None:
    def kill(event: Event) -> None:
        if isinstance(event, Phase) and event.phase == "load":
            workers()[0].send_signal(signal.SIGSEGV)

    _, conversation = asyncio.run(listen(assign(tmp_path, duration_us="50000"), kill))
    assert isinstance(conversation.last, Failed)
    assert conversation.last.code == "crashed" and "SIGSEGV" in conversation.last.reason
    assert not workers()


def test_a_worker_that_falls_silent_is_ended(tmp_path: Path) -> None:
    _, conversation = asyncio.run(listen(assign(tmp_path, silence_limit_s=1.5, duration_us="60000000")))
    assert isinstance(conversation.last, Failed) and conversation.last.code == "silence"
    assert not workers()


def test_leaving_early_leaves_no_worker(tmp_path: Path) -> None:
    async def leave() -> None:
        events = NativeExecutor(Probes(memory_of_tree)).execute(assign(tmp_path, duration_us="50000"))
        async for _ in events:
            break
        await events.aclose()

    asyncio.run(leave())
    assert not workers()
