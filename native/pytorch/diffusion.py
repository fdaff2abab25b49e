"""Parts of diffusers' pipelines: found by the class that the Artifact names, loaded from safetensors alone.

diffusers is imported only when such a part is asked for: whoever runs transformers' models need not have it.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from harness.core.calls import Call
from harness.core.errors import Unsupported


def class_in_diffusers(call: Call) -> Any:
    """The class that made the part; raises Unsupported where diffusers is absent or has none of that name."""
    try:
        import diffusers
    except ImportError as error:
        install = "pip install 'model-benchmark-harness[pytorch]'"
        raise Unsupported(f"{call.built_by} is a class of diffusers, which is not here: {install}") from error
    found = getattr(diffusers, call.built_by, None)
    if found is None:
        raise Unsupported(f"diffusers {diffusers.__version__} has no class {call.built_by!r}")
    return found


def load_part(cls: Any, folder: Path, dtype: torch.dtype) -> Any:
    """The module in that folder, in eval mode."""
    # Not by from_pretrained: of a class that keeps parts in float32 (Wan's) it wants accelerate, whatever the type.
    module = cls.from_config(cls.load_config(str(folder)))
    weights: dict[str, Any] = {}
    for file in folder.glob("*.safetensors"):
        weights |= load_file(file)
    module.load_state_dict(weights, assign=True)
    return module.to(dtype).eval()


def version_of_diffusers() -> dict[str, str]:
    """For what is told of the runtime."""
    return {"diffusers": version("diffusers")}
