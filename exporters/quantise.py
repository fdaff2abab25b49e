"""The fp32 Artifact → one of another precision: its graph in fp16, in 8 bits, or with weights in blocks of 4 bits.

Inputs and outputs stay as they are, so that every backend reads the same frozen bytes and is judged by the same
expected ones. What each precision is:

    fp16         all numbers but the graph's own inputs and outputs (onnxruntime.transformers.float16)
    int8         weights of matrix products per channel, activations as they come (quantize_dynamic)
    int8-static  those and convolutions with their inputs, ranges calibrated on the frozen inputs (quantize_static, QDQ)
    int4         weights of matrix products alone, symmetric in blocks of 32, as the web's q4 (matmul_nbits_quantizer)
    q4f16        int4, then everything else as fp16

Embeddings and whatever else is no product stays fp32 in the last four but q4f16; a note says how much that is. A graph
that ONNX Runtime cannot run is refused, although another runtime might: nothing would say whether it is right.
"""

DESCRIBE = {
    "name": "quantise",
    "version": 1,
    "takes": [],
    "formats": ["onnx"],
    "environment": "main",
    "packages": ["onnx", "onnxruntime", "onnx-ir", "numpy"],
    "install": "pip install 'model-benchmark-harness[export]'",
}

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from exporters.checks import closeness, overflown
from exporters.graphs.run import first_line, run_onnxruntime
from exporters.graphs.weights import bring_forward, load_whole, made_newer, opset_of, weight_bytes, weighted_nodes
from exporters.quiet import quiet
from exporters.seam import ExportFailed, ExportUnsupported, Job, PipelineProduct, Product
from harness.core.nouns import Artifact, Graph, PipelineCall, Tensor

# What a pipeline reads beside the graph. The weights are in the graph, and code is of no use without a module.
_READERS = (".json", ".txt", ".model", ".jinja")
_INDEX = ".index.json"
_BLOCK = 32
# What can be small in each precision; None: numbers of every kind.
_KINDS: dict[str, tuple[str, ...] | None] = {
    "fp16": None,
    "int8": ("MatMul",),
    "int8-static": ("MatMul", "Gemm", "Conv", "ConvTranspose"),
    "int4": ("MatMul",),
    "q4f16": ("MatMul",),
}
_NOT_MADE = {"bf16": "no kernel for the CPU or the web reads a bf16 graph; PyTorch computes bf16 from the fp32 weights"}
_Arrays = dict[str, Any]


def export(job: Job) -> Product:
    """What `job.base` holds, with the graph in the precision asked for.

    Raises ExportUnsupported where nothing in the graph can be made so, ExportFailed where the tool fails or the result
    does not run or gives NaN.
    """
    precision = job.request.precision
    if precision in _NOT_MADE:
        raise ExportUnsupported(_NOT_MADE[precision])
    if precision not in _KINDS or job.base is None:
        raise ExportFailed("bad_request", f"{precision} is not made from an fp32 artifact, or none was given")
    base, model = _read(job.base)
    inputs, expected = read_tensors(job.base, base.inputs), read_tensors(job.base, base.expected)
    job.say(f"making the {precision} graph")
    with quiet(), _temporary_files_in(job.out):
        graph, opset, counted = _make(job, model, inputs)
    del model
    job.say(f"running the {precision} graph once on ONNX Runtime")
    got = run_onnxruntime(job.out / graph.file, inputs)
    if sentence := overflown(expected, got):
        raise ExportFailed("degenerate_output", f"in {precision}, {sentence}")
    hf = _copy_readers(job.base / base.hf, job.out) if base.hf else None
    close = f"{precision} on ONNX Runtime: {closeness(expected, got)}"
    kept = ("hf/ is without weights: those of this precision are in the graph",) if hf else ()
    return Product(
        weights_from=base.weights_from,
        reference=base.reference,
        inputs=inputs,
        expected=expected,
        onnx={precision: graph},
        opset=opset,
        built_by=base.built_by,
        hf=hf,
        pipeline=_read_pipeline(job.base, base.pipeline) if base.pipeline else None,
        notes=(*(f"the fp32 artifact: {note}" for note in base.notes), counted, close, *kept),
        versions=base.versions,
    )


