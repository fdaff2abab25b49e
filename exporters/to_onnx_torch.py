"""A module → ONNX through `torch.onnx.export` alone, without the patches that transformers' exporter adds."""

DESCRIBE = {
    "name": "torch",
    "takes": ["architecture", "pretrained"],
    "formats": ["onnx"],
    "environment": "main",
    "packages": ["transformers", "torch", "onnx", "onnxscript", "safetensors"],
    "install": "pip install 'model-benchmark-harness[export]'",
}

from pathlib import Path

import torch

from exporters.flat import Flat, sample
from exporters.seam import Subject
from exporters.translations import register_translations

VARIANTS = ("eager",)  # kind of attention


def make(subject: Subject, path: Path, variant: str) -> tuple[str, ...]:
    """Write the graph and its external data."""
    register_translations()
    flat = Flat(subject, variant)
    with torch.no_grad():
        torch.onnx.export(
            flat, sample(subject), str(path), dynamo=True, external_data=True, verbose=False,
            input_names=flat.takes, output_names=flat.gives,
        )  # fmt: skip
    return ()
