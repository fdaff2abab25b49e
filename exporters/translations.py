"""Translations to ONNX that torch's exporter does not bring: operators on complex numbers, which models turn by, and
what checks are made with.

In a graph a complex tensor is a real one whose last axis, of size 2, holds the two parts.
"""

from functools import cache
from typing import Any


@cache
def register_translations() -> None:
    """Once per process, for every later export of it."""
    import torch
    from onnx import TensorProto
    from onnxscript.onnx_opset import opset18 as op
    from torch.onnx._internal.exporter._torchlib import _torchlib_registry as registry

    aten = torch.ops.aten

    def unsqueeze(self: Any, dim: int) -> Any:
        return op.Unsqueeze(self, op.Constant(value_ints=[dim if dim >= 0 else dim - 1]))

    def select(self: Any, dim: int, index: int) -> Any:
        # A scalar index takes the axis away.
        return op.Gather(self, op.Constant(value_int=index), axis=dim if dim >= 0 else dim - 1)

    def is_all_true(self: Any) -> Any:
        # Of nothing the least is the largest there is, and so true.
        least = op.ReduceMin(op.Cast(self, to=TensorProto.INT64), keepdims=0)
        return op.Cast(least, to=TensorProto.BOOL)

    registry.onnx_impl(aten._is_all_true.default, trace_only=True)(is_all_true)
    for target, translation in ((aten.unsqueeze.default, unsqueeze), (aten.select.int, select)):
        registry.onnx_impl(target, trace_only=True, complex=True)(translation)
