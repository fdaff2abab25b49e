"""Counts what one inference of a static graph has to do: floating-point operations and bytes that must be moved.

2 per multiply-add of matrix products, convolutions, recurrent layers and attention. Everything else that computes costs
1 per element of its first input or its first output, whichever has more: element by element, activations,
normalisations, reductions, pooling, quantising. What only moves or names numbers costs nothing. So it is a lower bound,
the same for every runtime; what a kernel does besides (an exponential's polynomial, unpacking of small weights) is its
own affair.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import onnx.inliner

from exporters.graphs.run import first_line
from harness.core.nouns import GraphWork

# Operators that move, name or make numbers, and those that compute element by element.
_FREE = """
Cast CastLike Compress Concat Constant ConstantOfShape DepthToSpace Dropout Expand EyeLike Flatten Gather
GatherBlockQuantized GatherElements GatherND Identity NonZero OneHot Pad Range Reshape ReverseSequence Scatter
ScatterElements ScatterND Shape Size Slice SpaceToDepth Split Squeeze Tile Transpose Trilu Unsqueeze
"""
_BY_ELEMENT = """
Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization BiasGelu BitwiseAnd
BitwiseNot BitwiseOr BitwiseXor Ceil Celu Clip Cos Cosh CumSum DequantizeLinear Div DynamicQuantizeLinear Elu Equal
Erf Exp FastGelu Floor Gelu GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid
HardSwish Hardmax InstanceNormalization IsInf IsNaN LRN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
LpNormalization LpPool Max MaxPool Mean Min Mish Mod Mul Neg Not Or PRelu Pow QLinearAdd QLinearMul QLinearSigmoid
QuantizeLinear QuickGelu RMSNormalization Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Resize RotaryEmbedding Round Selu Sigmoid Sign
SimplifiedLayerNormalization Sin Sinh SkipLayerNormalization SkipSimplifiedLayerNormalization Softmax Softplus
Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Upsample Where Xor
"""
_LOOKS_UP = ("Gather", "GatherBlockQuantized")
_FREE_KINDS, _BY_ELEMENT_KINDS = frozenset(_FREE.split()), frozenset(_BY_ELEMENT.split())
_Shape = tuple[int, ...]


class ShapeUnknown(Exception):
    """A shape that the count needs is not in the graph and could not be inferred; the text names the tensor."""


@dataclass(frozen=True)
class Counted:
    """Operations by operator type; `unknown` are types without a rule; `notes` say what else was left out."""

    flops: dict[str, int]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]

    def matrix_flops(self) -> int:
        """Of those types whose cost is multiply-adds."""
        return sum(count for kind, count in self.flops.items() if kind in _MATRIX)


def work_of(path: Path) -> tuple[GraphWork | None, tuple[str, ...]]:
    """The work of the graph in a file, whose external data is not read; and notes. None where it cannot be counted,
    and then a note says why."""
    try:
        model = _with_shapes(onnx.load(str(path), load_external_data=False))
        tensors = _Tensors(model.graph)
        counted = count(model)
        weight_bytes = _read_bytes(model.graph, tensors)
        activation_bytes = sum(tensors.bytes_of(value) for value in (*_given(model.graph), *model.graph.output))
    except ShapeUnknown as missing:
        return None, (f"its work was not counted: {missing}",)
    # Untrusted graphs: what shape inference raises for them has no one class.
    except Exception as error:
        return None, (f"its work was not counted: {first_line(error)}",)
    work = GraphWork(
        flops=sum(counted.flops.values()), weight_bytes=weight_bytes, activation_bytes=activation_bytes,
        unknown=counted.unknown,
    )  # fmt: skip
    return work, counted.notes


def count(model: Any) -> Counted:
    """Floating-point operations by operator type; raises ShapeUnknown where a multiply-add cannot be counted."""
    model = _with_shapes(model)
    tensors = _Tensors(model.graph)
    flops: Counter[str] = Counter()
    unknown: set[str] = set()
    nested: set[str] = set()
    stored = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            nested.add(node.op_type)
        elif rule := _MATRIX.get(node.op_type):
            flops[node.op_type] += rule(_Node(node, tensors))
        elif node.op_type == "DequantizeLinear" and node.input[0] in stored:
            continue  # of a weight: once, if at all
        elif node.op_type in _BY_ELEMENT_KINDS:
            try:
                flops[node.op_type] += _by_element(_Node(node, tensors))
            except ShapeUnknown:
                unknown.add(node.op_type)
        elif node.op_type not in _FREE_KINDS:
            unknown.add(node.op_type)
    said = f"what is inside {', '.join(sorted(nested))} was not counted: how often it runs is not in the graph"
    return Counted(dict(flops), tuple(sorted(unknown | nested)), (said,) if nested else ())


def stored_bytes(tensor: Any) -> int:
    """Bytes of a tensor as its type packs it, wherever it is stored."""
    return _packed(tuple(tensor.dims), tensor.data_type)


def attribute_of(node: Any, name: str, default: Any) -> Any:
    """A node's attribute as a value of Python's."""
    found = (attribute for attribute in node.attribute if attribute.name == name)
    return next((onnx.helper.get_attribute_value(attribute) for attribute in found), default)


class _Tensors:
    """Shapes and types of a graph's tensors."""

    def __init__(self, graph: Any) -> None:
        self._shapes: dict[str, _Shape] = {}
        for value in (*graph.input, *graph.output, *graph.value_info):
            dims = value.type.tensor_type.shape.dim
            known = value.type.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims)
            if known:
                self._shapes[value.name] = tuple(dim.dim_value for dim in dims)
        self._shapes |= {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}

    def shape(self, name: str) -> _Shape:
        if name not in self._shapes:
            raise ShapeUnknown(f"the shape of {name[:80]!r} is not known")
        return self._shapes[name]

    def knows(self, name: str) -> bool:
        return name in self._shapes

    def bytes_of(self, value: Any) -> int:
        return _packed(self.shape(value.name), value.type.tensor_type.elem_type)


