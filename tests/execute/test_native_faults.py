"""Every way that a native library is known to fail, injected into a real worker: what a user reads, and that the next
Round is well and nothing is left behind."""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from harness.core.rounds import CaseResult
from harness.execute.executor import Probes
from harness.execute.native import NativeExecutor
from harness.measure.host import memory_of_tree
from harness.processes.endings import how_it_ended, oom_kills
from harness.processes.guard import MARK, left_behind
from tests.execute.faults import Fault, measure, memory_cgroup
from tests.execute.test_native import assign, listen
from tests.making import make_case

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the faults are Linux's: its signals, limits and pipes")
SILENT = "it said nothing on stderr"
FAULTS = [
    Fault({"fault": "segfault"}, "failed", "crashed", ("SIGSEGV", "after its phase load", SILENT)),
    Fault({"fault": "segfault", "at": "open"}, "failed", "crashed", ("SIGSEGV", "before its first phase")),
    Fault({"fault": "abort", "at": "load"}, "failed", "crashed", ("SIGABRT", "prepare", "std::logic_error")),
    Fault({"fault": "abort_for_memory"}, "failed", "out_of_memory", ("SIGABRT", "std::bad_alloc")),
    Fault({"fault": "exit"}, "failed", "crashed", ("exit code 3", SILENT)),
    Fault({"fault": "exit0", "at": "outputs"}, "failed", "crashed", ("exit code 0", "without a last word")),
    Fault({"fault": "kill"}, "failed", "killed", ("SIGKILL", "after its phase load")),
    Fault({"fault": "oom"}, "failed", "out_of_memory", ("could not get more memory",)),
    Fault({"fault": "oom", "at": "open"}, "failed", "out_of_memory", ("could not get more memory",)),
    Fault({"fault": "oom_native"}, "failed", "out_of_memory", ("can't allocate memory",)),
    Fault({"fault": "oom_native", "at": "load"}, "failed", "out_of_memory", ("can't allocate memory",)),
    Fault({"fault": "disk_full", "at": "load"}, "failed", "disk_full", ("cannot write", "0.bin", "File too large")),
    Fault({"fault": "garbage"}, "failed", "protocol", ("not an Event", "a library's banner")),
    Fault({"fault": "endless_line"}, "failed", "protocol", ("a line longer than 8 MiB",)),
    Fault({"fault": "no_event"}, "failed", "protocol", ("not an Event", "answer")),
    Fault({"fault": "zeros"}, "failed", "protocol", ("not an Event",)),
    Fault({"fault": "out_of_order"}, "failed", "protocol", ("hello twice",)),
    Fault({"fault": "done_early", "at": "outputs"}, "failed", "protocol", ("done without a sample",)),
    Fault({"fault": "orphan_exit"}, "failed", "crashed", ("exit code 3",)),
    Fault({"fault": "orphan", "at": "load"}, "ok"),
    Fault({"fault": "noise"}, "ok"),
    Fault({"fault": "flood", "at": "load"}, "ok"),
    Fault({}, "ok"),
]
HANGS = [
    Fault({"fault": "hang", "at": "open"}, "failed", "silence", ("no progress for 5 s",)),
    Fault({"fault": "hang_gil"}, "failed", "silence", ("no progress for 5 s",)),
    Fault({}, "ok"),
]


@dataclass(frozen=True)
class Done:
    isolation: str
    results: dict[str, CaseResult]
    left: list[str]

    def result_of(self, fault: Fault, length: int = 8) -> CaseResult:
        return self.results[fault.case(length=length, isolation=self.isolation).case_id]


