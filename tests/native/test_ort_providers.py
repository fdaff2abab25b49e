"""Providers that cannot be here, against a stand-in of the runtime that keeps what it was told."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from harness.core.errors import Unsupported
from harness.core.events import CaseMessage
from harness.core.nouns import Artifact, LoopPolicy
from native.backends import onnxruntime as backend
from native.onnxruntime.providers import PROVIDERS, outcome_of
from native.seam import BackendFailed
from tests.making import make_case


class Binding:
    def __init__(self, calls: list[Any]) -> None:
        self._calls = calls

    def bind_cpu_input(self, name: str, array: Any) -> None:
        self._calls.append(("input", name))

    def clear_binding_outputs(self) -> None:
        self._calls.append("clear outputs")

    def bind_output(self, name: str, memory: str) -> None:
        self._calls.append(("output", name, memory))

    def synchronize_outputs(self) -> None:
        self._calls.append("wait")

    def copy_outputs_to_cpu(self) -> list[Any]:
        self._calls.append("copy")
        return [np.zeros(1)]


class Output:
    name = "y"


class StandIn:
    """The part of `onnxruntime` that a session uses, for a build with these providers."""

    __version__ = "0"

    def __init__(self, *providers: str, keeps: bool = True) -> None:
        self.calls: list[Any] = []
        self._providers, self._keeps = list(providers), keeps
        self.SessionOptions = onnxruntime.SessionOptions

    def get_available_providers(self) -> list[str]:
        return self._providers

    def get_ep_devices(self) -> list[Any]:
        return []

    def InferenceSession(self, path: str, options: Any, providers: Any, enable_fallback: int) -> "StandIn":
        self.calls.append(("open", providers, enable_fallback))
        return self

    def get_providers(self) -> list[str]:
        return self._providers if self._keeps else ["CPUExecutionProvider"]

    def get_provider_options(self) -> dict[str, Any]:
        return {}

    def get_outputs(self) -> list[Output]:
        return [Output()]

    def io_binding(self) -> Binding:
        return Binding(self.calls)

    def run_with_iobinding(self, binding: Binding) -> None:
        self.calls.append("run")


def opened(
    tiny: tuple[Artifact, Path], stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, **case: Any
) -> backend.OnnxRuntimeSession:
    monkeypatch.setattr("native.backends.onnxruntime.onnxruntime", stand_in)
    artifact, folder = tiny
    wanted = make_case(model=artifact.model, platform="onnxruntime", backend="onnxruntime", **case)
    message = CaseMessage(
        round_id="r", case=wanted, artifact=artifact, base=str(folder), outputs_to="", policy=LoopPolicy(slice_ns=1)
    )
    session = backend.OnnxRuntimeSession(message)
    session.prepare()
    return session


@pytest.mark.parametrize(("outputs", "memory"), [("host", "cpu"), ("device", "cuda")])
def test_a_run_on_a_gpu_takes_inputs_from_the_host_and_is_waited_for(
    tiny_bert: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch, outputs: str, memory: str
) -> None:
    stand_in = StandIn("CUDAExecutionProvider", "CPUExecutionProvider")
    session = opened(tiny_bert, stand_in, monkeypatch, device="cuda", outputs=outputs)
    session.load()
    session.run()
    assert [name for name, _ in session.outputs()] == ["y"]
    inputs = [("input", tensor.name) for tensor in tiny_bert[0].inputs]
    providers = [("CUDAExecutionProvider", {"device_id": "0", "use_tf32": "0"}), "CPUExecutionProvider"]
    assert stand_in.calls == [
        ("open", providers, 0), "clear outputs", ("output", "y", memory), *inputs, "run", "wait", "copy"
    ]  # fmt: skip


def test_outputs_of_the_run_before_are_let_go_of_outside_the_run(
    tiny_bert: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = StandIn("CUDAExecutionProvider", "CPUExecutionProvider")
    session = opened(tiny_bert, stand_in, monkeypatch, device="cuda")
    session.load()
    del stand_in.calls[:]
    session.drop_outputs()
    session.run()
    inputs = [("input", tensor.name) for tensor in tiny_bert[0].inputs]
    assert stand_in.calls == ["clear outputs", ("output", "y", "cpu"), *inputs, "run", "wait"]


def test_a_provider_that_onnx_runtime_leaves_out_is_no_silent_cpu(
    tiny_bert: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened(tiny_bert, StandIn("CUDAExecutionProvider", keeps=False), monkeypatch, device="cuda")
    with pytest.raises(Unsupported, match="left CUDAExecutionProvider out and would run on CPUExecutionProvider"):
        session.load()


def test_threads_reach_a_provider_that_has_an_option_for_them(
    tiny_bert: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = StandIn("OpenVINOExecutionProvider", "CPUExecutionProvider")
    opened(tiny_bert, stand_in, monkeypatch, device="openvino", threads=3).load()
    (_, providers, _), *rest = stand_in.calls
    assert providers[0][1]["num_of_threads"] == "3" and not rest


def test_a_provider_that_computes_in_fp32_is_not_asked_for_halves(
    tiny_bert: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact, folder = tiny_bert
    halves = artifact.model_copy(update={"onnx": {"fp16": artifact.onnx["fp32"]}})
    stand_in = StandIn("OpenVINOExecutionProvider", "CPUExecutionProvider")
    session = opened((halves, folder), stand_in, monkeypatch, device="openvino", precision="fp16")
    with pytest.raises(Unsupported, match="fp16"):
        session.load()
    assert stand_in.calls == []


def test_tensorrt_is_told_not_to_compute_in_tf32_before_its_session(
    tiny_bert: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    monkeypatch.setattr("os.environ", dict(os.environ))
    opened(
        tiny_bert, StandIn("TensorrtExecutionProvider", "CPUExecutionProvider"), monkeypatch, device="tensorrt"
    ).load()
    assert os.environ["NVIDIA_TF32_OVERRIDE"] == "0"


@pytest.mark.parametrize("device", sorted(PROVIDERS.keys() - {"cpu"}))
def test_every_absent_device_names_its_provider_and_what_to_install(
    tiny_bert: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    monkeypatch.setattr("native.onnxruntime.webgpu.plug_in", lambda runtime: {})
    session = opened(tiny_bert, StandIn("CPUExecutionProvider"), monkeypatch, device=device)
    with pytest.raises(Unsupported) as refused:
        session.load()
    assert PROVIDERS[device].name in str(refused.value) and PROVIDERS[device].install in str(refused.value)


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        ("CUDA failure 2: out of memory ; GPU=0 ; hostname=box", "out_of_memory"),
        ("bfc_arena.cc:376 Available memory of 12 is smaller than requested bytes of 24", "out_of_memory"),
        ("EP_FAIL : WebGPU device lost (2): A valid external Instance reference no longer exists.", "device_lost"),
        ("DmlCommandRecorder.cpp(371): 887A0005 DXGI_ERROR_DEVICE_REMOVED", "device_lost"),
        ("CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version", None),
        ("Program Gather requires f16 but the device does not support it.", None),
        ("CUDA failure 100: no CUDA-capable device is detected", None),
        ("Could not find an implementation for Foo(1)", None),
    ],
)
def test_foreign_errors_become_ours(words: str, outcome: str | None) -> None:
    found = outcome_of("cuda", "load_failed", RuntimeError(words))
    assert words[-40:] in str(found)
    assert isinstance(found, Unsupported) if outcome is None else isinstance(found, BackendFailed)
    assert getattr(found, "code", None) == outcome
