"""Brings a graph's weights to where quantisation tools look for them, and tells what became small.

The tools look at MatMul's second input, and only for an initialiser. Exporters write the same product as Gemm, keep
weights in Constant nodes or behind Identity, and feed tied embeddings through a Transpose.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
from onnx.external_data_helper import load_external_data_for_model

from exporters.graphs.work import attribute_of, stored_bytes

# Operator type → the input that holds its weight.
WEIGHTED = {"MatMul": 1, "Gemm": 1, "Conv": 1, "ConvTranspose": 1}
_PER_CHANNEL = 13
_LISTS_NO_WEIGHTS = 4  # from this version of ONNX's format on, an initialiser need not be an input


def load_whole(path: Path) -> Any:
    """The model with its data and with every shape that ONNX can infer, whatever its size: shapes come first, while the
    data is not there."""
    model = onnx.load(str(path), load_external_data=False)
    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    load_external_data_for_model(model, str(path.parent))
    return model


def opset_of(model: Any) -> int | None:
    """The version of ONNX's own operators that the graph is written in."""
    return next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), None)


def made_newer(model: Any) -> Any:
    """The model in an opset that has scales per channel and kernels for fp16, or in its own where that does, or where
    ONNX's converter cannot: then the tools will say what they lack."""
    stored = {tensor.name for tensor in model.graph.initializer}
    # Old graphs list their weights as inputs as well, and one that is replaced would then be asked for.
    _keep(model.graph.input, lambda value: value.name not in stored)
    model.ir_version = max(model.ir_version, _LISTS_NO_WEIGHTS)
    opset = opset_of(model)
    if opset is None or opset >= _PER_CHANNEL:
        return model
    try:
        return onnx.shape_inference.infer_shapes(onnx.version_converter.convert_version(model, _PER_CHANNEL))
    # Its exceptions share no class but this one.
    except Exception:
        return model


def bring_forward(model: Any) -> None:
    """Rewrite the main graph in place so that each constant weight is an initialiser and each product a MatMul; what it
    computes stays."""
    graph = model.graph
    _name_nodes(graph)
    _lift_constants(graph)
    _look_through_identities(graph)
    _fold_transposes(graph)
    _write_gemms_as_products(graph)
    _drop_unused(graph)


def weighted_nodes(model: Any, kinds: tuple[str, ...]) -> Counter[str]:
    """Operator type → how many have as weight an initialiser of floating-point numbers, a matrix at least."""
    floats = {tensor.name for tensor in model.graph.initializer if _is_float(tensor) and len(tensor.dims) > 1}
    candidates = [node for node in model.graph.node if node.op_type in kinds]
    return Counter(node.op_type for node in candidates if node.input[WEIGHTED[node.op_type]] in floats)


def weight_bytes(model: Any, data_type: int | None = None) -> int:
    """Bytes of the initialisers, of one type or all, as stored."""
    kept = (each for each in model.graph.initializer if data_type in (None, each.data_type))
    return sum(map(stored_bytes, kept))


def _is_float(tensor: Any) -> bool:
    return tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)


def _name_nodes(graph: Any) -> None:
    """Tools make the names of what they add from the nodes' own, which a graph need not have."""
    taken = {node.name for node in graph.node}
    for number, node in enumerate(graph.node):
        if not node.name:
            node.name = next(name for name in _candidates(f"{node.op_type}_{number}") if name not in taken)
            taken.add(node.name)


def _candidates(stem: str) -> Iterator[str]:
    yield stem
    number = 0
    while True:
        number += 1
        yield f"{stem}_{number}"


def _lift_constants(graph: Any) -> None:
    outputs = {value.name for value in graph.output}
    for node in [node for node in graph.node if node.op_type == "Constant" and node.output[0] not in outputs]:
        tensor = next((attribute.t for attribute in node.attribute if attribute.name == "value"), None)
        if tensor is not None and _is_float(tensor):
            lifted = graph.initializer.add()
            lifted.CopyFrom(tensor)
            lifted.name = node.output[0]
            graph.node.remove(node)


