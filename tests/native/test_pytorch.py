"""PyTorch through the real worker: every precision and option that it offers, and what it says no to."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.core.events import Conversation, Done, Event, Note, Profile, Refused, Samples
from harness.core.nouns import Artifact, LoopPolicy
from harness.execute.executor import Assignment, Probes
from harness.execute.native import NativeExecutor
from harness.measure.host import memory_of_tree
from harness.measure.verify import TOLERANCE, compare
from native.pytorch.options import to_channels_last
from native.seam import read_tensor
from tests.making import make_case

SHORT = LoopPolicy(slice_ns=200_000_000, least_time_ns=1_000_000, warm_least_ns=1_000_000)
Exported = tuple[Artifact, Path]
Export = Callable[[str], Exported]
Hear = Callable[[Assignment], tuple[Conversation, list[Event]]]
# Of the largest expected magnitude. bf16 has 8 bits of mantissa, int8 7 and a sign, and errors add up over two layers.


@pytest.fixture(scope="session")
def exported(shared_artifact: Callable[[dict[str, Any]], Exported]) -> Export:
    """Architecture or part of diffusers → its tiny Artifact."""
    return lambda name: shared_artifact({"model": name, "scale": "tiny", "hardware": "cpu"})


@pytest.fixture(scope="session")
def tiny_vit(exported: Export) -> Exported:
    return exported("vit")


def round_of(model: Exported, out: Path, purpose: Any = "timing", **changes: Any) -> Assignment:
    artifact, folder = model
    fields: dict[str, Any] = {"backend": "pytorch", "platform": "cpu", "isolation": "zygote"}
    fields |= {"device": "cpu", "threads": 2, "length": artifact.length}
    case = make_case(model=artifact.model, task=artifact.task, **{**fields, **changes})
    return Assignment("r", case, artifact, folder, out, SHORT, 200, purpose=purpose)


@pytest.fixture(scope="module")
def hear() -> Iterator[Hear]:
    """Every Round in a process of its own, forked from one in which PyTorch is imported once."""

    async def converse(assignment: Assignment) -> tuple[Conversation, list[Event]]:
        conversation, events = Conversation(), []
        async for event in executor.execute(assignment):
            conversation.accept(event)
            events.append(event)
        return conversation, events

    with asyncio.Runner() as runner:
        executor = NativeExecutor(Probes(memory_of_tree))
        yield lambda assignment: runner.run(converse(assignment))
        runner.run(executor.close())


def told_after_load(events: list[Event]) -> dict[str, Any]:
    return next(e.data for e in events if isinstance(e, Note) and e.kind == "provenance")


def assert_right(assignment: Assignment, conversation: Conversation) -> None:
    assert isinstance(conversation.last, Done), conversation.last
    for iteration, outputs in conversation.outputs.items():
        got = {tensor.name: index for index, tensor in enumerate(outputs.tensors)}
        for tensor in assignment.artifact.expected:
            assert outputs.tensors[got[tensor.name]].dtype == tensor.dtype, "cast back to what the judge compares with"
            raw = np.fromfile(assignment.outputs_dir / iteration / f"{got[tensor.name]}.bin", dtype=tensor.dtype)
            expected = read_tensor(assignment.artifact_dir, tensor)
            verdict = compare(expected, raw.reshape(tensor.shape), TOLERANCE[assignment.case.precision])
            assert verdict.passed, verdict


@pytest.mark.parametrize(("precision", "dtype"), [("fp16", "float16"), ("bf16", "bfloat16"), ("int8", "float32")])
def test_a_precision_is_right_within_what_its_bits_allow(
    hear: Hear, precision: str, dtype: str, tiny_bert: Exported, tmp_path: Path
) -> None:
    assignment = round_of(tiny_bert, tmp_path, precision=precision)
    conversation, events = hear(assignment)
    assert_right(assignment, conversation)
    assert told_after_load(events)["dtype"] == dtype


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "precision"),
    [("sd-vae-encoder", "fp32"), ("sdxl-unet", "fp32"), ("sdxl-unet", "bf16"), ("wan-transformer", "fp32")],
)
def test_a_part_of_a_diffusion_pipeline_is_called_as_it_was_exported(
    hear: Hear, exported: Export, tmp_path: Path, name: str, precision: str
) -> None:
    assignment = round_of(exported(name), tmp_path, precision=precision)
    conversation, _ = hear(assignment)
    assert_right(assignment, conversation)
    assert conversation.hello is not None and "diffusers" in conversation.hello.runtime


def test_int8_says_how_much_of_the_model_it_reached(hear: Hear, tiny_bert: Exported, tmp_path: Path) -> None:
    assignment = round_of(tiny_bert, tmp_path, precision="int8")
    conversation, events = hear(assignment)
    assert_right(assignment, conversation)
    told = told_after_load(events)
    config = json.loads((tiny_bert[1] / "hf" / "config.json").read_text())
    # A block has query, key, value, output and two of the MLP; then the pooler.
    assert told["quantised_layers"] == told["total_layers"] == 6 * config["num_hidden_layers"] + 1
    assert 0 < told["quantised_share"] < 1, "embeddings and norms stay in fp32"
    assert conversation.hello is not None and "torchao" in conversation.hello.runtime


@pytest.mark.long
def test_int8_is_refused_where_torchao_takes_few_of_the_weights(hear: Hear, exported: Export, tmp_path: Path) -> None:
    conversation, _ = hear(round_of(exported("gpt2"), tmp_path, precision="int8"))
    assert isinstance(conversation.last, Refused), conversation.last
    assert "nn.Linear alone" in conversation.last.reason and "Conv1D" in conversation.last.reason


@pytest.mark.long
def test_compile_begins_with_an_empty_cache_in_every_round(hear: Hear, tiny_bert: Exported, tmp_path: Path) -> None:
    for number in ("1", "2"):
        assignment = round_of(tiny_bert, tmp_path / number, options={"compile": True}, isolation="process")
        conversation, events = hear(assignment)
        assert_right(assignment, conversation)
        assert told_after_load(events)["compile"]["mode"] == "default"
        made = list((tmp_path / number / "inductor").rglob("*.so"))
        assert made, "the kernels were compiled in this round"


@pytest.mark.long
def test_compile_without_a_compiler_says_what_to_install(
    hear: Hear, tiny_bert: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", str(tmp_path / "no-such-compiler"))
    conversation, _ = hear(round_of(tiny_bert, tmp_path, options={"compile": True}, isolation="process"))
    assert isinstance(conversation.last, Refused), conversation.last
    assert "install a C++ compiler" in conversation.last.reason


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        pytest.param({"channels_last": True}, {}, id="channels_last"),
        pytest.param({"autocast": "bf16"}, {"precision": "bf16"}, id="autocast"),
    ],
)
@pytest.mark.long
def test_an_option_gives_right_outputs(
    hear: Hear, options: dict[str, Any], changes: dict[str, Any], tiny_vit: Exported, tmp_path: Path
) -> None:
    assignment = round_of(tiny_vit, tmp_path, options=options, **changes)
    conversation, events = hear(assignment)
    assert_right(assignment, conversation)
    assert told_after_load(events)["dtype"] == "float32", "autocast keeps the weights in fp32"
    plain = round_of(tiny_vit, tmp_path / "plain")
    hear(plain)
    first, second = (np.fromfile(each.outputs_dir / "last" / "0.bin", np.float32) for each in (assignment, plain))
    far = float(np.abs(first - second).max() / np.abs(second).max())
    assert far > 1e-4 if options.get("autocast") else far < 1e-4, "only autocast computes otherwise"


def test_channels_last_changes_the_layout_of_weights_and_inputs() -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 2))
    inputs = to_channels_last(module, {"x": torch.zeros(1, 3, 8, 8), "ids": torch.zeros(1, 4)})
    assert inputs["x"].stride() == (192, 1, 24, 3) and inputs["ids"].stride() == (4, 1)
    assert next(module.parameters()).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"options": {"channels_last": True}}, "no such pair"),
        ({"options": {"channels_last": "false"}}, "takes no value"),
        ({"options": {"autocast": "bf16"}}, "ask for that precision"),
        ({"options": {"compile": "fastest"}}, "max-autotune"),
        ({"outputs": "device"}, "outputs are on the host"),
    ],
)
def test_what_would_mean_nothing_is_refused(
    hear: Hear, changes: dict[str, Any], reason: str, tiny_bert: Exported, tmp_path: Path
) -> None:
    conversation, _ = hear(round_of(tiny_bert, tmp_path, **changes))
    assert isinstance(conversation.last, Refused), conversation.last
    assert reason in conversation.last.reason


@pytest.mark.long
def test_a_profile_names_the_operators_and_their_times_fit_into_the_wall(
    hear: Hear, tiny_vit: Exported, tmp_path: Path
) -> None:
    conversation, events = hear(round_of(tiny_vit, tmp_path, purpose="profile"))
    assert isinstance(conversation.last, Done), conversation.last
    profile = Profile.model_validate(next(e.data for e in events if isinstance(e, Note) and e.kind == "profile"))
    wall_ns = sum(sum(e.durations_ns) for e in events if isinstance(e, Samples) and e.phase == "profiled")
    assert 0 < sum(each.self_ns for each in profile.operators) <= wall_ns
    counts = {each.operator: each.count for each in profile.operators}
    assert counts["aten::mkldnn_convolution"] == profile.runs, "a ViT has one convolution: its patches"
    assert {each.device for each in profile.operators} == {"cpu"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_here_is_refused_with_what_to_install(
    hear: Hear, tiny_bert: Exported, tmp_path: Path
) -> None:
    conversation, _ = hear(round_of(tiny_bert, tmp_path, platform="cuda", device="cuda"))
    assert isinstance(conversation.last, Refused), conversation.last
    assert torch.__version__ in conversation.last.reason and "install" in conversation.last.reason
