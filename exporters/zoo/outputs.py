"""A module's outputs as named arrays, and whether they follow from what the module was given."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

# Less change than this share of an output's scale for wholly other inputs is no change.
TELLING_SHARE = 1e-4
MASKED = float(np.finfo(np.float32).max) / 2


def flat_outputs(outputs: Any, name: str = "") -> dict[str, Any]:
    """Every tensor of an output by its path (`hidden_states.0`), as numpy arrays; what is no tensor is left out."""
    if isinstance(outputs, torch.Tensor):
        wide = outputs.float() if outputs.dtype == torch.bfloat16 else outputs
        return {name or "output": wide.detach().numpy()}
    if isinstance(outputs, Mapping):
        parts = list(outputs.items())
    elif isinstance(outputs, list | tuple):
        parts = list(enumerate(outputs))
    else:
        return {}
    flat: dict[str, Any] = {}
    for key, part in parts:
        flat |= flat_outputs(part, f"{name}.{key}" if name else str(key))
    return flat


def insensitive(first: Mapping[str, Any], second: Mapping[str, Any]) -> str | None:
    """A sentence when no output of two different inputs differs: a graph that ignores its inputs would pass."""
    for name, one in first.items():
        other = second.get(name)
        if other is None or other.shape != one.shape:
            return None
        if one.dtype.kind != "f" or one.size == 0:
            continue
        # What a model masks it sets to the least number there is, beside which no difference would count.
        told = (np.abs(one) < MASKED) & (np.abs(other) < MASKED)
        wide, have = one[told].astype(np.float64), other[told].astype(np.float64)
        if wide.size and np.abs(wide - have).max() > TELLING_SHARE * np.abs(wide).max():
            return None
    return "the outputs do not depend on the inputs"