def _look_through_identities(graph: Any) -> None:
    stored = {tensor.name for tensor in graph.initializer}
    same = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
    for node in graph.node:
        for index, name in enumerate(node.input):
            while name in same:
                name = same[name]
            if name in stored:
                node.input[index] = name


def _fold_transposes(graph: Any) -> None:
    """`x · Wᵀ` as a product with another initialiser; W stays for who else reads it, such as an embedding."""
    stored = {tensor.name: tensor for tensor in graph.initializer}
    turned = {node.output[0]: node for node in graph.node if node.op_type == "Transpose" and node.input[0] in stored}
    made: dict[str, Any] = {}
    for node in graph.node:
        if node.op_type not in ("MatMul", "Gemm"):
            continue
        name, order = node.input[1], None
        if name in turned:
            order = attribute_of(turned[name], "perm", None)
            name = turned[name].input[0]
        elif not (node.op_type == "Gemm" and attribute_of(node, "transB", 0) and name in stored):
            continue
        else:
            kept = [attribute for attribute in node.attribute if attribute.name != "transB"]
            del node.attribute[:]
            node.attribute.extend(kept)
        new = f"{name}_transposed_{'_'.join(map(str, order)) if order else ''}"
        if new not in made:
            array = np.transpose(onnx.numpy_helper.to_array(stored[name]), order)
            made[new] = onnx.numpy_helper.from_array(np.ascontiguousarray(array), new)
        node.input[1] = new
    graph.initializer.extend(made.values())


def _write_gemms_as_products(graph: Any) -> None:
    stored = {tensor.name for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        plain = [attribute_of(node, "alpha", 1.0), attribute_of(node, "beta", 1.0)] == [1.0, 1.0]
        turned = attribute_of(node, "transA", 0) or attribute_of(node, "transB", 0)
        if node.op_type != "Gemm" or not plain or turned or node.input[1] not in stored:
            nodes.append(node)
            continue
        has_bias = len(node.input) > 2 and node.input[2] != ""
        product = f"{node.output[0]}_product" if has_bias else node.output[0]
        nodes.append(onnx.helper.make_node("MatMul", node.input[:2], [product], name=node.name))
        if has_bias:
            # The sum's shape is the product's, and shapes tell the tools what they may quantise.
            graph.value_info.extend([_renamed(value, product) for value in _values(graph, node.output[0])])
            added = [product, node.input[2]]
            nodes.append(onnx.helper.make_node("Add", added, [node.output[0]], name=f"{node.name}_bias"))
    del graph.node[:]
    graph.node.extend(nodes)


def _values(graph: Any, name: str) -> list[Any]:
    return [value for value in (*graph.value_info, *graph.output) if value.name == name][:1]


def _renamed(value: Any, name: str) -> Any:
    copy = onnx.ValueInfoProto()
    copy.CopyFrom(value)
    copy.name = name
    return copy


def _drop_unused(graph: Any) -> None:
    """What nobody reads any more; a graph inside a node may read by name, so then all stays."""
    if any(attribute.HasField("g") or attribute.graphs for node in graph.node for attribute in node.attribute):
        return
    used = _used(graph)
    for node in [n for n in graph.node if n.op_type in ("Transpose", "Identity") and not set(n.output) & used]:
        graph.node.remove(node)
    used = _used(graph)
    _keep(graph.initializer, lambda tensor: tensor.name in used)
    # Of initialisers they say nothing new, and after a fold something false.
    stored = {tensor.name for tensor in graph.initializer}
    _keep(graph.value_info, lambda value: value.name not in stored)


def _used(graph: Any) -> set[str]:
    return {name for node in graph.node for name in node.input} | {value.name for value in graph.output}


def _keep(messages: Any, wanted: Callable[[Any], bool]) -> None:
    """By place, since protobuf's `remove` compares whole tensors."""
    for index in reversed(range(len(messages))):
        if not wanted(messages[index]):
            del messages[index]
