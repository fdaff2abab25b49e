"""Every precision in a real browser: right, refused in plain words, or broken and called so."""

import asyncio
import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from harness import catalog
from harness.core.events import Conversation, Done, Failed, Note, Profile, Refused
from harness.core.nouns import PRECISIONS, Graph, LoopPolicy
from harness.core.wording import code_by_words, is_refusal
from harness.execute.executor import Assignment, Probes
from harness.execute.page import PageExecutor
from harness.measure.host import memory_of_tree
from tests.core.test_wording import PLAIN, SAID
from tests.page.artifacts import case_message
from tests.page.conductor import PAGE_ROOT, Spoken
from tests.page.precisions import cosine

Talk = Callable[..., Spoken]
SHORT = LoopPolicy(slice_ns=300_000_000, least_time_ns=1_000_000, warm_least_ns=1_000_000)
ORT_WEB = catalog.backends()["ort_web"]
# What rounding to 24, 11, 8 and 4 bits leaves of the direction, with room; a wrong graph is far off.
LEAST_COSINE = {"fp32": 0.999999, "fp16": 0.9999, "int8": 0.99, "int8-static": 0.99, "int4": 0.98, "q4f16": 0.98}


def cosines(spoken: Spoken, folder: Path, iteration: str) -> list[float]:
    """Of each output with what is expected."""
    (outputs,) = spoken.of("outputs", iteration=iteration)
    return [
        cosine(spoken.output(iteration, index), np.fromfile(file, dtype=np.float32).reshape(-1))
        for index, file in zip(range(len(outputs.tensors)), sorted((folder / "expected").iterdir()), strict=True)
    ]


def assert_near(spoken: Spoken, folder: Path, precision: str) -> None:
    assert isinstance(spoken.conversation.last, Done), (spoken.conversation.last, spoken.console)
    for iteration in ("first", "last"):
        assert min(cosines(spoken, folder, iteration)) > LEAST_COSINE[precision]
    for outputs in spoken.of("outputs"):
        assert {tensor.dtype for tensor in outputs.tensors} == {"float32"}


def test_every_precision_is_offered_or_refused_with_a_reason() -> None:
    pages = [backend for backend in catalog.backends().values() if backend.side == "page" and not backend.for_tests]
    for backend in pages:
        assert {*backend.precisions} | {*backend.refuses} == {*PRECISIONS}, backend.name
        assert not {*backend.precisions} & {*backend.refuses} and all(backend.refuses.values())


@pytest.mark.parametrize("precision", ORT_WEB.precisions)
def test_wasm_is_right_in_every_precision(talk: Talk, bert_dir: Path, precision: str) -> None:
    message = case_message(bert_dir, "wasm", precision=precision, policy=SHORT)
    assert_near(talk(message=message, artifact_dir=bert_dir), bert_dir, precision)


def test_what_was_measured_is_that_precision(talk: Talk, bert_dir: Path) -> None:
    """Outputs of a coarser graph are further from the expected ones: it is not fp32's that are judged."""
    away = {}
    for precision in ("fp32", "int8"):
        message = case_message(bert_dir, "wasm", precision=precision, policy=SHORT)
        away[precision] = 1 - min(cosines(talk(message=message, artifact_dir=bert_dir), bert_dir, "last"))
    assert away["int8"] > 1000 * max(away["fp32"], math.ulp(1))


@pytest.mark.parametrize("precision", ["fp16", "q4f16"])
def test_halves_need_an_adapter_that_has_them(talk: Talk, bert_dir: Path, precision: str) -> None:
    spoken = talk(message=case_message(bert_dir, "webgpu", precision=precision, policy=SHORT), artifact_dir=bert_dir)
    assert spoken.conversation.last == Refused(reason=f"the adapter has no shader-f16, which {precision} needs")
    assert spoken.of("phase", phase="load") == [], "nothing is loaded for that"


