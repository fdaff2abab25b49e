"""Time per operator: ONNX Runtime's trace, read as it was seen, and Rounds that profile in a real browser."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.events import Done, Profile, Refused
from harness.core.nouns import LoopPolicy
from tests.page.artifacts import case_message
from tests.page.conductor import PAGE_ROOT, Spoken
from tests.page.test_panel import text_of

Talk = Callable[..., Spoken]
MODULE = PAGE_ROOT / "backends" / "ort_web" / "profile.js"
SCRIPT = f"""
const {{ readProfile }} = await import({json.dumps(MODULE.as_uri())});
const {{ lines, asked }} = JSON.parse(await new Response(process.stdin).text());
try {{
  console.log(JSON.stringify(readProfile(lines, asked)));
}} catch (error) {{
  console.log(JSON.stringify({{ error: error.message }}));
}}
"""
CPU, GPU, WEBNN = "CPUExecutionProvider", "WebGpuExecutionProvider", "WebNNExecutionProvider"
SHORT = LoopPolicy(slice_ns=1_000_000_000)


def read(*lines: str, platform: str = "wasm", runs: int = 1, every: int = 1) -> dict[str, Any]:
    asked = {"platform": platform, "runs": runs, "all": every}
    command = ["node", "--input-type=module", "--eval", SCRIPT]
    given = json.dumps({"lines": ["[", *lines, "]"], "asked": asked})
    told: dict[str, Any] = json.loads(
        subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout
    )
    return told


def line(cat: str, name: str, ts: int, dur: int, **args: str) -> str:
    fields = f'"cat" : "{cat}","pid" :42,"tid" :7,"dur" :{dur},"ts" :{ts},"ph" : "X","name" :"{name}"'
    return f'{{{fields},"args" : {json.dumps(args)}}},'


def node(operator: str, ts: int, dur: int, provider: str = CPU) -> str:
    return line("Node", f"node_{ts}_kernel_time", ts, dur, op_name=operator, provider=provider)


def run(ts: int, dur: int) -> str:
    return line("Session", "model_run", ts, dur)


def row(operator: str, device: str, count: int, self_us: int, fallback: bool = False) -> dict[str, Any]:
    return {"operator": operator, "device": device, "count": count, "self_ns": self_us * 1000, "fallback": fallback}


def test_nodes_of_the_last_runs_are_summed_by_their_kind() -> None:
    told = read(
        line("Session", "session_initialization", 0, 90),
        run(100, 500), node("MatMul", 110, 400), node("Add", 520, 40),
        run(700, 50), node("MatMul", 705, 30), node("Add", 740, 6),
        run(800, 50), node("MatMul", 801, 20), node("MatMul", 821, 5), node("Add", 830, 7),
        runs=2, every=3,
    )  # fmt: skip
    assert told["operators"] == [row("MatMul", CPU, 3, 55), row("Add", CPU, 2, 13)]
    assert "host's clock" in told["source"]


def test_what_a_loop_holds_is_not_the_loops_own() -> None:
    told = read(run(0, 100), node("Loop", 10, 60), node("Add", 12, 20), node("Add", 40, 25), node("Mul", 70, 10))
    assert told["operators"] == [row("Add", CPU, 2, 45), row("Loop", CPU, 1, 15), row("Mul", CPU, 1, 10)]


def test_kernels_have_the_gpus_time_and_the_cpus_nodes_are_fallbacks() -> None:
    # A dispatch takes 1; the GPU's clock began elsewhere; of the first run is a kernel that prepares weights.
    told = read(
        run(0, 900), node("Conv", 10, 1, GPU), node("Cast", 20, 4), node("MemcpyToHost", 30, 800, GPU),
        run(1000, 100), node("Conv", 1010, 1, GPU), node("Cast", 1020, 3), node("MemcpyToHost", 1030, 60, GPU),
        line("Api", "weights&Transpose&Transpose", 5, 70), line("Api", "c&Conv&Im2Col", 80, 9),
        line("Api", "c&Conv&MatMul", 90, 500), line("Api", "c&Conv&Im2Col", 700, 8),
        line("Api", "c&Conv&MatMul", 710, 40),
        platform="webgpu", every=2,
    )  # fmt: skip
    assert told["operators"] == [row("Conv", GPU, 1, 48), row("Cast", CPU, 1, 3, fallback=True)]
    assert "the GPU's own timestamps" in told["source"]


def test_without_timestamps_a_dispatch_is_called_one() -> None:
    told = read(run(0, 900), node("Conv", 10, 1, GPU), platform="webgpu")
    assert told["operators"] == [row("Conv", GPU, 1, 1)] and "dispatch alone" in told["source"]


def test_webnn_partitions_are_one_kind_whatever_their_number() -> None:
    names = ["WEBNN_10812501645757750620_9", "WEBNN_10812501645757750620_10"]
    told = read(run(0, 90), *[node(name, at, 5, WEBNN) for at, name in enumerate(names, 1)], platform="webnn")
    assert [(each["operator"], each["count"]) for each in told["operators"]] == [("WebNN partition", 2)]
    assert "dispatch alone" in told["source"]


@pytest.mark.parametrize(
    ("lines", "platform", "reason"),
    [
        ([run(0, 9)], "wasm", "tells of 1 runs, there were 2"),
        ([run(0, 9), run(10, 9), '{"cat" : "Node","name" :"a"b"},'], "wasm", "what is no JSON"),
        ([run(0, 9), run(10, 9), *[line("Api", "c&Conv&Conv", at, 1) for at in range(3)]], "webgpu", "which run's"),
    ],
)
def test_a_trace_that_is_not_of_these_runs_is_refused(lines: list[str], platform: str, reason: str) -> None:
    assert reason in read(*lines, platform=platform, every=2)["error"]


def profile_of(spoken: Spoken) -> Profile:
    (note,) = spoken.of("note", kind="profile")
    return Profile.model_validate(note.data)


def durations_ns(spoken: Spoken, phase: str) -> list[int]:
    return [duration for batch in spoken.of("samples", phase=phase) for duration in batch.durations_ns]


def assert_order(spoken: Spoken) -> None:
    """The native worker's order, and as many runs without the profiler as with it, before it and after it."""
    assert spoken.conversation.last == Done(stopped_by="profiled"), (spoken.conversation.last, spoken.console)
    assert [phase.phase for phase in spoken.of("phase")] == ["runtime", "prepare", "load"]
    said = [event for event in spoken.events if event.event != "alive"]
    assert [event.event for event in said[-4:]] == ["note", "outputs", "outputs", "done"]
    phases = [batch.phase for batch in spoken.of("samples")]
    before, after = phases[: phases.index("profiled")], phases[phases.index("profiled") + 1 :]
    assert set(after) == {"unprofiled"} and before == ["warm"] * before.count("warm") + after
    runs = profile_of(spoken).runs
    assert len(durations_ns(spoken, "unprofiled")) == 2 * runs and len(durations_ns(spoken, "profiled")) == runs
    assert spoken.of("note", kind="placement") == []


