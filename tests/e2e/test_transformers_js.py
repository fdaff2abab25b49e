"""transformers.js beside the raw session in the embedded Chromium: what its pipelines answer is PyTorch's answer, and
a wrong tokenizer or image processor is found out."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import catalog
from harness.core.events import Conversation, Done, Event, Note, Refused, Samples
from harness.core.nouns import Artifact, LoopPolicy
from harness.core.rounds import Verdict
from harness.execute.executor import Assignment, Probes
from harness.execute.page import PageExecutor
from harness.export.process import inspect_model
from harness.measure.host import memory_of_tree
from harness.measure.verify import judge
from harness.plan.cases import make_plan
from harness.plan.selection import make_selection

SHORT = LoopPolicy(slice_ns=1_000_000_000, least_time_ns=10_000_000)
PARTS = ("preprocess_ms", "infer_ms", "postprocess_ms")
Made = Callable[..., tuple[Artifact, Path]]


@pytest.fixture(scope="module")
def made(shared_artifact: Callable[[dict[str, Any]], tuple[Artifact, Path]]) -> Made:
    """Model and task → a tiny Artifact, really exported."""

    def make(model: str, task: str, length: int = 16) -> tuple[Artifact, Path]:
        return shared_artifact({"model": model, "task": task, "scale": "tiny", "length": length, "batch_size": 2})

    return make


def answered(
    artifact: Artifact, folder: Path, out: Path, heard: list[Event] | None = None
) -> tuple[Conversation, Verdict | None]:
    """One Round on wasm and, where it was done, the judge's word on it; what the page said is added to `heard`."""
    told: list[Event] = [] if heard is None else heard
    flags = {"model": "bert", "hardware": "wasm", "backend": "transformers_js"}
    case = make_plan(make_selection(None, flags), inspect_model).cases[0].case
    case = case.model_copy(update={"model": artifact.model, "task": artifact.task, "threads": 2})
    assignment = Assignment("round", case, artifact, folder, out, SHORT, silence_limit_s=120)

    async def converse() -> Conversation:
        conversation, executor = Conversation(), PageExecutor(Probes(memory_of_tree))
        try:
            async for event in executor.execute(assignment):
                conversation.accept(event)
                told.append(event)
        finally:
            await executor.close()
        return conversation

    conversation = asyncio.run(converse())
    if not isinstance(conversation.last, Done):
        return conversation, None
    parts = {event.phase: event for event in told if isinstance(event, Samples) and event.phase.startswith("part_")}
    assert parts.keys() == {f"part_{name.removesuffix('_ms')}" for name in PARTS}
    assert all(len(event.durations_ns) == 20 for event in parts.values())
    return conversation, judge(artifact, folder, conversation.outputs, out, case)


