"""int8 for PyTorch: torchao's dynamic activations and int8 weights, and how much of a model that reached."""

from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from harness.core.errors import Unsupported

# A model most of which computes in fp32 would stand in the tables as something that it is not. A small model's head can
# have most of its weights, so the layers count too.
_LEAST_SHARE = 0.5


def import_torchao() -> str:
    """Its version; raises Unsupported where it is not installed."""
    try:
        import torchao.quantization
    except ImportError as error:
        raise Unsupported(f"{error}: pip install 'model-benchmark-harness[pytorch]'") from error
    version: str = torchao.__version__
    return version


def quantise_int8(module: nn.Module) -> dict[str, Any]:
    """Change the weights of `module`'s linear layers in place, one scale per row, activations one scale per token.

    Returns provenance: {"quantiser", "quantised_layers", "total_layers", "quantised_share" (of all parameters),
    "int8_kernel"}. The layers are those that multiply by weights; what else there is (embeddings, norms, products
    within attention) stays in fp32. Raises Unsupported where torchao takes less than half of those layers or weights.
    """
    version = import_torchao()
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, Int8Tensor, quantize_

    layers = [each for each in module.modules() if isinstance(each, nn.Linear | Conv1D | nn.Conv1d | nn.Conv2d)]
    sizes = {id(each): each.weight.numel() for each in layers}
    # Inductor's settings stay as they are: they would change what `compile` means.
    quantize_(module, Int8DynamicActivationInt8WeightConfig(set_inductor_config=False))
    done = [each for each in layers if isinstance(each.weight, Int8Tensor)]
    reached, of_all = sum(sizes[id(each)] for each in done), sum(sizes.values())
    if reached < _LEAST_SHARE * of_all or len(done) < _LEAST_SHARE * len(layers):
        left = sorted({type(each).__name__ for each in layers} - {"Linear"})
        raise Unsupported(
            f"torchao {version} makes int8 of nn.Linear alone: {len(done)} of {len(layers)} layers here,"
            f" {reached / max(of_all, 1):.0%} of their weights; the others are {', '.join(left) or 'none'}"
        )
    # Counted now: a head that shared its weights with an embedding has its own by quantising, and the embedding stays.
    everything = sum(parameter.numel() for parameter in module.parameters())
    return {
        "quantiser": f"torchao {version} Int8DynamicActivationInt8WeightConfig",
        "quantised_layers": len(done), "total_layers": len(layers), "quantised_share": reached / everything,
        "int8_kernel": _int8_kernel(),
    }  # fmt: skip


def _int8_kernel() -> str:
    """What torch._int_mm multiplies with on this CPU: torch asks oneDNN, and oneDNN the processor."""
    if torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        capability = torch.backends.cpu.get_cpu_capability()
        return f"torch._int_mm, oneDNN, {capability}{', VNNI' if torch.cpu._is_vnni_supported() else ''}"
    return "torch._int_mm, without oneDNN"