def _read(folder: Path) -> tuple[Artifact, Any]:
    """The fp32 Artifact and its graph with all data; raises ExportFailed `broken_artifact`."""
    try:
        base = Artifact.model_validate_json((folder / "artifact.json").read_bytes())
        if lack := base.lacks.get("onnx"):
            raise ExportFailed(lack.code, lack.reason)
        return base, load_whole(folder / base.onnx["fp32"].file)
    except (OSError, ValueError, KeyError, RuntimeError, DecodeError) as error:
        said = f"the fp32 artifact cannot be read: {type(error).__name__}: {first_line(error)}"
        raise ExportFailed("broken_artifact", said) from error
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportFailed("broken_artifact", f"the fp32 graph: {first_line(error)}") from error


def _make(job: Job, model: Any, inputs: _Arrays) -> tuple[Graph, int | None, str]:
    """The graph's files in `job.out`, its opset, and a note on what became small; the model given is used up."""
    precision = job.request.precision
    kinds = _KINDS[precision]
    model = made_newer(model)
    if kinds:  # fp16 takes the graph as it is: tied weights stay one
        bring_forward(model)
    whole_bytes = weight_bytes(model)  # only now: weights in Constant nodes have become initialisers
    before = weighted_nodes(model, kinds or ())
    if not before and (kinds or not _has_fp32(model)):
        raise ExportUnsupported(_nothing_to_do(precision, kinds))
    try:
        model = _TOOLS[precision](model, inputs)
    except (ExportFailed, ExportUnsupported, MemoryError):
        raise
    # The tools raise whatever first meets what they did not expect.
    except Exception as error:
        said = f"ONNX Runtime's tool for {precision}: {type(error).__name__}: {first_line(error)}"
        raise ExportFailed("quantise_failed", said) from error
    after = weighted_nodes(model, kinds or ())
    if kinds and after == before:
        raise ExportUnsupported(_nothing_to_do(precision, kinds))
    became = [
        f"{before[kind] - after[kind]} of {before[kind]} {kind} with constant weights quantised" for kind in before
    ]
    became.append(f"weights {_mb(weight_bytes(model))} where fp32 has {_mb(whole_bytes)}")
    became.append(f"{_mb(weight_bytes(model, onnx.TensorProto.FLOAT))} of them kept fp32")
    return _save(model, job.out, precision), opset_of(model), f"{precision}: {', '.join(became)}"


def _nothing_to_do(precision: str, kinds: tuple[str, ...] | None) -> str:
    what = f"no {' or '.join(kinds)} with a constant weight" if kinds else "no fp32 number"
    return f"{precision}: the graph has {what} that could be made small"


def _has_fp32(model: Any) -> bool:
    values = (*model.graph.input, *model.graph.output, *model.graph.value_info)
    types = [value.type.tensor_type.elem_type for value in values]
    return onnx.TensorProto.FLOAT in (*types, *(tensor.data_type for tensor in model.graph.initializer))


def _to_fp16(model: Any, inputs: _Arrays) -> Any:
    from onnxruntime.quantization.onnx_model import ONNXModel
    from onnxruntime.transformers.float16 import convert_float_to_float16

    # Shapes are there already, and inferring them again would need the whole model in one message of 2 GB at most.
    smaller = convert_float_to_float16(model, keep_io_types=True, disable_shape_infer=True)
    ordered = ONNXModel(smaller)
    ordered.topological_sort()  # it puts its casts last
    return ordered.model


