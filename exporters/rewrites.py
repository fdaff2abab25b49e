"""Rules by which onnxscript simplifies each graph that it makes, less those that make a wrong one."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch


@contextmanager
def sound_rewrites() -> Iterator[None]:
    """Leave out the unsound rules within the block; what they save, ONNX Runtime saves as well when it loads a graph.

    `_broadcast_to_matmul` takes the reshapes around a product of matrices away where the shapes would allow it, and
    does not ask whether the axes are the same: with two heads and two blocks, it multiplies by block what was to be
    multiplied by head. The other two name their bounds after the tensor that is clipped: where that is clipped twice,
    the second pair replaces the first, and the first node is left with bounds that do not exist.
    """
    from onnxscript import rewriter
    from onnxscript.rewriter.rules.common import _broadcast_to_matmul, _fuse_relus_clips, _min_max_to_clip

    modules = (_broadcast_to_matmul, _fuse_relus_clips, _min_max_to_clip)
    unsound = {id(rule) for module in modules for rule in module.rules}
    kept = tuple(rule for rule in rewriter._DEFAULT_REWRITE_RULES if id(rule) not in unsound)
    with patch.object(rewriter, "_DEFAULT_REWRITE_RULES", kept):
        yield
