"""A graph's work: by hand on small graphs, and against PyTorch's own counter on whole models."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporters.graphs.work import count, work_of
from tests.exporters.asking import ARCHITECTURES, Exported

Exports = Callable[[str], Exported]
OPSETS = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]


def model_of(
    nodes: list[Any], inputs: dict[str, list[Any]], outputs: dict[str, list[Any]], weights: dict[str, Any]
) -> Any:
    """A graph of fp32 inputs and outputs; weights keep their dtype."""
    values = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in side.items()]
        for side in (inputs, outputs)
    ]
    stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
    return helper.make_model(helper.make_graph(nodes, "g", *values, stored), opset_imports=OPSETS, ir_version=10)


def zeros(*shape: int, dtype: Any = np.float32) -> Any:
    return np.zeros(shape, dtype)


def flops_of(kind: str, inputs: dict[str, Any], weights: dict[str, Any], output: list[int], **attributes: Any) -> int:
    """Of one node."""
    domain = attributes.pop("domain", "")
    node = helper.make_node(kind, [*inputs, *weights], ["y"], domain=domain, **attributes)
    counted = count(model_of([node], inputs, {"y": output}, weights))
    assert counted.unknown == ()
    return counted.flops[kind]


@pytest.mark.parametrize(
    ("kind", "inputs", "weights", "output", "attributes", "flops"),
    [
        # 2 × rows × columns × what is summed over
        ("MatMul", {"a": [2, 3, 5]}, {"w": zeros(5, 7)}, [2, 3, 7], {}, 2 * 2 * 3 * 7 * 5),
        ("MatMul", {"a": [4, 3, 5], "b": [4, 5, 6]}, {}, [4, 3, 6], {}, 2 * 4 * 3 * 6 * 5),
        ("MatMul", {"a": [5], "b": [5]}, {}, [], {}, 2 * 5),
        ("Gemm", {"a": [3, 5]}, {"w": zeros(7, 5), "c": zeros(7)}, [3, 7], {"transB": 1}, 2 * 3 * 5 * 7 + 3 * 7),
        ("Gemm", {"a": [5, 3]}, {"w": zeros(5, 7)}, [3, 7], {"transA": 1}, 2 * 3 * 5 * 7),
        ("FusedMatMul", {"a": [5, 3], "b": [5, 7]}, {}, [3, 7], {"transA": 1, "domain": "com.microsoft"}, 210),
        # each output pixel sums 3 × 3 pixels of 4 channels, 2 with two groups; a bias is one more
        ("Conv", {"x": [1, 4, 8, 8]}, {"w": zeros(6, 4, 3, 3)}, [1, 6, 6, 6], {}, 6 * 36 * 2 * 4 * 9),
        ("Conv", {"x": [1, 4, 8, 8]}, {"w": zeros(6, 2, 3, 3)}, [1, 6, 6, 6], {"group": 2}, 6 * 36 * 2 * 2 * 9),
        ("Conv", {"x": [1, 4, 9]}, {"w": zeros(6, 4, 3), "b": zeros(6)}, [1, 6, 7], {}, 6 * 7 * (2 * 4 * 3 + 1)),
        # each input pixel is spread over 2 × 2 pixels of 6 channels
        ("ConvTranspose", {"x": [1, 4, 5, 5]}, {"w": zeros(4, 6, 2, 2)}, [1, 6, 6, 6], {}, 100 * 2 * 6 * 4),
        ("Einsum", {"a": [2, 3, 5], "b": [2, 5, 7]}, {}, [2, 3, 7], {"equation": "bij,bjk->bik"}, 2 * 2 * 3 * 5 * 7),
        # one multiply-add per gate weight, step and sequence: 4 gates of 6 units from 5 inputs and 6 units
        ("LSTM", {"x": [3, 2, 5]}, {"w": zeros(1, 24, 5), "r": zeros(1, 24, 6)}, [3, 1, 2, 6], {"hidden_size": 6},
         2 * 3 * 2 * (24 * 5 + 24 * 6)),
        ("Relu", {"x": [2, 3]}, {}, [2, 3], {}, 6),
        ("Add", {"x": [2, 1]}, {"w": zeros(5)}, [2, 5], {}, 10),
        ("ReduceMean", {"x": [4, 5]}, {}, [1, 1], {}, 20),
        ("Softmax", {"x": [4, 5]}, {}, [4, 5], {}, 20),
        ("LayerNormalization", {"x": [4, 5]}, {"s": zeros(5)}, [4, 5], {}, 20),
        # scores and sums over 6 keys for each of 4 queries, with 2 heads of width 8, and their softmax
        ("MultiHeadAttention", {"q": [1, 4, 16], "k": [1, 6, 16], "v": [1, 6, 16]}, {}, [1, 4, 16],
         {"num_heads": 2, "domain": "com.microsoft"}, 2 * (2 * 4 * 6 * 16) + 2 * 4 * 6),
        ("Attention", {"x": [1, 4, 16]}, {"w": zeros(16, 48)}, [1, 4, 16],
         {"num_heads": 2, "domain": "com.microsoft"}, 2 * 4 * 16 * 48 + 2 * (2 * 4 * 4 * 16) + 2 * 4 * 4),
        ("MatMulNBits", {"a": [2, 64]}, {"w": zeros(48, 2, 16, dtype=np.uint8), "s": zeros(96)}, [2, 48],
         {"K": 64, "N": 48, "bits": 4, "block_size": 32, "domain": "com.microsoft"}, 2 * 2 * 64 * 48),
    ],
)  # fmt: skip
def test_by_hand(kind: str, inputs: Any, weights: Any, output: Any, attributes: Any, flops: int) -> None:
    assert flops_of(kind, inputs, weights, output, **attributes) == flops


def test_moving_numbers_is_no_operation() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0]),
        helper.make_node("Concat", ["t", "t"], ["c"], axis=0),
        helper.make_node("Cast", ["c"], ["y"], to=TensorProto.FLOAT),
    ]
    counted = count(model_of(nodes, {"x": [2, 3]}, {"y": [6, 2]}, {}))
    assert counted.flops == {} and counted.unknown == ()


def saved(folder: Path, model: Any) -> Path:
    onnx.save(model, str(folder / "m.onnx"))
    return folder / "m.onnx"


def test_bytes_are_those_that_are_stored(tmp_path: Path) -> None:
    """Weights in their own types, 4 bits in half a byte, constants as well; a listed weight is no input."""
    packed = helper.make_tensor("q", TensorProto.INT4, [3], [1, 2, 3])
    value = numpy_helper.from_array(zeros(7, dtype=np.float16))
    nodes = [helper.make_node("Constant", [], ["k"], value=value), helper.make_node("MatMul", ["x", "w"], ["y"])]
    model = model_of(nodes, {"x": [2, 3], "w": [3, 5]}, {"y": [2, 5]}, {"w": zeros(3, 5)})
    model.graph.initializer.append(packed)
    work, notes = work_of(saved(tmp_path, model))
    assert work is not None and notes == ()
    assert work.weight_bytes == 15 * 4 + 2 + 7 * 2
    assert work.activation_bytes == (6 + 10) * 4
    assert work.flops == 2 * 2 * 3 * 5


def test_operators_without_a_rule_are_named(tmp_path: Path) -> None:
    nodes = [helper.make_node("Mystery", ["x"], ["z"], domain="com.microsoft"), helper.make_node("Relu", ["x"], ["y"])]
    work, _ = work_of(saved(tmp_path, model_of(nodes, {"x": [2, 3]}, {"y": [2, 3]}, {})))
    assert work is not None and (work.flops, work.unknown) == (6, ("Mystery",))


def test_a_product_of_unknown_shape_is_not_counted(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mystery", ["x"], ["z"], domain="com.microsoft"),
        helper.make_node("MatMul", ["z", "w"], ["p"]),
        helper.make_node("ReduceSum", ["p"], ["y"]),
    ]
    work, notes = work_of(saved(tmp_path, model_of(nodes, {"x": [2, 3]}, {"y": [1, 1]}, {"w": zeros(3, 5)})))
    assert work is None
    assert notes == ("its work was not counted: the shape of 'z' is not known",)


def test_what_runs_an_unknown_number_of_times_is_named(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["b"])], "b", [], [helper.make_tensor_value_info("b", TensorProto.FLOAT, [2])]
    )
    nodes = [
        helper.make_node("If", ["on"], ["z"], then_branch=branch, else_branch=branch),
        helper.make_node("Neg", ["z"], ["y"]),
    ]
    model = model_of(nodes, {"x": [2]}, {"y": [2]}, {"on": np.asarray(True)})
    work, notes = work_of(saved(tmp_path, model))
    assert work is not None and (work.flops, work.unknown) == (2, ("If",))
    assert "what is inside If was not counted" in notes[0]


def test_functions_of_the_model_are_counted_from_inside() -> None:
    inside = [helper.make_node("MatMul", ["a", "b"], ["c"]), helper.make_node("Relu", ["c"], ["d"])]
    function = helper.make_function("mine", "Block", ["a", "b"], ["d"], inside, OPSETS[:1])
    model = model_of(
        [helper.make_node("Block", ["x", "w"], ["y"], domain="mine")], {"x": [2, 3]}, {"y": [2, 5]}, {"w": zeros(3, 5)}
    )
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    assert count(model).flops == {"MatMul": 60, "Relu": 10}


def test_what_is_no_graph_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"garbage")
    work, notes = work_of(tmp_path / "m.onnx")
    assert work is None and "\n" not in notes[0]


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.filterwarnings("ignore")
def test_products_and_convolutions_are_those_that_pytorch_counts(name: str, exported: Exports) -> None:
    """Exactly, since the exporter writes biases as additions of their own, and folds no product away. PyTorch's counter
    knows no attention kernel of the CPU, so the module is made with the eager one."""
    import torch
    import transformers
    from torch.utils.flop_counter import FlopCounterMode

    made = exported(name)
    cls = getattr(transformers, str(made.artifact.built_by))
    module = cls.from_pretrained(str(made.folder / str(made.artifact.hf)), attn_implementation="eager").eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module(**{key: torch.from_numpy(array.copy()) for key, array in made.arrays("inputs").items()})
    path = made.folder / made.artifact.onnx["fp32"].file
    ours = count(onnx.load(str(path), load_external_data=False))
    assert ours.unknown == ()
    assert ours.matrix_flops() == counter.get_total_flops()
    assert made.artifact.work is not None and made.artifact.work.flops == sum(ours.flops.values())


def test_of_a_table_that_is_looked_up_the_rows_are_read(tmp_path: Path) -> None:
    """Two rows of a table of a hundred; a table that is also multiplied by is read as a whole."""
    ids = {"ids": np.array([3, 7], np.int64), "t": zeros(100, 8), "u": zeros(100, 8)}
    nodes = [
        helper.make_node("Gather", ["t", "ids"], ["a"]),
        helper.make_node("Gather", ["u", "ids"], ["b"]),
        helper.make_node("MatMul", ["x", "u"], ["c"]),
        helper.make_node("Add", ["a", "b"], ["d"]),
    ]
    work, _ = work_of(saved(tmp_path, model_of(nodes, {"x": [1, 100]}, {"c": [1, 8], "d": [2, 8]}, ids)))
    assert work is not None
    assert work.weight_bytes == 2 * 8 + 2 * 8 * 4 + 100 * 8 * 4


def test_the_manifest_says_what_bert_weighs(exported: Exports) -> None:
    """Every parameter is read once, of embeddings the rows; the rest of the graph's constants are masks and indices."""
    from safetensors.numpy import load_file

    made = exported("bert")
    sizes = {name: array.nbytes for name, array in load_file(made.folder / "hf/model.safetensors").items()}
    tables = sum(size for name, size in sizes.items() if name.endswith("_embeddings.weight"))
    others = sum(sizes.values()) - tables
    assert made.artifact.work is not None
    assert others < made.artifact.work.weight_bytes < others + tables
    tensors = (*made.artifact.inputs, *made.artifact.expected)
    size = sum(math.prod(tensor.shape) * np.dtype(tensor.dtype).itemsize for tensor in tensors)
    assert made.artifact.work.activation_bytes == size
