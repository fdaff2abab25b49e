"""ONNX Runtime through a real worker: its answers, where its nodes ran, its profile, and what it lacks here."""

import sys
from collections import Counter
from pathlib import Path

import onnx
import onnxruntime
import pytest

from harness.core.events import Done, Profile, Refused, Samples
from harness.core.nouns import Artifact
from harness.core.rounds import Round
from harness.measure.results import doubts
from native.backends import onnxruntime as backend
from native.onnxruntime.profile import computed_in, last_runs, operators
from native.onnxruntime.providers import PROVIDERS
from tests.making import good_round, make_case
from tests.native.ort_rounds import do_round, furthest, in_precision

Tiny = tuple[Artifact, Path]


def test_webgpu_without_a_browser_is_right_and_its_adapter_is_named(tiny_bert: Tiny) -> None:
    heard = do_round(tiny_bert, backend="onnxruntime", device="webgpu")
    assert isinstance(heard.last, Done), heard.last
    assert furthest(heard, tiny_bert) < 1e-4
    told = heard.told("provenance")
    adapter = told["webgpu"]["adapter"]
    assert adapter["description"] and told["runtime"]["onnxruntime-ep-webgpu"]
    by_cpu = any(name in adapter["description"].lower() for name in ("swiftshader", "llvmpipe"))
    assert told["webgpu"]["software"] is by_cpu
    placed = heard.told("placement")
    assert placed["providers"]["WebGpuExecutionProvider"] > len(placed["fallbacks"])
    assert placed["providers"].get("CPUExecutionProvider", 0) == len(placed["fallbacks"])


