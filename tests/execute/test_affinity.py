"""A worker keeps to the CPUs that its Case names, with every thread that its library makes, fresh or forked."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from harness.core.events import Conversation, Done
from harness.core.nouns import Artifact
from harness.execute.executor import Probes
from harness.execute.native import NativeExecutor
from harness.measure.host import memory_of_tree
from harness.plan.cases import cpus_here
from tests.contracts.test_plugins import assignment_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems tell no thread's CPUs")


@pytest.mark.parametrize(
    ("backend", "platform", "isolation"),
    [
        ("onnxruntime", "onnxruntime", "zygote"),
        pytest.param("onnxruntime", "onnxruntime", "process", marks=pytest.mark.long),
        *(pytest.param("pytorch", "cpu", each, marks=pytest.mark.long) for each in ("process", "zygote")),
    ],
)  # fmt: skip
async def test_every_thread_keeps_to_the_cpus(
    backend: str, platform: str, isolation: str, tiny_bert: tuple[Artifact, Path], tmp_path: Path
) -> None:
    """One zygote serves Cases on different CPUs: each fork keeps to its own before its library makes threads."""
    if len(cpus_here()) < 2:
        pytest.skip("one CPU alone: nothing can be told apart")
    seen: list[set[int]] = []

    def look(pid: int) -> dict[str, int]:
        threads = [thread.id for thread in psutil.Process(pid).threads()]
        seen.append({cpu for thread in threads for cpu in os.sched_getaffinity(thread)})
        return memory_of_tree(pid)

    executor = NativeExecutor(Probes(look))
    try:
        for cpus in (cpus_here()[:1], cpus_here()[1:2], None):
            assignment = assignment_for(backend, platform, *tiny_bert, tmp_path / f"out-{cpus}")
            case = assignment.case.model_copy(update={"affinity": cpus, "isolation": isolation})
            conversation = Conversation()
            async for event in executor.execute(replace(assignment, case=case)):
                conversation.accept(event)
            assert isinstance(conversation.last, Done), conversation.last
            assert seen.pop() == set(cpus or cpus_here())
    finally:
        await executor.close()