class _Node:
    """A node with its attributes' values and its tensors' shapes at hand."""

    def __init__(self, node: Any, tensors: _Tensors) -> None:
        self._node, self._tensors = node, tensors
        self.kind = str(node.op_type)

    def attribute(self, name: str, default: Any) -> Any:
        return attribute_of(self._node, name, default)

    def has(self, index: int) -> bool:
        return index < len(self._node.input) and self._node.input[index] != ""

    def input(self, index: int) -> _Shape:
        if not self.has(index):
            raise ShapeUnknown(f"{self.kind} {self._node.name[:80]!r} has no input {index}, its work is not known")
        return self._tensors.shape(self._node.input[index])

    def output(self) -> _Shape:
        return self._tensors.shape(self._node.output[0])

    def knows_input(self) -> bool:
        return self.has(0) and self._tensors.knows(self._node.input[0])

    def knows_output(self) -> bool:
        return self._tensors.knows(self._node.output[0])

    def inputs(self) -> list[_Shape]:
        return [self.input(index) for index in range(len(self._node.input)) if self.has(index)]


def _by_element(node: _Node) -> int:
    # One of them is enough: tools' own operators lose the other.
    sizes = []
    if node.knows_input():
        sizes.append(math.prod(node.input(0)))
    if not sizes or node.knows_output():
        sizes.append(math.prod(node.output()))
    return max(sizes)


def _product(node: _Node) -> int:
    """Any kind of `A · B`: the output's elements times what is summed over for each."""
    first = node.input(0)
    summed = first[-2] if node.attribute("transA", 0) and len(first) > 1 else first[-1]
    return 2 * math.prod(node.output()) * summed


def _product_of_blocks(node: _Node) -> int:
    return 2 * math.prod(node.input(0)[:-1]) * int(node.attribute("K", 0)) * int(node.attribute("N", 0))


def _gemm(node: _Node) -> int:
    return _product(node) + (math.prod(node.output()) if node.has(2) else 0)


def _convolution(weight: int, bias: int) -> Callable[[_Node], int]:
    def rule(node: _Node) -> int:
        each = 2 * math.prod(node.input(weight)[1:]) + (1 if node.has(bias) else 0)
        return math.prod(node.output()) * each

    return rule


def _transposed_convolution(node: _Node) -> int:
    spread = 2 * math.prod(node.input(0)) * math.prod(node.input(1)[1:])
    return spread + (math.prod(node.output()) if node.has(2) else 0)


def _einsum(node: _Node) -> int:
    """Of two operands: every combination of the letters is one multiply-add."""
    equation = node.attribute("equation", b"").decode().replace(" ", "")
    operands, shapes = equation.split("->")[0].split(","), node.inputs()
    if "." in equation or len(shapes) != 2:
        raise ShapeUnknown(f"the work of an Einsum {equation!r} of {len(shapes)} operands is not known")
    sizes: dict[str, int] = {}
    for letters, shape in zip(operands, shapes, strict=True):
        sizes |= dict(zip(letters, shape, strict=True))
    return 2 * math.prod(sizes.values())


