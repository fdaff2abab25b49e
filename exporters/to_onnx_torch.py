"""A module → ONNX through `torch.onnx.export` alone, without the patches that transformers' exporter adds."""

DESCRIBE = {
    "name": "torch",
    "version": 1,
    "takes": ["architecture", "pretrained"],
    "formats": ["onnx"],
    "environment": "main",
    "packages": ["transformers", "torch", "onnx", "onnxscript", "safetensors"],
    "install": "pip install 'model-benchmark-harness[export]'",
}

from pathlib import Path
from typing import Any

import torch

from exporters.flat import Flat
from exporters.known import folded, knowable, known_values
from exporters.rewrites import sound_rewrites
from exporters.seam import ExportFailed, Subject
from exporters.translations import register_translations

EAGER, FIXED = "eager", "eager, layout fixed"
VARIANTS = (EAGER, FIXED)  # kind of attention, and whether what lays out the inputs is a constant of the graph


def make(subject: Subject, path: Path, variant: str) -> tuple[str, ...]:
    """Write the graph and its external data."""
    register_translations()
    if variant == FIXED:
        return _make_fixed(subject, path)
    flat = Flat(subject, EAGER)
    with torch.no_grad():
        _write(flat, flat.sample(subject), path, flat)
    return ()


def _make_fixed(subject: Subject, path: Path) -> tuple[str, ...]:
    """Raises ExportFailed `no_layout` where no input says how the others are laid out."""
    known = knowable(subject.inputs)
    flat = Flat(subject, EAGER, known)
    if not known or not flat.takes:
        raise ExportFailed("no_layout", "no input says how others are laid out, so none can be fixed")
    with torch.no_grad(), known_values() as assumed:
        program = folded(torch.export.export(flat, flat.sample(subject), strict=False))
        _write(program, (), path, flat)
    return (f"conditions on values that were taken not to hold: {', '.join(assumed)}",) if assumed else ()


def _write(made: Any, sample: tuple[Any, ...], path: Path, flat: Flat) -> None:
    with sound_rewrites():
        torch.onnx.export(
            made, sample, str(path), dynamo=True, external_data=True, verbose=False,
            input_names=flat.takes, output_names=flat.gives,
        )  # fmt: skip
