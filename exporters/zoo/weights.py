"""Random weights that can be checked: no memory that nobody set, no constant that hides a part of a model."""

from typing import Any

import torch

from exporters.zoo.data import table

# Some classes draw the scales of these about zero as they do weights, so that each one takes a 50th of a signal.
NORMS = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.GroupNorm, torch.nn.LayerNorm)

# Its attributes are properties that torch sets up as it is imported, which no type tells.
_FILLING: Any = torch.utils.deterministic


def build(make: Any, seed: int) -> Any:
    """What `make` gives, float32 and eval mode, with weights that follow from the seed."""
    torch.manual_seed(seed)
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        _FILLING.fill_uninitialized_memory,
    )
    # Memory that a class reserves and that transformers' initialisation does not set becomes NaN instead of what
    # happened to lie there, so that it can be found.
    torch.use_deterministic_algorithms(True, warn_only=True)
    _FILLING.fill_uninitialized_memory = True
    try:
        module = make()
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        _FILLING.fill_uninitialized_memory = before[2]
    fill(module, seed)
    strengthen(module)
    return module.eval()


def fill(module: Any, seed: int) -> list[str]:
    """Set what is not a number, and what is one small constant though it is a weight; returns their names."""
    rules = table("rules")["weights"]
    random = torch.Generator().manual_seed(seed)
    named = [*module.named_parameters(), *module.named_buffers()]
    parameters = {id(tensor) for _, tensor in module.named_parameters()}
    kept = set(module.state_dict(keep_vars=True))
    scales = {id(each.weight) for each in module.modules() if isinstance(each, NORMS)}
    filled = []
    for name, tensor in named:
        if not tensor.is_floating_point() or tensor.numel() == 0 or tensor.is_meta:
            continue
        with torch.no_grad():
            unset = tensor.isnan()
            # What a class keeps as a buffer and learns all the same: the entries of a codebook.
            entries = name in kept and tensor.ndim > 1 and not tensor.any()
            weight = (id(tensor) in parameters or entries) and not name.endswith("bias")
            if weight and not unset.any() and _hides(tensor, rules["hides_below"], id(tensor) in scales):
                unset = torch.ones_like(tensor, dtype=torch.bool)
            if not unset.any():
                continue
            low, high = rules["scale"] if tensor.ndim < 2 else (-rules["spread"], rules["spread"])
            drawn = torch.rand(tensor.shape, generator=random, dtype=torch.float32) * (high - low) + low
            tensor.copy_(torch.where(unset, drawn.to(tensor.dtype), tensor))
            filled.append(name)
    return filled


def strengthen(module: Any) -> list[str]:
    """Scale up weights through which a signal would vanish; returns the names of their modules."""
    named_so = getattr(getattr(module, "config", None), "model_type", "")
    rules = table("rules")["weights"] | table("exceptions").get(named_so, {}).get("weights", {})
    named = list(module.named_modules())
    batch_normed = any(isinstance(each, torch.nn.modules.batchnorm._BatchNorm) for _, each in named)
    done: dict[int, str] = {}
    for name, each in named:
        convolves = isinstance(each, torch.nn.modules.conv._ConvNd)
        weight = each._parameters.get("weight")
        if not (convolves or isinstance(each, torch.nn.Linear)) or weight is None or id(weight) in done:
            continue
        keeping = (weight.numel() / weight.shape[0]) ** -0.5
        share = weight.detach().std().item() / keeping if weight.numel() > 1 else 1.0
        if 0 < share < rules["weak_convolution" if convolves and batch_normed else "weak"]:
            with torch.no_grad():
                weight.mul_(rules["gain"] / share)
            done[id(weight)] = name
    return list(done.values())


def _hides(tensor: Any, below: float, scale: bool) -> bool:
    """One number over and over, and so small that what it multiplies hardly counts; or a norm's scale about zero."""
    first = tensor.reshape(-1)[0]
    return bool(abs(first.item()) < below and (tensor == first).all()) or (scale and tensor.abs().mean().item() < below)
