"""A module whose forward takes and gives tensors in order, as `torch.onnx.export` wants it."""

from collections.abc import Mapping
from typing import Any

import torch

from exporters.known import constant
from exporters.reference import outputs_of, tensors
from exporters.seam import Subject
from exporters.subject import module_of


class Flat(torch.nn.Module):
    """The Subject's module; inputs in the order of the Subject's, outputs as well. Those in `known` are constants and
    not taken."""

    def __init__(self, subject: Subject, attention: str, known: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.module = module_of(subject, attention)
        # Experts otherwise sort the tokens by expert and use operators that ONNX does not have. A part of the module
        # may have some where the whole does not know of it.
        for part in self.module.modules():
            if getattr(part, "_can_set_experts_implementation", lambda: False)():
                part.set_experts_implementation("batched_mm")
        self.known, self.names = dict(known or {}), list(subject.inputs)
        self.takes = [name for name in self.names if name not in self.known]
        self.gives = list(subject.expected)

    def forward(self, *given: Any) -> tuple[Any, ...]:
        taken = dict(zip(self.takes, given, strict=True))
        inputs = {name: taken[name] if name in taken else constant(self.known[name]) for name in self.names}
        found = outputs_of(self.module, inputs)
        return tuple(found[name] for name in self.gives)

    def sample(self, subject: Subject) -> tuple[Any, ...]:
        """What it takes, in order."""
        return tuple(tensors({name: subject.inputs[name] for name in self.takes}).values())