def test_an_adapter_that_is_refused_is_named(tiny_bert: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform != "linux":
        pytest.skip("only here the adapters are Vulkan's")
    monkeypatch.setenv("VK_DRIVER_FILES", str(tmp_path / "none.json"))
    heard = do_round(tiny_bert, backend="onnxruntime", device="webgpu")
    assert isinstance(heard.last, Refused)
    assert "Vulkan offers none" in heard.last.reason or "libvulkan.so.1" in heard.last.reason


def test_outputs_are_not_left_where_nothing_waits_for_them(tiny_bert: Tiny) -> None:
    heard = do_round(tiny_bert, backend="onnxruntime", device="webgpu", outputs="device")
    assert isinstance(heard.last, Refused) and "waits" in heard.last.reason


@pytest.mark.parametrize("device", ["cuda", "qnn"])
def test_a_provider_that_the_build_lacks_is_unsupported_with_what_to_install(tiny_bert: Tiny, device: str) -> None:
    provider = PROVIDERS[device]
    if provider.name in onnxruntime.get_available_providers():
        pytest.skip(f"{provider.name} is here")
    heard = do_round(tiny_bert, backend="onnxruntime", device=device)
    assert isinstance(heard.last, Refused)
    assert all(each in heard.last.reason for each in (provider.name, "CPUExecutionProvider", provider.install))
    assert provider.install in (backend.available()[f"onnxruntime:{device}"] or "")


def test_half_precision_on_the_cpu_tells_what_was_computed_in_fp32(tiny_bert: Tiny, tmp_path: Path) -> None:
    half = in_precision(tiny_bert, "fp16", tmp_path)
    heard = do_round(half, backend="onnxruntime", precision="fp16")
    assert isinstance(heard.last, Done), heard.last
    assert furthest(heard, half) < 1e-2
    placed = heard.told("placement")
    assert placed["casts_inserted"] > 0 and placed["computed_in"]["float32"] > 0
    assert placed["fallback_share"] == 0
    (doubt,) = placed["doubts"]
    assert "fp32" in doubt and str(placed["casts_inserted"]) in doubt


def test_what_a_backend_doubts_of_itself_is_told_with_its_number() -> None:
    samples = [event for event in good_round([], [1_000_000] * 30) if isinstance(event, Samples)]
    told = {"doubts": ["one"], "placement": {"doubts": ["another", 3]}}
    ran = Round(
        run_id="r", round_id="1", case_id="c", number=1, started_at="now", outcome="ok", samples=tuple(samples),
        provenance=told,
    )  # fmt: skip
    assert {"one", "another"} <= set(doubts(make_case(), [ran]))


def test_optimisation_that_is_turned_off_leaves_more_nodes(tiny_bert: Tiny) -> None:
    nodes = {}
    for level in ("disable", "all"):
        heard = do_round(tiny_bert, backend="onnxruntime", options={"graph_opt": level})
        assert isinstance(heard.last, Done), heard.last
        nodes[level] = heard.told("placement")["providers"]["CPUExecutionProvider"]
    artifact, folder = tiny_bert
    in_graph = [
        node for node in onnx.load(folder / artifact.onnx["fp32"].file).graph.node if node.op_type != "Constant"
    ]
    assert nodes["disable"] == len(in_graph) > nodes["all"]


def test_an_unknown_level_of_optimisation_is_named(tiny_bert: Tiny) -> None:
    heard = do_round(tiny_bert, backend="onnxruntime", options={"graph_opt": "most"})
    assert isinstance(heard.last, Refused) and "graph_opt=most" in heard.last.reason


def test_a_profile_has_every_call_of_the_profiled_runs_and_no_other(tiny_bert: Tiny) -> None:
    heard = do_round(tiny_bert, backend="onnxruntime", purpose="profile")
    assert isinstance(heard.last, Done), heard.last
    profile = Profile.model_validate(heard.told("profile"))
    artifact, folder = tiny_bert
    in_graph = Counter(node.op_type for node in onnx.load(folder / artifact.onnx["fp32"].file).graph.node)
    calls = {each.operator: each.count for each in profile.operators}
    assert in_graph["Softmax"] and calls["Softmax"] == in_graph["Softmax"] * profile.runs
    assert {each.device for each in profile.operators} == {"CPUExecutionProvider"}
    assert not any(each.fallback for each in profile.operators)


def _node(name: str, operator: str, began: int, took: int, **args: object) -> dict[str, object]:
    about = {"op_name": operator, "provider": "CPUExecutionProvider", **args}
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": began, "dur": took, "args": about}


def test_a_graph_within_a_node_is_taken_off_its_time() -> None:
    nodes = [_node("if", "If", 0, 100), _node("a", "MatMul", 10, 60), _node("b", "Add", 70, 20)]
    nodes += [_node("c", "MatMul", 100, 30)]
    taken = {each.operator: (each.count, each.self_ns, each.fallback) for each in operators(nodes, "Other")}
    assert taken == {"MatMul": (2, 90_000, True), "If": (1, 20_000, True), "Add": (1, 20_000, True)}


def test_only_the_last_runs_are_read(tmp_path: Path) -> None:
    def run(began: int) -> dict[str, object]:
        return {"cat": "Session", "name": "model_run", "ts": began, "dur": 10, "args": {}}

    events = [run(0), _node("cold", "Add", 1, 8), run(20), _node("warm", "Add", 21, 2)]
    file = tmp_path / "profile.json"
    file.write_text(str(events).replace("'", '"'))
    assert [each["name"] for each in last_runs(file, 1)] == ["warm_kernel_time"]
    with pytest.raises(ValueError, match="2 runs of 3"):
        last_runs(file, 3)


def test_a_cast_that_onnx_runtime_put_in_is_told_from_the_graphs_own() -> None:
    half, whole = [{"float16": [1]}], [{"int64": [1]}, {"float": [1]}]
    nodes = [
        _node("own", "Cast", 0, 1, input_type_shape=half),
        _node("InsertedPrecisionFreeCast_x", "Cast", 1, 1, input_type_shape=half),
        _node("m", "MatMul", 2, 1, input_type_shape=half),
        _node("g", "Gather", 3, 1, input_type_shape=whole),
    ]
    told = computed_in(nodes)
    assert (told["computed_in"], told["casts_inserted"]) == ({"float16": 1, "float32": 1}, 1)