@pytest.mark.long
@pytest.mark.parametrize("precision", ["fp16", "q4f16"])
def test_halves_are_computed_where_the_adapter_has_them(bert_dir: Path, tmp_path: Path, precision: str) -> None:
    message = case_message(bert_dir, "webgpu", precision=precision)
    case = message.case.model_copy(update={"browser": "firefox"})
    assignment = Assignment(
        "r", case, message.artifact, bert_dir, tmp_path, SHORT, silence_limit_s=90, purpose="profile"
    )  # fmt: skip
    conversation, profile = asyncio.run(one_round(assignment))
    assert isinstance(conversation.last, Done), conversation.last
    for index, file in enumerate(sorted((bert_dir / "expected").iterdir())):
        made = np.fromfile(tmp_path / "last" / f"{index}.bin", dtype=np.float32)
        assert cosine(made, np.fromfile(file, dtype=np.float32)) > LEAST_COSINE[precision]
    product = {"fp16": "Gemm", "q4f16": "MatMulNBits"}[precision]
    # Six products with weights in each of two layers; the pooler's is another kind in one of the graphs.
    (row,) = (each for each in profile.operators if each.operator == product)
    assert row.device == "WebGpuExecutionProvider" and row.count >= 12 * profile.runs and row.self_ns > 0


async def one_round(assignment: Assignment) -> tuple[Conversation, Profile]:
    """What was said, and the profile among it."""
    executor, conversation, notes = PageExecutor(Probes(memory_of_tree)), Conversation(), []
    async for event in executor.execute(assignment):
        conversation.accept(event)
        notes += [event.data] if isinstance(event, Note) and event.kind == "profile" else []
    await executor.close()
    assert len(notes) == 1, conversation.last
    return conversation, Profile.model_validate(notes[0])


@pytest.mark.long
def test_weights_in_blocks_run_on_webgpu(talk: Talk, bert_dir: Path) -> None:
    spoken = talk(message=case_message(bert_dir, "webgpu", precision="int4", policy=SHORT), artifact_dir=bert_dir)
    assert_near(spoken, bert_dir, "int4")


@pytest.mark.parametrize(
    "precision", ["fp16", "int8", *(pytest.param(each, marks=pytest.mark.long) for each in ("int4", "q4f16"))]
)
def test_webnn_runs_what_it_can_and_leaves_the_rest_to_the_cpu(talk: Talk, bert_dir: Path, precision: str) -> None:
    spoken = talk(message=case_message(bert_dir, "webnn", precision=precision, policy=SHORT), artifact_dir=bert_dir)
    assert_near(spoken, bert_dir, precision)
    (placement,) = (event for event in spoken.events if isinstance(event, Note) and event.kind == "placement")
    assert (placement.data["fallback_share"] > 0) is (precision != "fp16"), placement.data


def test_what_breaks_has_failed_in_the_runtimes_words(talk: Talk, bert_dir: Path) -> None:
    """A scale and a zero point of different shapes, which ONNX allows and the browser's WebNN does not."""
    message = case_message(bert_dir, "webnn", precision="int8-static", policy=SHORT)
    last = talk(message=message, artifact_dir=bert_dir).conversation.last
    assert isinstance(last, Failed) and last.code == "load_failed" and "dequantizeLinear" in last.reason


def test_an_operator_without_a_kernel_is_unsupported(talk: Talk, bert_dir: Path, tmp_path: Path) -> None:
    """A determinant in float64: ONNX Runtime has one in float32."""
    matrix = helper.make_tensor_value_info("matrix", TensorProto.DOUBLE, [2, 2])
    result = helper.make_tensor_value_info("result", TensorProto.DOUBLE, [])
    graph = helper.make_graph([helper.make_node("Det", ["matrix"], ["result"])], "det", [matrix], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save_model(model, tmp_path / "model.onnx")
    message = case_message(bert_dir, "wasm", policy=SHORT)
    small = message.artifact.model_copy(update={"inputs": (), "onnx": {"fp32": Graph(file="model.onnx")}})
    last = talk(message=message.model_copy(update={"artifact": small}), artifact_dir=tmp_path).conversation.last
    assert isinstance(last, Refused) and "Could not find an implementation for Det" in last.reason


def test_the_page_reads_the_same_words_as_the_native_side() -> None:
    texts = [text for text, _ in (*SAID, *PLAIN)]
    script = f"""
        const {{ Unsupported, asOutcome }} = await import({json.dumps((PAGE_ROOT / "backends" / "seam.js").as_uri())});
        const outcomes = {json.dumps(texts)}.map((text) => asOutcome('other', new Error(text), 'wasm'));
        console.log(JSON.stringify(outcomes.map((each) => each instanceof Unsupported ? 'refusal' : each.code)));"""
    command = ["node", "--input-type=module", "--eval", script]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    for text, outcome in zip(texts, said, strict=True):
        code = code_by_words(text)
        native = "refusal" if is_refusal(text) else "other" if code == "disk_full" else code or "other"
        assert outcome == native, text
