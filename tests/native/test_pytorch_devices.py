"""What the PyTorch backend does around a run on an accelerator, with a stand-in for the row of its table of devices.

No accelerator is here, so nothing of this is measured: the stand-in computes on the CPU, and tells what it was asked.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from harness import catalog
from harness.core.errors import Unsupported
from harness.core.events import CaseMessage
from harness.core.nouns import Artifact, LoopPolicy
from native.backends import pytorch
from native.pytorch import devices
from native.pytorch.devices import DEVICES, Device
from native.pytorch.errors import outcome_of
from native.seam import BackendFailed, TellsMemory
from tests.making import make_case


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the stand-in for `cuda` was asked to do, in order."""
    said: list[str] = []

    def say(word: str) -> Callable[[], None]:
        return lambda: said.append(word)

    peak = {"stand_in_peak": 7}
    stand_in = Device(
        "cpu", lambda: None, say("synchronize"), say("reset_peak"), lambda: peak, lambda: {"type": "none"}
    )
    monkeypatch.setitem(DEVICES, "cuda", stand_in)
    return said


def message_for(model: tuple[Artifact, Path], out: Path, outputs: str = "host") -> CaseMessage:
    artifact, folder = model
    case = make_case(
        model=artifact.model, task=artifact.task, backend="pytorch", platform="cuda", device="cuda", outputs=outputs,
        length=artifact.length,
    )  # fmt: skip
    policy = LoopPolicy(slice_ns=1)
    return CaseMessage(round_id="r", case=case, artifact=artifact, base=str(folder), outputs_to=str(out), policy=policy)


@pytest.mark.parametrize("outputs", ["host", "device"])
def test_a_run_ends_with_one_wait_for_the_device_and_the_peak_begins_before_the_load(
    outputs: str, tiny_bert: tuple[Artifact, Path], tmp_path: Path, asked: list[str]
) -> None:
    session = pytorch.PyTorchSession(message_for(tiny_bert, tmp_path, outputs))
    session.prepare()
    assert asked == [], "reading inputs asks nothing of a device"
    session.load()
    assert asked == ["reset_peak", "synchronize"]
    for _ in range(3):
        session.run()
    assert asked[2:] == ["synchronize"] * 3
    session.outputs()
    assert len(asked) == 5, "outputs are read outside of a run, which has waited already"
    assert isinstance(session, TellsMemory) and session.memory() == {"stand_in_peak": 7}


def test_outputs_on_the_host_are_read_before_the_wait_and_those_on_the_device_stay(
    tiny_bert: tuple[Artifact, Path], tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = torch.Tensor.cpu

    def heard(tensor: torch.Tensor) -> torch.Tensor:
        asked.append("read")
        return read(tensor)

    monkeypatch.setattr(torch.Tensor, "cpu", heard)
    counts = {}
    for outputs in ("host", "device"):
        session = pytorch.PyTorchSession(message_for(tiny_bert, tmp_path, outputs))
        session.prepare()
        session.load()
        asked.clear()
        session.run()
        assert asked[-1] == "synchronize"
        counts[outputs] = asked.count("read")
    assert counts == {"host": len(tiny_bert[0].expected), "device": 0}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."), "out_of_memory"),
        (RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"), "out_of_memory"),
        (RuntimeError("CUDA error: device-side assert triggered\nCUDA kernel errors might be …"), "device_lost"),
        (RuntimeError("CUDA error: unspecified launch failure"), "device_lost"),
        (RuntimeError("Native API failed. Native API returns: 20 (UR_RESULT_ERROR_DEVICE_LOST)"), "device_lost"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "inference_failed"),
    ],
)
def test_an_error_of_a_device_has_its_code(error: Exception, code: str) -> None:
    outcome = outcome_of("inference_failed", error)
    assert isinstance(outcome, BackendFailed) and outcome.code == code


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("CUDA error: no kernel image is available for execution on the device\nCompile"), "install"),
        (NotImplementedError("The operator 'aten::x' is not currently implemented for the MPS device."), "aten::x"),
        (RuntimeError("\"addmm_impl_cpu_\" not implemented for 'Half'"), "Half"),
    ],
)
def test_what_a_device_has_no_code_for_is_unsupported_in_torchs_words(error: Exception, words: str) -> None:
    outcome = outcome_of("inference_failed", error)
    assert isinstance(outcome, Unsupported)
    assert words in str(outcome) and str(error).splitlines()[0] in str(outcome)


def test_the_error_of_a_run_is_translated(
    tiny_bert: tuple[Artifact, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose() -> None:
        raise RuntimeError("CUDA error: unspecified launch failure")

    lost = Device("cpu", lambda: None, lambda: None, lambda: None, dict, dict)
    monkeypatch.setitem(DEVICES, "cuda", lost)
    session = pytorch.PyTorchSession(message_for(tiny_bert, tmp_path))
    session.prepare()
    session.load()
    monkeypatch.setattr(session, "_device", Device("cpu", lambda: None, lose, lambda: None, dict, dict))
    with pytest.raises(BackendFailed) as raised:
        session.run()
    assert raised.value.code == "device_lost"


def test_every_platform_says_whether_it_is_here() -> None:
    found = pytorch.available()
    assert list(found) == list(catalog.backends()["pytorch"].platforms)
    assert found["cpu"] is None
    assert all(reason is None or "install" in reason or "needs" in reason for reason in found.values())


@pytest.mark.parametrize(("has", "lacks", "title"), [("hip", "cuda", "ROCm"), ("cuda", "hip", "CUDA")])
def test_one_build_is_for_cuda_or_for_rocm_and_says_for_which(
    has: str, lacks: str, title: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, has, "9.9")
    monkeypatch.setattr(torch.version, lacks, None)
    reason = devices._cuda_like(lacks)
    assert reason is not None and f"is built for {title} 9.9" in reason