def _to_int8(model: Any, inputs: _Arrays) -> Any:
    """Unsigned weights with a zero point: where products are summed in pairs of 16 bits (x86 without VNNI), signed ones
    overflow; and a channel's range is seldom symmetric."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    def tool(out: Path) -> None:
        quantize_dynamic(
            model, out, op_types_to_quantize=list(_KINDS["int8"] or ()), per_channel=True, weight_type=QuantType.QUInt8,
            use_external_data_format=True,
        )  # fmt: skip

    return _through_file(tool)


def _to_static_int8(model: Any, inputs: _Arrays) -> Any:
    """Signed symmetric weights, unsigned activations: what every runtime that reads QDQ has kernels for. What a product
    gives stays fp32: another rounding per product made outputs several times worse."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class FrozenInputs(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches = iter([inputs])

        def get_next(self) -> _Arrays | None:
            return next(self._batches, None)

    def tool(out: Path) -> None:
        quantize_static(
            model, out, FrozenInputs(), op_types_to_quantize=list(_KINDS["int8-static"] or ()), per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, use_external_data_format=True,
            extra_options={"MatMulConstBOnly": True, "OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"]},
        )  # fmt: skip

    return _through_file(tool)


def _to_int4(model: Any, inputs: _Arrays) -> Any:
    """Without an accuracy level, as published for the web: activations are not rounded."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    tool = MatMulNBitsQuantizer(model, bits=4, block_size=_BLOCK, is_symmetric=True)
    tool.process()
    return tool.model.model


def _to_q4f16(model: Any, inputs: _Arrays) -> Any:
    return _to_fp16(_to_int4(model, inputs), inputs)


_TOOLS: dict[str, Callable[[Any, _Arrays], Any]] = {
    "fp16": _to_fp16,
    "int8": _to_int8,
    "int8-static": _to_static_int8,
    "int4": _to_int4,
    "q4f16": _to_q4f16,
}


@contextlib.contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """The tools write whole copies of the model to where temporary files go, which may be a disk much smaller than the
    artifacts', whose room was checked."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _through_file(tool: Callable[[Path], None]) -> Any:
    """The model that a tool writes to a path."""
    with tempfile.TemporaryDirectory(prefix="quantise-") as folder:
        path = Path(folder) / "model.onnx"
        tool(path)
        return onnx.load(str(path))


def _save(model: Any, out: Path, precision: str) -> Graph:
    """With its large tensors beside it, as the fp32 one; raises ExportFailed when ONNX does not find it sound."""
    file = f"onnx/{precision}/model.onnx"
    (out / file).parent.mkdir(parents=True)
    data = f"{file}.data"
    onnx.save(model, str(out / file), save_as_external_data=True, location=Path(data).name)
    try:
        onnx.checker.check_model(str(out / file))
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise ExportFailed("quantise_failed", f"the {precision} graph is not sound: {first_line(error)}") from error
    return Graph(file=file, external=(data,) if (out / data).exists() else ())


def _copy_readers(hf: Path, out: Path) -> str:
    (out / "hf").mkdir()
    for path in sorted(hf.iterdir()):
        if path.is_file() and path.suffix in _READERS and not path.name.endswith(_INDEX):
            shutil.copyfile(path, out / "hf" / path.name)
    return "hf"


def read_tensors(folder: Path, tensors: tuple[Tensor, ...]) -> _Arrays:
    """An Artifact's frozen tensors by name, in this machine's byte order."""
    found = {}
    for tensor in tensors:
        raw = np.fromfile(folder / tensor.file, np.dtype(tensor.dtype).newbyteorder("<"))
        found[tensor.name] = raw.astype(tensor.dtype, copy=False).reshape(tensor.shape)
    return found


def _read_pipeline(folder: Path, call: PipelineCall) -> PipelineProduct:
    images = tuple(read_tensors(folder, call.images).values())
    expected = read_tensors(folder, call.expected)
    return PipelineProduct(call.task, expected, texts=call.texts, images=images, length=call.length)


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.2f} MB"