@pytest.fixture(scope="module", params=["zygote", pytest.param("process", marks=pytest.mark.long)])
def done(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    """All faults in one Run, in random order: each is the Round after another."""
    isolation = request.param
    folder = tmp_path_factory.mktemp(f"faults-{isolation}")
    (folder / "tmp").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MARK, folder.name)
        patch.setenv("TMPDIR", str(folder / "tmp"))
        patch.setattr(tempfile, "tempdir", None)
        results = measure(folder, [fault.case(isolation=isolation) for fault in FAULTS])
        results |= measure(folder, [fault.case(length=9, isolation=isolation) for fault in HANGS], silence_s=5)
        left = [str(process) for process in left_behind(folder.name)]
        left += [str(path) for path in (folder / "tmp").iterdir()]
    tempfile.tempdir = None
    yield Done(isolation, results, left)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name or "healthy")
def test_a_fault_comes_to_what_helps(fault: Fault, done: Done) -> None:
    fault.judge(done.result_of(fault))


@pytest.mark.parametrize("fault", HANGS, ids=lambda fault: fault.name or "healthy")
def test_what_hangs_is_ended(fault: Fault, done: Done) -> None:
    fault.judge(done.result_of(fault, length=9))


def test_nothing_is_left_behind(done: Done) -> None:
    assert done.left == []


def test_a_kill_by_the_kernel_for_memory_is_told_from_a_kill_by_somebody(tmp_path: Path) -> None:
    with memory_cgroup(limit_mb=64) as cgroup:
        if cgroup is None:
            pytest.skip("no memory cgroup may be made here, so the kernel cannot be made to kill a worker")
        fault = Fault({"fault": "oom_kernel", "cgroup": str(cgroup)}, "failed", "out_of_memory", ("SIGKILL", "kernel"))
        fault.judge(measure(tmp_path, [fault.case()])[fault.case().case_id])


def test_a_kill_says_what_is_knowable_and_no_more() -> None:
    unknown = how_it_ended(-9, None, None, (None, None))
    assert unknown.code == "killed" and "not knowable" in unknown.reason
    by_kernel = how_it_ended(-9, None, "load", (3, 4))
    assert by_kernel.code == "out_of_memory" and "from 3 to 4" in by_kernel.reason
    by_somebody = how_it_ended(-9, None, "load", (3, 3))
    assert by_somebody.code == "killed" and "no kill for want of memory" in by_somebody.reason
    count = oom_kills()
    assert count is not None and count >= 0


async def test_a_worker_that_dies_before_it_reads_its_case_is_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    _, conversation = await listen(assign(tmp_path, fault="x" * 4_000_000))  # far more than a pipe holds
    assert conversation.last is not None and conversation.last.model_dump() == {
        "event": "failed", "code": "crashed",
        "reason": f"the worker ended with exit code 1 before its first phase, without a last word; {SILENT}",
    }  # fmt: skip


async def test_an_interpreter_that_is_gone_is_a_failed_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    _, conversation = await listen(assign(tmp_path))
    assert conversation.last is not None and conversation.last.model_dump()["code"] == "worker_start"


async def test_an_artifact_that_was_cut_short_after_its_check_is_named(tmp_path: Path) -> None:
    assignment = assign(tmp_path)
    file = assignment.artifact_dir / assignment.artifact.expected[0].file
    np.zeros(2, np.float32).tofile(file)
    _, conversation = await listen(assignment)
    last = conversation.last
    assert last is not None and last.model_dump()["code"] == "broken_artifact"
    assert "y.bin has 8 bytes, y needs 24" in last.model_dump()["reason"]
    file.unlink()
    _, conversation = await listen(assignment)
    assert conversation.last is not None and "y.bin is gone" in conversation.last.model_dump()["reason"]


async def test_what_floods_stderr_does_not_fill_the_conductors_memory(tmp_path: Path) -> None:
    """200 MB were said; the high-water mark of this process may grow by far less."""
    import resource

    case = make_case(platform="faulty", backend="faulty", options={"fault": "flood", "at": "load"})
    assignment = assign(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    other = type(assignment)(**{**vars(assignment), "case": case})
    async for _ in NativeExecutor(Probes(memory_of_tree)).execute(other):
        pass
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 60_000, f"{grown} KiB"