def _recurrent(node: _Node) -> int:
    """W and R hold all gates and directions; each is used once per step and sequence."""
    steps, batch = node.input(0)[:2]
    return 2 * steps * batch * (math.prod(node.input(1)) + math.prod(node.input(2)))


def _attention(node: _Node) -> int:
    """ONNX's own and com.microsoft's: scores and weighted sum, and 1 per score for the softmax.

    Raises ShapeUnknown where keys come packed, or from a past whose length only the runtime adds.
    """
    if node.kind == "Attention" and len(node.input(1)) == 2:
        return _attention_with_projection(node)
    query, key, value = node.input(0), node.input(1), node.input(2)
    past = 4 if node.kind == "Attention" else {"MultiHeadAttention": 6, "GroupQueryAttention": 3}[node.kind]
    if node.has(past) and 0 not in node.input(past):
        raise ShapeUnknown(f"the work of a {node.kind} with a past is not counted")
    if len(query) == 4:
        batch, heads, length, width = query
        return batch * heads * length * key[2] * (2 * width + 2 * value[3] + 1)
    if len(query) != 3 or len(key) != 3:
        raise ShapeUnknown(f"the work of a {node.kind} with packed inputs is not counted")
    heads = int(node.attribute("num_heads", 0) or node.attribute("q_num_heads", 0))
    grouped = int(node.attribute("kv_num_heads", 0)) or heads
    batch, length, width = query
    return batch * length * key[1] * (2 * width + 2 * (value[2] // max(1, grouped)) * heads + heads)


def _attention_with_projection(node: _Node) -> int:
    """com.microsoft's Attention makes queries, keys and values itself, of one width."""
    batch, length, width = node.input(0)
    if node.has(4) and 0 not in node.input(4):
        raise ShapeUnknown("the work of an Attention with a past is not counted")
    total = node.input(1)[1]
    heads = int(node.attribute("num_heads", 0))
    return 2 * batch * length * width * total + batch * length * length * (4 * (total // 3) + heads)


_MATRIX: dict[str, Callable[[_Node], int]] = {
    **dict.fromkeys(
        ("MatMul", "MatMulInteger", "MatMulIntegerToFloat", "QLinearMatMul", "DynamicQuantizeMatMul", "FusedMatMul"),
        _product,
    ),
    "MatMulNBits": _product_of_blocks,
    **dict.fromkeys(("Gemm", "FusedGemm"), _gemm),
    **dict.fromkeys(("Conv", "FusedConv"), _convolution(weight=1, bias=2)),
    "ConvInteger": _convolution(weight=1, bias=99),
    "QLinearConv": _convolution(weight=3, bias=8),
    "ConvTranspose": _transposed_convolution,
    "Einsum": _einsum,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
    **dict.fromkeys(("Attention", "MultiHeadAttention", "GroupQueryAttention"), _attention),
}


def _with_shapes(model: Any) -> Any:
    """The model with its own functions written out, and every shape that ONNX can infer; weights are not needed."""
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def _given(graph: Any) -> list[Any]:
    filled = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in filled]


def _read_bytes(graph: Any, tensors: _Tensors) -> int:
    """Of the weights as stored, each read once; of a table that is only looked up (embeddings), the rows."""
    looked_up: dict[str, int] = {}
    others: set[str] = set()
    for node in graph.node:
        table = node.input[0] if node.op_type in _LOOKS_UP and node.input else None
        if table is not None and tensors.knows(node.output[0]):
            rows = math.prod(tensors.shape(node.output[0]))
            looked_up[table] = looked_up.get(table, 0) + rows
        others |= set(node.input[1:] if table is not None else node.input)
    others |= {value.name for value in graph.output}
    found = 0
    for tensor in _weights(graph):
        size = stored_bytes(tensor)
        if tensor.name in looked_up and tensor.name not in others:
            elements = max(1, math.prod(tensor.dims))
            size = min(size, math.ceil(size * looked_up[tensor.name] / elements))
        found += size
    return found


def _weights(graph: Any) -> Iterator[Any]:
    """Initialisers, and the constants that some exporters write in their place."""
    yield from graph.initializer
    for node in graph.node:
        if node.op_type == "Constant":
            yield from (attribute.t for attribute in node.attribute if attribute.HasField("t"))


def _packed(shape: _Shape, data_type: int) -> int:
    """Bytes of a tensor; types of less than a byte lie side by side."""
    name = onnx.TensorProto.DataType.Name(data_type)
    bits = {"INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "INT2": 2, "UINT2": 2}.get(name)
    if bits is None:
        bits = 8 * int(onnx.helper.tensor_dtype_to_np_dtype(data_type).itemsize)
    return (math.prod(shape) * bits + 7) // 8
