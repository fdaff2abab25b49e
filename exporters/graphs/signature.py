"""What a graph takes: names, types, shapes; and how its symbolic dimensions get their sizes.

A dimension without a name is called `input[axis]`, in `--dim` as in messages.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from exporters.graphs.run import first_line
from exporters.seam import ExportFailed, ExportUnsupported

# Normal numbers are drawn as float64 first; and nobody times an inference on more.
LARGEST_INPUT_BYTES = 1024**3


class Signature:
    """The inputs that a caller must give: graph inputs that no initializer fills."""

    def __init__(self, model: Any) -> None:
        filled = {tensor.name for tensor in model.graph.initializer}
        self.values = [value for value in model.graph.input if value.name not in filled]
        self.names = [value.name for value in self.values]
        self.dtypes = {value.name: _dtype(value) for value in self.values}

    def dims(self, name: str) -> list[int | str]:
        """Each dimension of an input: its size, or its name."""
        value = next(value for value in self.values if value.name == name)
        return [
            dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else dim.dim_param or f"{name}[{axis}]"
            for axis, dim in enumerate(value.type.tensor_type.shape.dim)
        ]

    def refuse_large(self, sizes: Mapping[str, int]) -> None:
        """Before any memory is asked for: raises ExportFailed `inputs_too_large` when the inputs cannot be made."""
        for name in self.names:
            shape = [sizes.get(dim, 1) if isinstance(dim, str) else dim for dim in self.dims(name)]
            size_bytes = math.prod(shape) * self.dtypes[name].itemsize
            if size_bytes > LARGEST_INPUT_BYTES:
                shown = f"{shape[:8]}{' …' if len(shape) > 8 else ''}"
                said = f"input {name[:80]!r} with shape {shown} would be {size_bytes:.3g} bytes"
                raise ExportFailed("inputs_too_large", f"{said}, more than {LARGEST_INPUT_BYTES:,}; see --dim")

    def symbols(self) -> list[str]:
        """Names of the dimensions without a size, in order of appearance."""
        return list(dict.fromkeys(dim for name in self.names for dim in self.dims(name) if isinstance(dim, str)))

    def sizes_from(self, arrays: Mapping[str, Any]) -> dict[str, int]:
        """The sizes that given arrays imply; raises ExportFailed `inputs_mismatch` when they do not fit the graph."""
        sizes: dict[str, int] = {}
        if set(arrays) != set(self.names):
            said = f"given inputs are {', '.join(arrays) or 'none'}; the graph takes {', '.join(self.names)}"
            raise ExportFailed("inputs_mismatch", said)
        for name in self.names:
            array, dims = arrays[name], self.dims(name)
            if array.dtype != self.dtypes[name]:
                said = f"input {name!r} is {array.dtype}, the graph takes {self.dtypes[name]}"
                raise ExportFailed("inputs_mismatch", said)
            known = [sizes.setdefault(dim, size) if isinstance(dim, str) else dim
                     for dim, size in zip(dims, array.shape, strict=False)]  # fmt: skip
            if known != list(array.shape) or len(dims) != array.ndim:
                said = f"input {name!r} has shape {list(array.shape)}, the graph takes {dims}"
                raise ExportFailed("inputs_mismatch", said)
        return sizes

    def sizes_asked(self, dims: Mapping[str, int]) -> dict[str, int]:
        """`dims` if they are the graph's own; raises ExportFailed `unknown_dim` for a name it does not have."""
        strange = [name for name in dims if name not in self.symbols()]
        if strange:
            there = ", ".join(self.symbols()) or "none"
            raise ExportFailed("unknown_dim", f"the graph has no open dimension {', '.join(strange)}; it has: {there}")
        if small := [name for name, size in dims.items() if size < 1]:
            raise ExportFailed("unknown_dim", f"the size of dimension {', '.join(small)} must be at least 1")
        return dict(dims)


def make_static(model: Any, signature: Signature, sizes: Mapping[str, int]) -> None:
    """Write the sizes into the graph, in place, and infer the outputs' shapes: WebNN accepts only static ones.

    Raises ExportFailed `unknown_dim` when a dimension is left without a size.
    """
    open_dims = [name for name in signature.symbols() if name not in sizes]
    if open_dims:
        hint = ",".join(f"{name}=SIZE" for name in open_dims)
        reason = f"the graph leaves the size of {', '.join(open_dims)} open; give --dim {hint}"
        raise ExportFailed("unknown_dim", reason)
    if not signature.symbols():
        return
    from onnxruntime.tools.onnx_model_utils import is_fixed_size_tensor, make_input_shape_fixed

    try:
        for name in signature.names:
            shape = [sizes[dim] if isinstance(dim, str) else dim for dim in signature.dims(name)]
            make_input_shape_fixed(model.graph, name, shape)
        # Not the library's fix_output_shapes: it looks for external data in the working directory.
        inferred = onnx.shape_inference.infer_shapes(model)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise ExportFailed("broken_onnx", f"shapes do not fit: {first_line(error)}") from error
    for output, known in zip(model.graph.output, inferred.graph.output, strict=True):
        if not is_fixed_size_tensor(output) and is_fixed_size_tensor(known):
            output.type.tensor_type.shape.CopyFrom(known.type.tensor_type.shape)


def _dtype(value: Any) -> Any:
    if value.type.WhichOneof("value") != "tensor_type":
        raise ExportUnsupported(f"input {value.name!r} is no tensor")
    if not value.type.tensor_type.HasField("shape"):
        raise ExportUnsupported(f"input {value.name!r} does not say how many dimensions it has")
    number = value.type.tensor_type.elem_type
    try:
        kind = onnx.helper.tensor_dtype_to_np_dtype(number)
    except KeyError as error:
        raise ExportFailed(
            "broken_onnx", f"input {value.name[:80]!r} is of type {number}, which ONNX has not"
        ) from error
    if np.dtype(kind).kind not in "fiub":
        raise ExportUnsupported(f"input {value.name!r} is of type {kind}, which has no raw numeric form")
    return np.dtype(kind)
