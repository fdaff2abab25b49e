"""Import all that an export needs and compute nothing, so that each fork of this process begins with it.

A library that has computed keeps threads, which a fork would lose.
"""

import contextlib
from importlib import import_module

# What torch and transformers import only once an export has begun: a second or more, in every process.
_LATE = (
    "onnx.shape_inference", "onnxruntime", "onnxscript.rewriter.onnx_fusions", "safetensors.torch",
    "torch._functorch.aot_autograd", "torch.export._trace", "torch.onnx._internal.exporter._torchlib.ops",
    "torch.onnx._internal.exporter._compat", "torch._inductor.codecache", "torch.fx.passes._tensorify_python_scalars",
    *(f"torch.onnx._internal.torchscript_exporter.symbolic_opset{number}" for number in range(7, 21)),
    "transformers.convert_slow_tokenizer", "transformers.generation.utils", "transformers.modeling_layers",
    "transformers.models.auto.modeling_auto", "transformers.exporters.exporter_onnx",
)  # fmt: skip


def warm() -> None:
    """Imports only; what is not installed is missed later, by whoever needs it, in its own words."""
    from exporters.quiet import quiet

    with quiet(), contextlib.suppress(ImportError):
        import_module("exporters.subject")
        import_module("exporters.graphs.fit")
        for name in _LATE:
            with contextlib.suppress(ImportError):
                import_module(name)
        with contextlib.suppress(ImportError):
            from torch.onnx._internal.exporter._registration import ONNXRegistry
            from transformers.exporters.utils import apply_patches

            # Reads the type hints of hundreds of translations, and keeps what it read.
            ONNXRegistry.from_torchlib()
            # Finds what its patches are for, dozens of models, and so imports them.
            with apply_patches("dynamo"), apply_patches("onnx"):
                pass
