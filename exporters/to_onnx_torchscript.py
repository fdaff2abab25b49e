"""A module → ONNX through torch's older exporter, which follows one run and writes down what was computed.

Whatever the run decided by looking at values is fixed in the graph; on the frozen inputs it is the same.
"""

DESCRIBE = {
    "name": "torchscript",
    "version": 1,
    "takes": ["architecture", "pretrained"],
    "formats": ["onnx"],
    "environment": "main",
    "packages": ["transformers", "torch", "onnx", "safetensors"],
    "install": "pip install 'model-benchmark-harness[export]'",
}

from pathlib import Path

import onnx
import torch

from exporters.flat import Flat
from exporters.seam import Subject

VARIANTS = ("eager",)  # kind of attention
_OPSET = 18  # the newest that this exporter writes well


def make(subject: Subject, path: Path, variant: str) -> tuple[str, ...]:
    """Write the graph and its external data."""
    flat = Flat(subject, variant)
    raw = path.with_name("raw") / path.name
    raw.parent.mkdir()
    with torch.no_grad():
        torch.onnx.export(
            flat, flat.sample(subject), str(raw), dynamo=False, opset_version=_OPSET, do_constant_folding=True,
            input_names=flat.takes, output_names=flat.gives,
        )  # fmt: skip
    model = onnx.load(str(raw))  # large ones have a file per weight
    onnx.save(model, str(path), save_as_external_data=True, location=f"{path.name}.data")
    for file in raw.parent.iterdir():
        file.unlink()
    raw.parent.rmdir()
    return ("what this run decided by values is fixed in the graph",)
