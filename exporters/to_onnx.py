"""A module → ONNX through transformers' own exporter.

Shapes are static: WebNN accepts nothing else, and the inputs are frozen anyway.
"""

DESCRIBE = {
    "name": "transformers",
    "takes": ["architecture", "pretrained"],
    "formats": ["onnx"],
    "environment": "main",
    "packages": ["transformers", "torch", "onnx", "onnxscript", "safetensors"],
    "install": "pip install 'model-benchmark-harness[export]'",
}

from pathlib import Path
from typing import Any

from exporters.seam import Subject
from exporters.subject import module_of, outputs_of, tensors
from exporters.translations import register_translations

VARIANTS = ("sdpa", "eager")  # kinds of attention


def make(subject: Subject, path: Path, variant: str) -> tuple[str, ...]:
    """Write the graph and its external data."""
    from transformers.exporters import OnnxConfig, OnnxExporter

    register_translations()
    module = module_of(subject, variant)
    forward = module.forward

    def wanted_only(**given: Any) -> dict[str, Any]:
        # What is no output of the Artifact (a cache, say) would be a part of the graph that nobody asked for.
        return outputs_of(forward, given)

    module.forward = wanted_only
    program = OnnxExporter().export(module, tensors(subject.inputs), config=OnnxConfig(dynamic=False)).program
    OnnxExporter.save_program(program, path)
    return ()
