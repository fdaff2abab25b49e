"""An exported graph made to take and to give what its module does, no more and no less, in the module's order."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from exporters.seam import ExportFailed

# Integer inputs that say how the others are laid out (how many patches an image has, which token stands for one). Code
# reads them as numbers, to make shapes of them; an exported graph has them fixed, as it has all shapes.
LAYOUT = ("grid_thw", "_sizes", "_shapes", "_lens", "_lengths", "_counts", "_per_sample", "mm_token_type_ids")


def is_layout(name: str, array: Any) -> bool:
    """Whether an input may be fixed in a graph, since it says only how the others are laid out."""
    return name.endswith(LAYOUT) and array.dtype.kind in "iu"


def fit(
    path: Path,
    inputs: Mapping[str, Any],
    expected: Mapping[str, Any],
    ignores: Callable[[Iterable[str]], Mapping[str, bool]],
) -> tuple[int, tuple[str, ...]]:
    """Opset and notes. What the exporter found to be without influence and so left out is put back as an input that
    nothing reads, so that all backends are given the same; if the module ignores it, too.

    Raises ExportFailed `inputs_differ` or `outputs_differ`.
    """
    model = onnx.load(str(path), load_external_data=False)
    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    takes = {value.name: value for value in graph.input if value.name not in stored}
    gives = {value.name: value for value in graph.output}
    if unknown := sorted(set(takes) - set(inputs)):
        raise ExportFailed("inputs_differ", f"the graph takes what the module does not: {', '.join(unknown)}")
    if absent := [name for name in expected if name not in gives]:
        raise ExportFailed("outputs_differ", f"the graph does not give {', '.join(absent)}")
    lost = [name for name in inputs if name not in takes]
    needed = [name for name, ignored in ignores(lost).items() if not ignored]
    if wrong := [name for name in needed if not is_layout(name, inputs[name])]:
        raise ExportFailed("inputs_differ", f"the graph does not take {', '.join(wrong)}, which the module needs")
    for name in lost:
        kind = onnx.helper.np_dtype_to_tensor_dtype(np.asarray(inputs[name]).dtype)
        takes[name] = onnx.helper.make_tensor_value_info(name, kind, inputs[name].shape)
    if lost or list(gives) != list(expected) or list(takes) != list(inputs):
        _replace(graph.input, [takes[name] for name in inputs])
        _replace(graph.output, [gives[name] for name in expected])
        onnx.save(model, str(path))
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    free = [name for name in lost if name not in needed]
    notes = (f"inputs that make no difference, which the graph does not read: {', '.join(free)}",) if free else ()
    fixed = (f"inputs that are fixed in the graph, as shapes are: {', '.join(needed)}",) if needed else ()
    return opset, (*notes, *fixed)


def shared_outputs(path: Path, expected: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Those of the module's outputs that the graph gives, and a note on the others.

    Raises ExportFailed `outputs_differ` where the first, which is what the model is for, is not among them.
    """
    given = {value.name for value in onnx.load(str(path), load_external_data=False).graph.output}
    main = next(iter(expected))
    if main not in given:
        raise ExportFailed("outputs_differ", f"the graph gives {', '.join(sorted(given))}, and not {main}")
    absent = [name for name in expected if name not in given]
    notes = (f"outputs of the module that the graph does not give: {', '.join(absent)}",) if absent else ()
    return {name: array for name, array in expected.items() if name in given}, notes


def _replace(values: Any, wanted: list[Any]) -> None:
    copies = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in wanted]
    del values[:]
    values.extend(copies)
