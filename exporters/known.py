"""Exports in which integers that lay out the other inputs are constants of the graph.

How many patches an image has, and where its tokens stand, models read as numbers, to make shapes of them. torch's
exporter traces with tensors that have no values and so stops there; but of a constant it knows the value, of one
element at least. Here it knows larger ones as well, and whatever is computed of constants alone is made a constant
before it is translated: ONNX would be made to compute it again at each run, and not all of it can be translated.

A condition on what even so has no value is nearly always a check (are there as many features as tokens for them?) that
raises where it holds. It is taken not to hold, which is said; whether that was right is found out when the graph's
numbers are compared with the module's.
"""

import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch.fx.experimental.sym_node import SymNode
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode
from torch.utils import _pytree

from exporters.graphs.fit import is_layout

# Elements: layouts are small, and so is what is made of them; what is larger is better computed than kept.
_LARGEST = 1_000_000


def knowable(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the inputs that may be constants: layouts, and masks that mask nothing."""
    return {
        name: array
        for name, array in inputs.items()
        if is_layout(name, array) or (array.dtype.kind in "iub" and array.size and (array == 1).all())
    }


def constant(array: Any) -> torch.Tensor:
    """The array as a tensor whose values a trace knows: it must be made within the trace, of numbers."""
    return torch.tensor(array.tolist(), dtype=torch.from_numpy(np.array(array)).dtype).reshape(array.shape)


@contextmanager
def known_values() -> Iterator[list[str]]:
    """Let traces within the block know the values of constants, and what follows from them; yields the conditions that
    were taken not to hold, which grow within the block."""
    assumed: list[str] = []
    limit = "CONSTANT_NUMEL_LIMIT"
    with (
        patch(f"torch._subclasses.fake_tensor.{limit}", _LARGEST),
        patch(f"torch.fx.experimental.proxy_tensor.{limit}", _LARGEST),
        patch("torch.tensor", _tensor_of_tensors(torch.tensor)),
        patch.object(SymNode, "guard_bool", _unless_unknown(SymNode.guard_bool, assumed)),
    ):
        yield assumed


def _unless_unknown(original: Any, assumed: list[str]) -> Any:
    def guard_bool(self: Any, file: str, line: int) -> bool:
        try:
            return bool(original(self, file, line))
        except GuardOnDataDependentSymNode:
            if (said := str(self.expr)) not in assumed:
                assumed.append(said)
            return False

    return guard_bool


def _tensor_of_tensors(original: Any) -> Any:
    """`torch.tensor` reads the memory of tensors that it is given in a list; those of a trace have none. Stacked they
    are the same tensor."""

    def tensor(data: Any, *arguments: Any, **named: Any) -> Any:
        many = isinstance(data, (list, tuple)) and bool(data) and all(isinstance(one, torch.Tensor) for one in data)
        if not many or len({(one.dtype, one.shape) for one in data}) > 1 or not set(named) <= {"dtype", "device"}:
            return original(data, *arguments, **named)
        return torch.stack([one.detach() for one in data]).to(**{"dtype": data[0].dtype, **named})

    return tensor


def folded(program: Any) -> Any:
    """An ExportedProgram of the same function in which what depends on no input and on no weight is a constant."""
    program = program.run_decompositions({})  # nothing in it writes in place any more
    module = program.module(check_guards=False)
    constants = set(program.graph_signature.lifted_tensor_constants)
    known: dict[Any, Any] = {}
    for node in module.graph.nodes:
        if node.op == "get_attr" and node.target in constants:
            known[node] = operator.attrgetter(node.target)(module)
        elif _is_pure(node) and all(source in known for source in node.all_input_nodes):
            value = node.target(*_with(known, node.args), **_with(known, node.kwargs))
            if not isinstance(value, torch.Tensor) or value.numel() <= _LARGEST:
                known[node] = value
    _replace_known(module, known)
    arguments, named = program.example_inputs
    return torch.export.export(module, args=arguments, kwargs=named, strict=False)


def _is_pure(node: Any) -> bool:
    """Whether a node is a function of what it is given: it draws no numbers and writes nowhere."""
    if node.op != "call_function":
        return False
    if isinstance(node.target, torch._ops.OpOverload):
        return torch.Tag.nondeterministic_seeded not in node.target.tags and not node.target._schema.is_mutable
    return getattr(node.target, "__module__", None) in ("_operator", "math")


def _with(known: Mapping[Any, Any], arguments: Any) -> Any:
    return _pytree.tree_map_only(torch.fx.Node, lambda node: known.get(node, node), arguments)


def _replace_known(module: Any, known: Mapping[Any, Any]) -> None:
    """In place; numbers stand where they are used, tensors are buffers. Several values at once are used one by one."""
    graph = module.graph
    for number, (node, value) in enumerate(known.items()):
        users = [user for user in node.users if user not in known]
        if node.op == "get_attr" or not users:
            continue
        if isinstance(value, torch.Tensor):
            name = f"_known_{number}"
            module.register_buffer(name, value.detach().clone().contiguous(), persistent=False)
            with graph.inserting_before(node):
                kept = graph.get_attr(name)
            for user in users:
                user.replace_input_with(node, kept)
        elif isinstance(value, (int, float, bool)):
            for user in users:
                user.args, user.kwargs = _with({node: value}, user.args), _with({node: value}, user.kwargs)
    for node in reversed(list(graph.nodes)):
        if node in known and not node.users:
            graph.erase_node(node)
    graph.lint()
    module.recompile()
