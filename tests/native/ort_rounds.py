"""A Round of a backend that reads ONNX, through a real worker; and small graphs in other precisions."""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers.float16 import convert_float_to_float16

from harness.core.events import Conversation, Event, Note
from harness.core.nouns import Artifact, Graph, LoopPolicy
from harness.execute.executor import Assignment, Probes
from harness.execute.native import NativeExecutor
from harness.measure.host import memory_of_tree
from native.seam import read_tensor
from tests.making import make_case

SHORT = LoopPolicy(slice_ns=300_000_000, least_time_ns=1_000_000, warm_least_ns=1_000_000)


@dataclass(frozen=True)
class Heard:
    """What came of a Round: its last word, its Notes' data by kind, its outputs."""

    conversation: Conversation
    events: list[Event]
    outputs: list[NDArray[Any]]

    @property
    def last(self) -> Any:
        return self.conversation.last

    def told(self, kind: str) -> dict[str, Any]:
        """All data of the Notes of that kind, later words over earlier ones."""
        notes = [dict(event.data) for event in self.events if isinstance(event, Note) and event.kind == kind]
        return {key: value for note in notes for key, value in note.items()}


def do_round(tiny: tuple[Artifact, Path], **case: Any) -> Heard:
    """One short Round; `purpose` besides what a Case takes, `backend` is its platform too."""
    artifact, folder = tiny
    purpose = case.pop("purpose", "timing")
    fields = {"platform": case["backend"], "device": "cpu", "length": artifact.length, **case}
    with tempfile.TemporaryDirectory() as out:
        wanted = make_case(model=artifact.model, task=artifact.task, **fields)
        assignment = Assignment("r", wanted, artifact, folder, Path(out), SHORT, 120, purpose=purpose)
        events, conversation = asyncio.run(_listen(assignment))
        told = conversation.outputs.get("last")
        named = [] if told is None else told.tensors
        outputs = [
            np.fromfile(Path(out) / "last" / f"{index}.bin", tensor.dtype).reshape(tensor.shape)
            for index, tensor in enumerate(named)
        ]
    return Heard(conversation, events, outputs)


async def _listen(assignment: Assignment) -> tuple[list[Event], Conversation]:
    events, conversation = [], Conversation()
    executor = NativeExecutor(Probes(memory_of_tree))
    async for event in executor.execute(assignment):
        events.append(event)
        conversation.accept(event)
    await executor.close()
    return events, conversation


def furthest(heard: Heard, tiny: tuple[Artifact, Path]) -> float:
    """The largest difference from what the Artifact expects, relative to the largest number expected of that output."""
    artifact, folder = tiny
    expected = [read_tensor(folder, tensor) for tensor in artifact.expected]
    assert [each.shape for each in heard.outputs] == [each.shape for each in expected]
    pairs = zip(heard.outputs, expected, strict=True)
    return max(float(np.abs(got - wanted).max() / np.abs(wanted).max()) for got, wanted in pairs)


def _int8(source: Path, target: Path) -> None:
    quantize_dynamic(source, target, weight_type=QuantType.QInt8)


def _fp16(source: Path, target: Path) -> None:
    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), target)


def _int4(source: Path, target: Path) -> None:
    quantiser = MatMulNBitsQuantizer(onnx.load(source), block_size=32, is_symmetric=True)
    quantiser.process()
    quantiser.model.save_model_to_file(str(target))


_MAKE: dict[str, Callable[[Path, Path], None]] = {"fp16": _fp16, "int8": _int8, "int4": _int4}


def in_precision(tiny: tuple[Artifact, Path], precision: str, aside: Path) -> tuple[Artifact, Path]:
    """The same Artifact with its graph in another precision, in a folder that links to the rest."""
    artifact, folder = tiny
    for each in folder.iterdir():
        if each.name != "onnx":
            (aside / each.name).symlink_to(each)
    (aside / "onnx").mkdir()
    _MAKE[precision](folder / artifact.onnx["fp32"].file, aside / "onnx" / "model.onnx")
    return artifact.model_copy(update={"onnx": {precision: Graph(file="onnx/model.onnx")}}), aside