def assert_outputs_are_right(spoken: Spoken, folder: Path) -> None:
    expected = np.fromfile(sorted((folder / "expected").iterdir())[0], dtype=np.float32)
    for iteration in ("first", "last"):
        assert np.allclose(spoken.output(iteration), expected, rtol=1e-3, atol=1e-3)


def test_the_profile_of_known_work_is_that_work(talk: Talk, artifact_dir: Path) -> None:
    options = {"duration_us": "5000"}
    message = case_message(artifact_dir, "noop_web", "noop_web", options=options, purpose="profile", policy=SHORT)
    spoken = talk(message=message, artifact_dir=artifact_dir)
    assert_order(spoken)
    profile = profile_of(spoken)
    (waited,) = profile.operators
    assert 1 <= profile.runs <= 20, "twenty, or those that fit into a quarter of the slice"
    assert (waited.operator, waited.device, waited.count) == ("Wait", "cpu", profile.runs)
    assert waited.self_ns == sum(durations_ns(spoken, "profiled")) >= profile.runs * 5_000_000
    assert "profiler" in text_of(spoken, "case") and "under the profiler" in text_of(spoken, "in-words")


def test_the_operators_of_a_tiny_bert_on_wasm(talk: Talk, bert_dir: Path) -> None:
    spoken = talk(message=case_message(bert_dir, "wasm", purpose="profile", policy=SHORT), artifact_dir=bert_dir)
    assert_order(spoken)
    assert_outputs_are_right(spoken, bert_dir)
    profile = profile_of(spoken)
    counts = {each.operator: each.count for each in profile.operators}
    # Two layers of attention: two products of activations in each, a softmax, an activation function.
    assert counts["Softmax"] == counts["Gelu"] == 2 * profile.runs
    assert counts["MatMul"] + counts["FusedMatMul"] == 4 * profile.runs
    assert {each.device for each in profile.operators} == {CPU} and not any(each.fallback for each in profile.operators)
    # Operators are most of a run and no more than it; a mistaken unit would be off by a thousand.
    share = sum(each.self_ns for each in profile.operators) / sum(durations_ns(spoken, "profiled"))
    assert 0.05 < share <= 1
    assert not [said for said in spoken.console if '"cat"' in said], "the trace is kept from the console"


