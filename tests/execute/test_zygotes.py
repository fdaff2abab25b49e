"""A fork is as good as a fresh process, or it is not made; and nothing of it is left behind."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.core.errors import Unsupported
from harness.core.events import Conversation, Done, Event, Failed, Hello, Phase
from harness.core.nouns import Artifact
from harness.execute.executor import Assignment, Executor, Probes
from harness.execute.native import NativeExecutor
from harness.measure.host import memory_of_tree
from harness.measure.verify import judge
from harness.processes.zygotes import Zygote
from tests.contracts.test_plugins import assignment_for
from tests.execute.faults import Fault
from tests.execute.test_native import assign

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a zygote is offered on Linux only")


@pytest.fixture
async def executor() -> AsyncIterator[NativeExecutor]:
    """One that is closed whatever happens; then nothing of it is left."""
    made = NativeExecutor(Probes(memory_of_tree))
    yield made
    await made.close()
    assert not family()


def forked(assignment: Assignment, **changes: Any) -> Assignment:
    return replace(assignment, case=assignment.case.model_copy(update={"isolation": "zygote", **changes}))


async def converse(executor: Executor, assignment: Assignment, meddle: Any = None) -> tuple[list[Event], Conversation]:
    events, conversation = [], Conversation()
    async for event in executor.execute(assignment):
        events.append(event)
        conversation.accept(event)
        if meddle is not None:
            meddle(event)
    return events, conversation


def family() -> list[psutil.Process]:
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "native." in " ".join(process.cmdline()):
                found.append(process)
    return found


def zygote() -> psutil.Process:
    """Ours; its fork has the same command line, and is its child."""
    return next(p for p in psutil.Process().children() if "native.zygote" in " ".join(p.cmdline()))


@pytest.mark.parametrize("backend", ["onnxruntime", pytest.param("pytorch", marks=pytest.mark.long)])
async def test_a_fork_answers_as_a_fresh_process_does(
    backend: str, executor: NativeExecutor, tiny_bert: tuple[Artifact, Path], tmp_path: Path
) -> None:
    platform = "cpu" if backend == "pytorch" else backend
    fresh = assignment_for(backend, platform, *tiny_bert, tmp_path / "process")
    told = {}
    for name, assignment in {
        "process": fresh, "zygote": replace(forked(fresh), outputs_dir=tmp_path / "zygote"),
    }.items():  # fmt: skip
        events, conversation = await converse(executor, assignment)
        assert isinstance(conversation.last, Done), conversation.last
        outputs = (conversation.outputs, assignment.outputs_dir)
        assert judge(assignment.artifact, assignment.artifact_dir, *outputs, assignment.case).passed
        assert conversation.hello is not None and conversation.hello.provenance["isolation"] == name
        runtime = next(event for event in events if isinstance(event, Phase) and event.phase == "runtime")
        assert runtime.detail == {"imported_by": name}
        told[name] = (conversation.hello.runtime, {e.phase for e in events if isinstance(e, Phase)})
    assert told["process"] == told["zygote"]


async def test_each_round_is_a_fork_of_its_own_and_one_zygote_serves_all(
    executor: NativeExecutor, tmp_path: Path
) -> None:
    assignment = forked(assign(tmp_path))
    seen: list[tuple[int, int]] = []

    def look(event: Event) -> None:
        if isinstance(event, Hello):
            seen.append((zygote().pid, zygote().children()[0].pid))

    for _ in range(2):
        await converse(executor, assignment, look)
    (first_zygote, first_fork), (second_zygote, second_fork) = seen
    assert first_zygote == second_zygote and first_fork != second_fork
    await converse(executor, forked(assignment, threads=2))
    assert len(family()) == 2, "libraries read the number of threads when they are imported"


async def test_chance_is_not_shared(executor: NativeExecutor, tmp_path: Path) -> None:
    assignment = assign(tmp_path)
    case = Fault({"fault": "chance", "at": "load"}, "failed").case(isolation="zygote")
    drawn: list[str] = []
    for _ in range(2):
        _, conversation = await converse(executor, replace(assignment, case=case))
        assert isinstance(conversation.last, Failed)
        drawn += conversation.last.reason.split("random ")[1].split()
    assert len(set(drawn)) == 4, drawn


async def test_a_zygote_that_is_killed_fails_its_round_and_the_next_has_another(
    executor: NativeExecutor, tmp_path: Path
) -> None:
    assignment = forked(assign(tmp_path, duration_us="50000"))

    def kill(event: Event) -> None:
        if isinstance(event, Phase) and event.phase == "load":
            zygote().send_signal(signal.SIGSEGV)

    _, conversation = await converse(executor, assignment, kill)
    assert isinstance(conversation.last, Failed)
    assert conversation.last.code == "crashed", conversation.last
    assert "zygote ended by SIGSEGV" in conversation.last.reason
    _, conversation = await converse(executor, assignment)
    assert isinstance(conversation.last, Done)


async def test_a_zygote_that_was_killed_between_two_rounds_is_replaced(
    executor: NativeExecutor, tmp_path: Path
) -> None:
    assignment = forked(assign(tmp_path))
    for _ in range(2):
        _, conversation = await converse(executor, assignment)
        assert isinstance(conversation.last, Done)
        zygote().kill()
        async with asyncio.timeout(30):
            while family():  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_what_has_threads_is_not_forked(tmp_path: Path) -> None:
    """A thread from the first moment on, as a library may start one when it is imported."""
    (tmp_path / "sitecustomize.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,), daemon=True).start()\n"
    )
    with pytest.raises(Unsupported, match="runs 1 threads here that a fork would lose"):
        await Zygote.start("native.zygote", {**os.environ, "PYTHONPATH": str(tmp_path)}, "noop")
    assert not family()


async def test_a_backend_that_cannot_be_imported_says_so_in_the_forks_words(
    executor: NativeExecutor, tmp_path: Path
) -> None:
    assignment = forked(assign(tmp_path), backend="absent")
    _, conversation = await converse(executor, assignment)
    assert conversation.last is not None and conversation.last.model_dump() == {
        "event": "unsupported", "reason": "absent: No module named 'native.backends.absent'",
    }  # fmt: skip


async def test_leaving_early_leaves_the_zygote_only(executor: NativeExecutor, tmp_path: Path) -> None:
    assignment = forked(assign(tmp_path, duration_us="50000"))
    events = executor.execute(assignment)
    async for _ in events:
        break
    await events.aclose()
    assert [p.pid for p in family()] == [zygote().pid]


CONDUCTOR = """
    import asyncio, sys, tempfile
    from pathlib import Path
    from harness.core.events import Phase
    from harness.execute.executor import Probes
    from harness.execute.native import NativeExecutor
    from harness.measure.host import memory_of_tree
    from harness.processes.children import guarded
    from tests.execute.test_native import assign
    from tests.execute.test_zygotes import family, forked

    async def measure():
        assignment = forked(assign(Path(tempfile.mkdtemp()), duration_us="100000000"))
        async for event in NativeExecutor(Probes(memory_of_tree)).execute(assignment):
            if isinstance(event, Phase) and event.phase == "load":
                print(tempfile.gettempdir(), *[p.pid for p in family()], flush=True)

    with guarded():
        asyncio.run(measure())
"""


def test_nothing_is_left_when_the_conductor_is_killed() -> None:
    program = [sys.executable, "-c", textwrap.dedent(CONDUCTOR)]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as conductor:
        assert conductor.stdout
        folder, *pids = conductor.stdout.readline().split()
        assert len(pids) == 2, "the zygote and its fork"
        conductor.kill()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and (Path(folder).exists() or any(map(running, map(int, pids)))):
        time.sleep(0.05)
    assert not Path(folder).exists()
    assert not [pid for pid in pids if running(int(pid))]


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