@pytest.fixture(scope="module", params=("wasm", "webgpu"))
def minilm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Backend → case of the pretrained MiniLM on one platform."""
    selection = [
        "--model", "sentence-transformers/all-MiniLM-L6-v2", "--length", "16", "--batch-size", "2",
        "--hardware", request.param, "--backend", "ort_web,transformers_js", "--rounds", "1", "--budget", "1s",
        "--json",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", *selection],
        cwd=tmp_path_factory.mktemp("minilm"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {case["backend"]: case for case in json.loads(done.stdout)["cases"]}


@pytest.mark.long
def test_embeddings_are_right_beside_the_raw_session(minilm: dict[str, Any]) -> None:
    for backend in ("ort_web", "transformers_js"):
        case = minilm[backend]
        assert case["outcome"] == "ok" and case["correct"]["checked"], case["reason"]
        assert case["correct"]["reference"] == "pytorch-fp32"
        assert case["correct"]["max_abs"] <= case["correct"]["tolerance"]
    raw, piped = minilm["ort_web"], minilm["transformers_js"]
    pinned = json.loads((catalog.PAGE_ROOT / "package.json").read_text())["dependencies"]
    assert piped["runtime"] == f"@huggingface/transformers@{pinned['@huggingface/transformers']}"
    assert raw["runtime"] == f"onnxruntime-web@{pinned['onnxruntime-web']}"
    assert piped["fallback_share"] is None, "it does not say where its nodes ran, and that is not 0"
    assert raw["fallback_share"] is not None


@pytest.mark.long
def test_the_parts_make_up_the_latency(minilm: dict[str, Any]) -> None:
    piped = minilm["transformers_js"]["metrics"]
    parts = [piped[name] for name in PARTS]
    assert all(part > 0 for part in parts) and max(parts) == piped["infer_ms"]
    assert 0.2 < sum(parts) / piped["latency_median_ms"] < 5
    raw = minilm["ort_web"]["metrics"]
    assert [raw[name] for name in PARTS] == [None] * 3, "a raw session has no such parts"


IMAGES = ("vit", "image-classification")
TEXTS = ("bert", "text-classification")  # at every commit


@pytest.mark.parametrize(("model", "task"), [TEXTS, pytest.param(*IMAGES, marks=pytest.mark.long)])
def test_scores_are_right(made: Made, tmp_path: Path, model: str, task: str) -> None:
    conversation, verdict = answered(*made(model, task), tmp_path)
    assert verdict is not None, conversation.last
    assert verdict.passed and verdict.checked and verdict.agreement == 1, verdict
    assert [tensor.name for tensor in conversation.outputs["last"].tensors] == ["scores"]
    assert conversation.hello is not None
    assert {"@huggingface/transformers", "onnxruntime-web"} <= conversation.hello.runtime.keys()


def swap_words(hf: Path) -> None:
    """A vocabulary in which two words of the texts have each other's place."""
    told = json.loads((hf / "tokenizer.json").read_text())
    words = told["model"]["vocab"]
    words["ferry"], words["honey"] = words["honey"], words["ferry"]
    (hf / "tokenizer.json").write_text(json.dumps(told))


def shift_colours(hf: Path) -> None:
    told = json.loads((hf / "preprocessor_config.json").read_text())
    (hf / "preprocessor_config.json").write_text(json.dumps({**told, "image_mean": [0.485, 0.456, 0.406]}))


@pytest.mark.parametrize(
    ("model", "task", "spoil"),
    [(*TEXTS, swap_words), pytest.param(*IMAGES, shift_colours, marks=pytest.mark.long)],
)
def test_a_wrong_tokenizer_or_processor_is_a_wrong_answer(
    made: Made, tmp_path: Path, model: str, task: str, spoil: Callable[[Path], None]
) -> None:
    artifact, folder = made(model, task)
    spoiled = tmp_path / "artifact"
    shutil.copytree(folder, spoiled)
    spoil(spoiled / "hf")
    conversation, verdict = answered(artifact, spoiled, tmp_path / "out")
    assert isinstance(conversation.last, Done) and verdict is not None
    assert not verdict.passed and verdict.checked and "off by" in str(verdict.reason)


@pytest.mark.long
def test_a_cut_text_is_a_wrong_answer_and_said(made: Made, tmp_path: Path) -> None:
    """transformers.js 4.3.1 cuts off [SEP] with the rest, transformers keeps it. Once it is mended, so is this."""
    artifact, folder = made(*TEXTS, length=8)
    told: list[Event] = []
    _, verdict = answered(artifact, folder, tmp_path, told)
    assert verdict is not None and not verdict.passed
    assert any(event.data.get("texts_cut") == 2 for event in told if isinstance(event, Note))


def test_without_a_pipeline_the_page_says_why(made: Made, tmp_path: Path) -> None:
    artifact, folder = made(*TEXTS)
    without = artifact.model_copy(update={"pipeline": None, "notes": ("no pipeline: the reason",)})
    conversation, _ = answered(without, folder, tmp_path)
    assert conversation.last == Refused(reason="no pipeline: the reason")
