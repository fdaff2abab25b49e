"""One suite over every plug-in: what each of them promises by being in its folder."""

import asyncio
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from harness import catalog
from harness.core.events import Conversation, Done, Failed, Hello, Refused
from harness.core.nouns import Artifact, Isolation, LoopPolicy, PlannedCase, Policy
from harness.core.rounds import Round, Verdict
from harness.execute.executor import Assignment, Executor, Probes
from harness.execute.native import NativeExecutor
from harness.execute.page import PageExecutor
from harness.measure.host import memory_of_tree
from harness.measure.verify import judge
from tests.making import good_round, make_case

NATIVE = [name for name, backend in catalog.backends().items() if backend.side == "native"]
PAGE = [  # a software GPU takes long for a runtime that is tried on wasm as well
    pytest.param(
        backend.name, platform, marks=[pytest.mark.long] * (backend.name == "transformers_js" and platform != "wasm")
    )
    for backend in catalog.backends().values()
    if backend.side == "page"
    for platform in backend.platforms
]
SHORT = LoopPolicy(slice_ns=1_000_000_000, least_time_ns=10_000_000)


Converse = Callable[[Assignment], Conversation]


@pytest.fixture(scope="module")
def converse() -> Iterator[Converse]:
    """What came of a Round, in a worker or a page of its own; imports, and the browser, are those of the one before."""

    async def listen(assignment: Assignment) -> Conversation:
        conversation = Conversation()
        async for event in executors[catalog.backends()[assignment.case.backend].side].execute(assignment):
            conversation.accept(event)
        return conversation

    with asyncio.Runner() as runner:
        executors: dict[str, Executor] = {
            "native": NativeExecutor(Probes(memory_of_tree)),
            "page": PageExecutor(Probes(memory_of_tree)),
        }
        yield lambda assignment: runner.run(listen(assignment))
        for executor in executors.values():
            runner.run(executor.close())


def assignment_for(
    backend: str, platform: str, artifact: Artifact, folder: Path, out: Path, isolation: Isolation = "process"
) -> Assignment:
    known = catalog.backends()[backend]
    browser = "chromium" if known.side == "page" else None
    device = known.platforms[platform].devices[0]
    case = make_case(
        model=artifact.model, task=artifact.task, backend=backend, platform=platform, device=device, browser=browser,
        length=artifact.length, threads=2, isolation=isolation,
    )  # fmt: skip
    return Assignment("round", case, artifact, folder, out, SHORT, silence_limit_s=120)


def assert_right(conversation: Conversation, assignment: Assignment) -> None:
    assert isinstance(conversation.last, Done), conversation.last
    assert conversation.hello is not None
    assert conversation.hello.provenance["clock_step_ns"] > 0
    verdict = judge(
        assignment.artifact,
        assignment.artifact_dir,
        conversation.outputs,
        assignment.outputs_dir,
        assignment.case,
    )
    assert verdict.passed, verdict


@pytest.mark.parametrize("name", NATIVE)
def test_a_native_backend_runs_a_model_and_is_right(
    name: str, converse: Converse, tiny_bert: tuple[Artifact, Path], tmp_path: Path
) -> None:
    artifact, folder = tiny_bert
    platform = next(iter(catalog.backends()[name].platforms))
    assignment = assignment_for(name, platform, artifact, folder, tmp_path, "zygote")
    conversation = converse(assignment)
    assert_right(conversation, assignment)
    assert conversation.hello is not None
    assert set(catalog.backends()[name].packages) <= set(conversation.hello.runtime)


@pytest.mark.parametrize(("name", "platform"), PAGE)
def test_a_page_backend_runs_a_model_and_is_right(
    name: str, platform: str, converse: Converse, tiny_bert: tuple[Artifact, Path], tmp_path: Path
) -> None:
    artifact, folder = tiny_bert
    assignment = assignment_for(name, platform, artifact, folder, tmp_path, "zygote")
    conversation = converse(assignment)
    assert_right(conversation, assignment)
    assert conversation.hello is not None and conversation.hello.provenance["isolated"] is True


@pytest.mark.parametrize("name", [name for name in NATIVE if catalog.backends()[name].formats != ("any",)])
def test_a_native_backend_says_why_it_cannot_load(
    name: str, converse: Converse, tiny_bert: tuple[Artifact, Path], tmp_path: Path
) -> None:
    artifact, _ = tiny_bert
    broken = tmp_path / "broken"
    for file in artifact.files:
        (broken / file.path).parent.mkdir(parents=True, exist_ok=True)
        (broken / file.path).write_bytes(b"\x00" * min(file.size_bytes, 64) if "inputs" not in file.path else b"")
    for tensor in artifact.inputs:
        np.zeros(tensor.shape, tensor.dtype).tofile(broken / tensor.file)
    platform = next(iter(catalog.backends()[name].platforms))
    assignment = assignment_for(name, platform, artifact, broken, tmp_path / "out", "zygote")
    conversation = converse(assignment)
    assert isinstance(conversation.last, Failed)
    assert (conversation.last.code, bool(conversation.last.reason)) == ("load_failed", True)


