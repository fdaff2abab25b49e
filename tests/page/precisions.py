"""A tiny BERT and its graphs in each precision, made with ONNX Runtime's own tools: enough to try what a page's runtime
says to each. How precisions are made for measuring is the exporters' affair."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from harness.core.nouns import Artifact, Graph

BLOCK = 32  # weights that share a scale; the tiny BERT's matrices are no smaller


def make_in_all_precisions(artifact: Artifact, source: Path, folder: Path) -> Artifact:
    """The Artifact of `source`, copied to `folder` with the other graphs beside the fp32 one, and a manifest of all."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    fp32 = folder / artifact.onnx["fp32"].file
    inputs = {
        tensor.name: np.fromfile(folder / tensor.file, tensor.dtype).reshape(tensor.shape) for tensor in artifact.inputs
    }
    graphs = dict(artifact.onnx)
    for precision, make in _MAKERS.items():
        file = folder / "onnx" / precision / "model.onnx"
        file.parent.mkdir(parents=True)
        make(fp32, file, inputs)
        graphs[precision] = Graph(file=str(file.relative_to(folder)))
    made = artifact.model_copy(update={"onnx": graphs})
    (folder / "artifact.json").write_text(made.model_dump_json())
    return made


def _fp16(fp32: Path, file: Path, inputs: dict[str, Any]) -> None:
    onnx.save_model(_halved(onnx.load(fp32)), file)


def _int8(fp32: Path, file: Path, inputs: dict[str, Any]) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(fp32, file, weight_type=QuantType.QInt8)


def _int8_static(fp32: Path, file: Path, inputs: dict[str, Any]) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class FrozenInputs(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        left = iter([inputs])

        def get_next(self) -> dict[str, Any] | None:
            return next(self.left, None)

    quantize_static(fp32, file, FrozenInputs(), quant_format=QuantFormat.QDQ)


def _int4(fp32: Path, file: Path, inputs: dict[str, Any]) -> None:
    onnx.save_model(_in_blocks(fp32), file)


def _q4f16(fp32: Path, file: Path, inputs: dict[str, Any]) -> None:
    onnx.save_model(_halved(_in_blocks(fp32)), file)


def _in_blocks(fp32: Path) -> onnx.ModelProto:
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(onnx.load(fp32), bits=4, block_size=BLOCK, is_symmetric=True)
    quantizer.process()
    model: onnx.ModelProto = quantizer.model.model
    return model


def _halved(model: onnx.ModelProto) -> onnx.ModelProto:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    halved: onnx.ModelProto = convert_float_to_float16(model, keep_io_types=True)
    return halved


_MAKERS: dict[str, Callable[[Path, Path, dict[str, Any]], None]] = {
    "fp16": _fp16, "int8": _int8, "int8-static": _int8_static, "int4": _int4, "q4f16": _q4f16,
}  # fmt: skip


def cosine(made: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> float:
    """1 where both point the same way."""
    a, b = (np.asarray(each, dtype=np.float64).reshape(-1) for each in (made, expected))
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