@pytest.mark.long
def test_the_operators_of_a_tiny_bert_on_webgpu(talk: Talk, bert_dir: Path) -> None:
    spoken = talk(message=case_message(bert_dir, "webgpu", purpose="profile", policy=SHORT), artifact_dir=bert_dir)
    assert_order(spoken)
    assert_outputs_are_right(spoken, bert_dir)
    profile = profile_of(spoken)
    assert "the GPU's own timestamps" in profile.source
    counts = {(each.operator, each.device): each.count for each in profile.operators}
    assert counts["Softmax", GPU] == 2 * profile.runs and counts["MatMul", GPU] == 4 * profile.runs
    assert {each.fallback for each in profile.operators if each.device == GPU} == {False}
    assert {each.fallback for each in profile.operators if each.device == CPU} <= {True}
    share = sum(each.self_ns for each in profile.operators) / sum(durations_ns(spoken, "profiled"))
    assert 0.05 < share <= 1


@pytest.mark.long
def test_a_device_without_timestamps_shows_dispatches_and_says_so(talk: Talk, artifact_dir: Path) -> None:
    script = """
        const { get } = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, 'features');
        Object.defineProperty(GPUAdapter.prototype, 'features', {
          get() { return new Set([...get.call(this)].filter((name) => !name.includes('timestamp'))); },
        });"""
    message = case_message(artifact_dir, "webgpu", purpose="profile", policy=SHORT)
    spoken = talk(message=message, artifact_dir=artifact_dir, init_script=script)
    assert_order(spoken)
    assert "dispatch alone" in profile_of(spoken).source


def test_webnn_is_one_node(talk: Talk, bert_dir: Path) -> None:
    spoken = talk(message=case_message(bert_dir, "webnn", purpose="profile", policy=SHORT), artifact_dir=bert_dir)
    assert_order(spoken)
    assert_outputs_are_right(spoken, bert_dir)
    assert [each.operator for each in profile_of(spoken).operators if each.device == WEBNN] == ["WebNN partition"]


def test_transformers_js_has_no_profiler(talk: Talk, bert_dir: Path) -> None:
    message = case_message(bert_dir, "wasm", "transformers_js", purpose="profile", policy=SHORT)
    spoken = talk(message=message, artifact_dir=bert_dir)
    assert spoken.conversation.last == Refused(reason="transformers.js has no profiler of its own")
