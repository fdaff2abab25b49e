"""The page in a real browser: what it says, in which order, and whether its numbers are right."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.events import Done, Failed, Probe, Refused
from harness.core.nouns import LoopPolicy
from tests.page.artifacts import case_message
from tests.page.conductor import PAGE_ROOT, Spoken

Talk = Callable[..., Spoken]

CLOCKS = {
    "wasm": {"performance_now"},
    "webgpu": {"submit", "await", "slope", "timestamp"},
    "webnn": {"await"},
}


def sampled_ns(spoken: Spoken) -> list[float]:
    batches = spoken.of("samples", phase="sample")
    return [duration / batch.runs_per_sample for batch in batches for duration in batch.durations_ns]


def assert_right(spoken: Spoken, artifact_dir: Path) -> None:
    expected = np.fromfile(next((artifact_dir / "expected").iterdir()), dtype=np.float32)
    for iteration in ("first", "last"):
        assert np.allclose(spoken.output(iteration), expected, rtol=1e-4, atol=1e-4)
    assert [outputs.iteration for outputs in spoken.of("outputs")] == ["first", "last"]
    assert [(t.name, t.dtype, t.shape) for t in spoken.of("outputs")[0].tensors] == [("result", "float32", (4, 8, 16))]


def note_data(spoken: Spoken, kind: str) -> dict[str, Any]:
    return {key: value for note in spoken.of("note", kind=kind) for key, value in note.data.items()}


def test_noop(talk: Talk, artifact_dir: Path) -> None:
    spoken = talk(message=case_message(artifact_dir, "noop_web", "noop_web"), artifact_dir=artifact_dir)
    assert isinstance(spoken.conversation.last, Done), spoken.conversation.last
    assert_right(spoken, artifact_dir)
    hello = spoken.conversation.hello
    assert hello is not None and hello.side == "page"
    assert hello.provenance["isolated"] is True and hello.provenance["shared_array_buffer"] is True
    assert 1_000 <= hello.provenance["clock_step_ns"] <= 100_000
    assert [e.phase for e in spoken.of("phase")] == ["runtime", "prepare", "load", "first", "warm", "sample"]
    step = hello.provenance["clock_step_ns"]
    batches = spoken.of("samples", phase="sample")
    assert {batch.clock for batch in batches} == {"performance_now"}
    # An empty run lasts some 40 ns and goes on becoming quicker, so a few samples may fall short.
    assert np.median([duration for batch in batches for duration in batch.durations_ns]) >= 80 * step
    assert np.median(sampled_ns(spoken)) < 20_000
    assert spoken.status["outcome"] == "done" and "noop_web" in spoken.status["what"]


def test_noop_of_a_known_duration(talk: Talk, artifact_dir: Path) -> None:
    message = case_message(artifact_dir, "noop_web", "noop_web", options={"duration_us": "2000"})
    spoken = talk(message=message, artifact_dir=artifact_dir)
    assert isinstance(spoken.conversation.last, Done)
    assert 2_000_000 <= np.median(sampled_ns(spoken)) < 2_060_000


@pytest.mark.long
def test_sends_at_most_four_times_a_second_while_sampling(talk: Talk, artifact_dir: Path) -> None:
    policy = LoopPolicy(slice_ns=2_500_000_000, narrow_within=0.0, least_time_ns=10_000_000_000)
    message = case_message(artifact_dir, "noop_web", "noop_web", options={"duration_us": "1000"}, policy=policy)
    spoken = talk(message=message, artifact_dir=artifact_dir)
    at = [at for event, at in zip(spoken.events, spoken.at_s, strict=True) if event in spoken.of("samples")]
    assert spoken.conversation.last == Done(stopped_by="budget")
    # Four a second in the slice of 2.5 s, and the rest at its end; how many fewer is the machine's affair.
    assert 2 <= len(spoken.of("samples", phase="sample")) <= 11
    assert np.median(np.diff(at)) >= 0.24


@pytest.mark.parametrize("platform", ["wasm", "webgpu", "webnn"])
def test_ort_web_is_right(talk: Talk, artifact_dir: Path, platform: str) -> None:
    spoken = talk(message=case_message(artifact_dir, platform), artifact_dir=artifact_dir)
    assert isinstance(spoken.conversation.last, Done), (spoken.conversation.last, spoken.console)
    assert_right(spoken, artifact_dir)
    hello = spoken.conversation.hello
    assert hello is not None and hello.runtime == {"onnxruntime-web": "1.30.0"}
    assert {batch.clock for batch in spoken.of("samples")} == CLOCKS[platform]
    assert spoken.of("phase", phase="prepare")[0].detail["bytes"] > 9_000
    assert note_data(spoken, "provenance")["threads"] == (2 if platform == "wasm" else None)
    placement = note_data(spoken, "placement")
    if platform == "wasm":
        at = {"outputs_at": {"result": "cpu"}}
        assert placement == {"providers": {}, "fallbacks": [], "fallback_share": 0, **at}
    else:
        provider = {"webgpu": "WebGpuExecutionProvider", "webnn": "WebNNExecutionProvider"}[platform]
        assert placement["providers"][provider] >= 4, placement
        total = sum(placement["providers"].values())
        assert placement["fallback_share"] == placement["providers"].get("CPUExecutionProvider", 0) / total
    assert not [line for line in spoken.console if "VerifyEachNode" in line]
    # Four inputs of 4 × 8 × 16 floats at the least; whatever a runtime sets aside, not a whole megabyte for these.
    counted = note_data(spoken, "memory").get("gpu_buffers_peak", 0)
    assert counted == 0 if platform != "webgpu" else 2048 <= counted < 1_000_000
    if platform == "webgpu":
        assert hello.provenance["software"] is True
        assert hello.provenance["webgpu"]["adapter"]["architecture"] == "swiftshader"


def test_placement_is_asked_for_in_the_first_round_only(talk: Talk, artifact_dir: Path) -> None:
    spoken = talk(message=case_message(artifact_dir, "webnn", first_round=False), artifact_dir=artifact_dir)
    assert isinstance(spoken.conversation.last, Done) and spoken.of("note", kind="placement") == []


def test_a_broken_model_fails_in_the_runtimes_words(talk: Talk, artifact_dir: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(artifact_dir, broken)
    (broken / "onnx" / "fp32" / "model.onnx").write_bytes(b"this is no model")
    last = talk(message=case_message(broken, "wasm"), artifact_dir=broken).conversation.last
    assert isinstance(last, Failed) and last.code == "load_failed" and "protobuf" in last.reason.lower()


def test_a_missing_file_fails(talk: Talk, artifact_dir: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(artifact_dir, broken)
    (broken / "onnx" / "fp32" / "model.onnx.data").unlink()
    last = talk(message=case_message(broken, "wasm"), artifact_dir=broken).conversation.last
    assert last == Failed(code="load_failed", reason="onnx/fp32/model.onnx.data: 404 Not Found")


def test_without_isolation_one_thread_and_a_warning(talk: Talk, artifact_dir: Path) -> None:
    spoken = talk(message=case_message(artifact_dir, "wasm"), artifact_dir=artifact_dir, isolated=False)
    assert isinstance(spoken.conversation.last, Done)
    assert_right(spoken, artifact_dir)
    assert note_data(spoken, "warning") == {"code": "not_isolated", "threads": 1}
    assert note_data(spoken, "provenance")["threads"] == 1
    assert spoken.conversation.hello and spoken.conversation.hello.provenance["clock_step_ns"] >= 50_000


@pytest.mark.parametrize(
    ("platform", "script", "reason"),
    [
        ("webgpu", "delete Navigator.prototype.gpu", "navigator.gpu is not there"),
        ("webgpu", "GPU.prototype.requestAdapter = async () => null", "navigator.gpu.requestAdapter gave null"),
        ("webnn", "delete Navigator.prototype.ml", "navigator.ml is not there"),
        (
            "webnn",
            "ML.prototype.createContext = async () => { throw new DOMException('not here', 'NotSupportedError') }",
            "NotSupportedError: not here",
        ),
    ],
)
def test_what_is_absent_is_unsupported(talk: Talk, artifact_dir: Path, platform: str, script: str, reason: str) -> None:
    spoken = talk(message=case_message(artifact_dir, platform), artifact_dir=artifact_dir, init_script=script)
    assert spoken.conversation.last == Refused(reason=reason)
    assert spoken.conversation.hello is not None


@pytest.mark.parametrize(
    ("platform", "place"), [pytest.param("webgpu", "gpu-buffer", marks=pytest.mark.long), ("webnn", "ml-tensor")]
)
def test_outputs_can_stay_on_the_device(talk: Talk, artifact_dir: Path, platform: str, place: str) -> None:
    spoken = talk(message=case_message(artifact_dir, platform, outputs="device"), artifact_dir=artifact_dir)
    assert isinstance(spoken.conversation.last, Done), (spoken.conversation.last, spoken.console)
    assert_right(spoken, artifact_dir)
    assert note_data(spoken, "placement")["outputs_at"] == {"result": place}
    assert {batch.clock for batch in spoken.of("samples")} == CLOCKS[platform]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"outputs": "device"}, "wasm computes on the host: its outputs lie there"),
        ({"runtime": "onnxruntime-web@1.29.0"}, "onnxruntime-web@1.29.0 was asked for, onnxruntime-web@1.30.0"),
        ({"backend": "nobody"}, "the page has no backend named nobody"),
    ],
)
def test_what_is_not_offered_is_unsupported(
    talk: Talk, artifact_dir: Path, changed: dict[str, str], reason: str
) -> None:
    last = talk(message=case_message(artifact_dir, "wasm", **changed), artifact_dir=artifact_dir).conversation.last
    assert isinstance(last, Refused) and last.reason.startswith(reason)


def test_the_runtime_still_tells_no_gpu_times_of_the_session_that_is_timed() -> None:
    """Once it does, its names for the kernels are worth more than our wrapped passes."""
    dist = PAGE_ROOT / "node_modules" / "onnxruntime-web" / "dist"
    assert "webgpu.profiling" in (dist / "ort.all.mjs").read_text(encoding="utf-8")
    assert "webgpu.profiling" not in (dist / "ort.webgpu.mjs").read_text(encoding="utf-8")


def test_a_warm_round_needs_a_first_load_that_went_well(talk: Talk, artifact_dir: Path) -> None:
    message = case_message(artifact_dir, "noop_web", "noop_web", cache="warm")
    last = talk(message=message, artifact_dir=artifact_dir).conversation.last
    assert isinstance(last, Failed) and last.code == "load_failed" and "to warm the profile" in last.reason


def test_the_last_word_is_repeated_until_it_is_acknowledged(talk: Talk, artifact_dir: Path) -> None:
    message = case_message(artifact_dir, "noop_web", "noop_web")
    spoken = talk(message=message, artifact_dir=artifact_dir, drop_last_words=2)
    assert spoken.connections == 3 and len(spoken.of("done")) == 3


def test_it_stops_when_told(talk: Talk, artifact_dir: Path) -> None:
    policy = LoopPolicy(slice_ns=20_000_000_000, narrow_within=0.0)
    message = case_message(artifact_dir, "noop_web", "noop_web", policy=policy)
    spoken = talk(message=message, artifact_dir=artifact_dir, stop_after="samples")
    assert spoken.conversation.last is None and spoken.connections == 1
    assert (
        spoken.at_s[-1]
        - next(at for event, at in zip(spoken.events, spoken.at_s, strict=True) if event.event == "samples")
        < 1
    )


@pytest.mark.long
def test_it_shows_that_it_is_alive_while_it_fetches(talk: Talk, artifact_dir: Path) -> None:
    script = """
        const asked = globalThis.fetch;
        globalThis.fetch = async (...words) => {
          if (String(words[0]).includes('/expected/')) await new Promise((go) => setTimeout(go, 3500));
          return asked(...words);
        };"""
    message = case_message(artifact_dir, "noop_web", "noop_web")
    spoken = talk(message=message, artifact_dir=artifact_dir, init_script=script)
    assert isinstance(spoken.conversation.last, Done) and len(spoken.of("alive")) >= 3
    assert max(np.diff(spoken.at_s)) < 2


@pytest.mark.long
def test_a_lost_device_fails_at_once(talk: Talk, artifact_dir: Path) -> None:
    script = """
        const asked = GPUAdapter.prototype.requestDevice;
        GPUAdapter.prototype.requestDevice = async function (...words) {
          const device = await asked.apply(this, words);
          const lost = new Promise((say) => setTimeout(() => say({ reason: 'unknown', message: 'gone' }), 1500));
          Object.defineProperty(device, 'lost', { value: lost });
          return device;
        };"""
    policy = LoopPolicy(slice_ns=20_000_000_000, narrow_within=0.0)
    message = case_message(artifact_dir, "webgpu", policy=policy)
    last = talk(message=message, artifact_dir=artifact_dir, init_script=script).conversation.last
    assert last == Failed(code="webgpu_lost", reason="gone")


def test_a_device_that_is_destroyed_under_the_runtime_is_lost(talk: Talk, artifact_dir: Path) -> None:
    script = """
        const asked = GPUAdapter.prototype.requestDevice;
        GPUAdapter.prototype.requestDevice = async function (...words) {
          const device = await asked.apply(this, words);
          setTimeout(() => device.destroy(), 1500);
          return device;
        };"""
    policy = LoopPolicy(slice_ns=20_000_000_000, narrow_within=0.0)
    message = case_message(artifact_dir, "webgpu", policy=policy)
    last = talk(message=message, artifact_dir=artifact_dir, init_script=script).conversation.last
    assert isinstance(last, Failed) and last.code == "webgpu_lost"


def test_a_lost_context_of_webnn_fails_by_its_own_name(talk: Talk, artifact_dir: Path) -> None:
    # The first context is the probe's; the second is the one that the runtime computes with.
    script = """
        const asked = ML.prototype.createContext;
        let contexts = 0;
        ML.prototype.createContext = async function (...words) {
          const context = await asked.apply(this, words);
          contexts += 1;
          if (contexts === 2) setTimeout(() => context.destroy(), 1500);
          return context;
        };"""
    policy = LoopPolicy(slice_ns=20_000_000_000, narrow_within=0.0)
    message = case_message(artifact_dir, "webnn", policy=policy)
    last = talk(message=message, artifact_dir=artifact_dir, init_script=script).conversation.last
    assert isinstance(last, Failed) and last.code == "webnn_lost" and "context is lost" in last.reason


def test_a_stray_error_of_the_page_fails_the_round(talk: Talk, artifact_dir: Path) -> None:
    script = "setTimeout(() => { throw new Error('stray') }, 300)"
    policy = LoopPolicy(slice_ns=20_000_000_000, narrow_within=0.0)
    message = case_message(artifact_dir, "noop_web", "noop_web", policy=policy)
    last = talk(message=message, artifact_dir=artifact_dir, init_script=script).conversation.last
    assert isinstance(last, Failed) and last.code == "page_error" and "stray" in last.reason


def test_probe(talk: Talk) -> None:
    hello = talk(message=Probe()).conversation.hello
    assert hello is not None and hello.runtime == {}
    found = hello.provenance
    assert found["wasm"] == {"simd": True, "threads": True}
    assert found["webgpu"]["available"] is True and found["webgpu"]["software"] is True and found["software"] is True
    assert found["webgpu"]["limits"]["maxBufferSize"] > 0
    assert found["webnn"]["present"] is True and found["webnn"]["contexts"]["cpu"] == {"ok": True}
    assert "Chrome" in found["user_agent"] and found["visibility"] == "visible"
