"""A module → ONNX through transformers' own exporter.

Shapes are static: WebNN accepts nothing else, and the inputs are frozen anyway.
"""

DESCRIBE = {
    "name": "transformers",
    "version": 1,
    "takes": ["architecture", "pretrained"],
    "formats": ["onnx"],
    "environment": "main",
    "packages": ["transformers", "torch", "onnx", "onnxscript", "safetensors"],
    "install": "pip install 'model-benchmark-harness[export]'",
}

from pathlib import Path
from typing import Any

from exporters.reference import outputs_of, tensors
from exporters.rewrites import sound_rewrites
from exporters.seam import Subject
from exporters.subject import module_of
from exporters.translations import register_translations
from harness.core.calls import tree_of

VARIANTS = ("default", "eager")  # kinds of attention


def make(subject: Subject, path: Path, variant: str) -> tuple[str, ...]:
    """Write the graph and its external data."""
    from transformers.exporters import OnnxConfig, OnnxExporter

    register_translations()
    module = module_of(subject, variant)
    forward = module.forward

    def wanted_only(**given: Any) -> dict[str, Any]:
        # What is no output of the Artifact (a cache, say) would be a part of the graph that nobody asked for.
        return outputs_of(module, flat(given), forward)

    module.forward = wanted_only
    sample = nested(tensors(subject.inputs))
    with sound_rewrites():
        program = OnnxExporter().export(module, sample, config=OnnxConfig(dynamic=False)).program
    OnnxExporter.save_program(program, path)
    return ()


def nested(given: dict[str, Any]) -> dict[str, Any]:
    """`a.0.b` → a mapping in a mapping: a dot is in no parameter's name. The exporter names what is nested by its path,
    which is the dotted name again."""
    return tree_of(given, ".")


def flat(given: dict[str, Any], path: str = "") -> dict[str, Any]:
    """What `nested` nested."""
    made: dict[str, Any] = {}
    for name, value in given.items():
        made |= flat(value, f"{path}{name}.") if isinstance(value, dict) else {f"{path}{name}": value}
    return made