# What the README promises of the engines that `make setup` installs: shared memory, WebGPU, WebNN's contexts.
PROMISED = {
    "chromium": (True, True, True),
    "chromium-system": (True, True, False),
    "firefox": (True, True, False),
    "webkitgtk": (False, False, False),
}


async def greet(name: str) -> Hello | Failed | Refused:
    executor = PageExecutor(Probes(memory_of_tree))
    try:
        return await executor.greet(catalog.browsers()[name])
    finally:
        await executor.close()


@pytest.mark.parametrize("name", PROMISED)
def test_a_browser_that_is_promised_starts_and_tells_of_itself(name: str) -> None:
    """A promised browser that does not start is a failure here, never a skip."""
    hello = asyncio.run(greet(name))
    assert isinstance(hello, Hello), hello
    told = hello.provenance
    assert told["isolated"] is True and told["visibility"] == "visible" and told["clock_step_ns"] > 0
    contexts = told["webnn"].get("contexts", {})
    found = (told["shared_array_buffer"], told["webgpu"]["available"], any(each["ok"] for each in contexts.values()))
    assert found == PROMISED[name]
    assert told["webgpu"]["available"] or told["webgpu"]["reason"]
    assert told["software"] is (True if told["webgpu"]["available"] else None), "there is no GPU here"


@pytest.mark.parametrize("name", sorted(catalog.browsers().keys() - PROMISED.keys()))
def test_a_browser_that_is_not_promised_starts_or_says_how_to_install_it(name: str) -> None:
    word = asyncio.run(greet(name))
    assert isinstance(word, Hello | Refused), word
    assert isinstance(word, Hello) or catalog.browsers()[name].install in word.reason


@pytest.mark.parametrize("name", catalog.metrics())
def test_a_metric_is_a_number_where_there_are_samples_and_none_where_there_are_none(name: str) -> None:
    metric = catalog.metrics()[name]
    assert metric.better in ("lower", "higher") and metric.unit and metric.title
    events = good_round([], [1_000_000 + step for step in range(500)])
    fields = {"run_id": "r", "round_id": "1", "case_id": "c", "number": 1, "started_at": "now", "outcome": "ok"}
    taken = [event for event in events if event.event == "samples"]
    parts = [taken[0].model_copy(update={"phase": f"part_{part}"}) for part in ("preprocess", "infer", "postprocess")]
    full = Round.model_validate({
        **fields,
        "samples": [*taken, *parts],
        "phases": {event.phase: event.duration_ns for event in events if event.event == "phase"},
        "memory_bytes": {
            "peak_rss": 5_000_000, "tree_pss": 4_000_000, "device_peak_cuda_allocated": 1_000_000,
            "leak_before_tree_pss": 1, "leak_after_tree_pss": 5_000_000,
        },
        "provenance": {
            "leaks": {"loads": 2},
            "model_bytes": 1_000_000,
            "work": {"flops": 1_000_000, "weight_bytes": 1_000_000, "activation_bytes": 1_000},
            "roof": {"gflops": 100.0, "gbytes_per_second": 10.0},
            "usage": {"cpu_cores": 1.0, "energy_joules": {"rapl package-0": 1.0}},
        },
        "verdict": Verdict(checked=True, passed=True, rms_rel=0.01, cosine=0.99, agreement=1.0),
    })  # fmt: skip
    value = metric.compute([full], make_case())
    assert value is not None and math.isfinite(value) and value >= 0
    empty = metric.compute([Round.model_validate({**fields, "outcome": "unsupported"})], make_case())
    assert empty is None or (name == "samples" and empty == 0)


@pytest.mark.parametrize("name", catalog.tasks())
def test_a_task_names_phases_and_what_an_item_is(name: str) -> None:
    task = catalog.tasks()[name]
    assert task.phases[:3] == ("prepare", "load", "first") and "sample" in task.phases
    assert task.item and task.inputs


def test_every_architecture_has_a_task_and_the_tasks_have_exporters() -> None:
    assert {"bert", "vit", "gpt2", "t5", "whisper"} <= catalog.architectures().keys()
    for entry in catalog.architectures().values():
        assert entry.task in catalog.tasks()
    kinds = {kind for exporter in catalog.exporters().values() for kind in exporter.takes}
    assert kinds == {"architecture", "pretrained", "onnx"}


def test_a_plan_crosses_a_wire_unchanged() -> None:
    for value in (make_case(), PlannedCase(case=make_case(), outcome="unsupported", reason="no"), Policy()):
        assert type(value).model_validate_json(value.model_dump_json()) == value
