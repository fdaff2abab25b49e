"""How large a model is, as far as that is known without opening it."""

from pathlib import Path

from harness import catalog
from harness.core.nouns import Model

_BYTES_PER_WEIGHT = 4


def parameters_of(model: Model) -> int | None:
    """The number of weights: from the catalogue, or from the size of files as if they held fp32; None: not known.

    Files may hold half precision; then there are more, and what is estimated from it is too low rather than too high.
    """
    if model.kind == "architecture":
        known = catalog.architectures().get(model.architecture or "")
        return known.parameters if known and model.scale == "full" and model.layers is None else None
    path = Path(model.path) if model.path else None
    try:
        if path is None:
            return None
        if path.is_dir():
            files = list(path.glob("*.safetensors"))
        else:  # external data is called model.onnx.data, model.onnx_data …
            files = [file for file in path.parent.glob("*.onnx*") if file.name.startswith(path.name)]
        size_bytes = sum(file.stat().st_size for file in files if file.is_file())
    except OSError:
        return None
    return size_bytes // _BYTES_PER_WEIGHT or None
