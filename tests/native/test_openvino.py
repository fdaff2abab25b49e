"""OpenVINO through a real worker: the precision it computes in is the one asked for, or it is Unsupported."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import openvino
import pytest

from harness.core.events import CaseMessage, Done, Profile, Refused
from harness.core.nouns import Artifact, LoopPolicy
from native.backends import openvino as backend
from native.backends.openvino import operators_of
from tests.making import make_case
from tests.native.ort_rounds import do_round, furthest, in_precision

Tiny = tuple[Artifact, Path]
CAN = set(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def test_fp32_is_computed_in_fp32_with_the_threads_of_the_case(tiny_bert: Tiny) -> None:
    heard = do_round(tiny_bert, backend="openvino", threads=1)
    assert isinstance(heard.last, Done), heard.last
    assert furthest(heard, tiny_bert) < 1e-5, "bf16 would be off by more"
    told = heard.told("provenance")
    assert set(told["openvino"]["computed_in"]) == {"f32"}
    assert told["threads"] == 1 and told["openvino"]["execution_devices"] == ["CPU"]


def test_bf16_reads_the_fp32_graph_and_computes_in_bf16_or_is_unsupported(tiny_bert: Tiny) -> None:
    heard = do_round(tiny_bert, backend="openvino", precision="bf16")
    if "BF16" not in CAN:
        assert isinstance(heard.last, Refused) and "bf16 was asked for" in heard.last.reason
        return
    assert isinstance(heard.last, Done), heard.last
    assert set(heard.told("provenance")["openvino"]["computed_in"]) == {"bf16"}
    assert 1e-5 < furthest(heard, tiny_bert) < 5e-2


def test_fp16_is_not_computed_in_something_else(tiny_bert: Tiny, tmp_path: Path) -> None:
    heard = do_round(in_precision(tiny_bert, "fp16", tmp_path), backend="openvino", precision="fp16")
    if "FP16" in CAN:
        assert isinstance(heard.last, Done), heard.last
    else:
        assert isinstance(heard.last, Refused)
        assert "f16 was asked for" in heard.last.reason and "FP32" in heard.last.reason


@pytest.mark.parametrize(("precision", "within"), [("int8", 0.05), ("int4", 0.05)])
def test_quantised_graphs_are_read(tiny_bert: Tiny, tmp_path: Path, precision: str, within: float) -> None:
    small = in_precision(tiny_bert, precision, tmp_path)
    heard = do_round(small, backend="openvino", precision=precision)
    assert isinstance(heard.last, Done), heard.last
    assert furthest(heard, small) < within
    told = heard.told("provenance")
    computed_in = told["openvino"]["computed_in"]
    integers = {"i8", "u8"} & computed_in.keys()
    assert precision != "int8" or bool(integers) is not bool(told["doubts"])
    assert precision != "int4" or computed_in.get("u4", 0) + computed_in.get("i4", 0) > 0


def test_a_device_that_is_not_here_is_unsupported_with_what_to_install(tiny_bert: Tiny) -> None:
    if any(each.startswith("NPU") for each in openvino.Core().available_devices):
        pytest.skip("there is an NPU here")
    heard = do_round(tiny_bert, backend="openvino", device="npu")
    assert isinstance(heard.last, Refused) and "install the NPU's driver" in heard.last.reason
    told = backend.available()
    assert told["openvino:npu"] == heard.last.reason and told["openvino"] is None


def test_auto_tells_which_device_ran(tiny_bert: Tiny) -> None:
    heard = do_round(tiny_bert, backend="openvino", device="auto")
    assert isinstance(heard.last, Done), heard.last
    ran = heard.told("provenance")["openvino"]["execution_devices"]
    assert ran and set(ran) <= set(openvino.Core().available_devices)
    assert list(heard.told("placement")["providers"]) == ["+".join(ran)]


@pytest.mark.parametrize("precision", ["fp16", "int4"])
def test_auto_computes_in_what_was_asked_for_or_refuses_as_its_device_does(
    tiny_bert: Tiny, tmp_path: Path, precision: str
) -> None:
    """It tells no hint of its own: on a CPU without fp16 that once passed bf16 for it."""
    small = in_precision(tiny_bert, precision, tmp_path)
    cpu, auto = (do_round(small, backend="openvino", device=each, precision=precision) for each in ("cpu", "auto"))
    assert type(cpu.last) is type(auto.last), (cpu.last, auto.last)
    for mine, other in zip(auto.outputs, cpu.outputs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


def test_a_profile_has_the_layers_that_ran_in_each_run(tiny_bert: Tiny) -> None:
    heard = do_round(tiny_bert, backend="openvino", purpose="profile")
    assert isinstance(heard.last, Done), heard.last
    profile = Profile.model_validate(heard.told("profile"))
    calls = {each.operator: each.count for each in profile.operators}
    products = heard.told("provenance")["openvino"]["computed_in"]["f32"]
    assert calls["FullyConnected"] + calls.get("MatMul", 0) == products * profile.runs
    assert {each.device for each in profile.operators} == {"CPU"}


def _layer(kind: str, mean_us: int, executed_by: str = "jit_f32") -> SimpleNamespace:
    return SimpleNamespace(node_type=kind, exec_type=executed_by, real_time=timedelta(microseconds=mean_us))


def test_what_came_before_is_taken_out_of_the_means() -> None:
    """3 runs of 3000 µs altogether, then 20 of 10 µs: the mean of all 23 is 139 µs, rounded down."""
    early = [_layer("MatMul", 1000), _layer("MatMul", 50), _layer("Add", 0, "undef"), _layer("Result", 3)]
    late = [_layer("MatMul", 3200 // 23), _layer("MatMul", 50), _layer("Add", 0, "undef"), _layer("Result", 3)]
    (only,) = operators_of(early, late, 20, "CPU")
    assert (only.operator, only.device, only.count) == ("MatMul", "CPU", 40)
    assert 0 <= 20 * (10 + 50) * 1000 - only.self_ns < 23_000, "each mean is less than 1 µs too low"


def test_outputs_are_the_sessions_own_and_not_what_the_next_run_writes_over(tiny_bert: Tiny) -> None:
    artifact, folder = tiny_bert
    case = make_case(model=artifact.model, platform="openvino", backend="openvino")
    policy = LoopPolicy(slice_ns=1)
    message = CaseMessage(
        round_id="r", case=case, artifact=artifact, base=str(folder), outputs_to="", policy=policy
    )  # fmt: skip
    session = backend.OpenVinoSession(message)
    session.prepare()
    session.load()
    session.run()
    kept = session.outputs()
    assert [name for name, _ in kept] == [tensor.name for tensor in artifact.expected]
    before = [array.copy() for _, array in kept]
    session._inputs["input_ids"][:] = 1  # the request reads this array
    session.run()
    assert all(np.array_equal(array, copy) for (_, array), copy in zip(kept, before, strict=True))
    assert not np.array_equal(session.outputs()[0][1], before[0])


def test_importing_it_sends_nothing_and_leaves_nothing_at_home(tmp_path: Path) -> None:
    """What its package for usage data does first is to write who this is into the home folder."""
    program = "import sys, native.backends.openvino; print('openvino_telemetry.main' in sys.modules)"
    environment = {**os.environ, "HOME": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
    assert not (tmp_path / "intel").exists()
