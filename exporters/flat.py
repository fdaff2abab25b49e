"""A module whose forward takes and gives tensors in order, as `torch.onnx.export` wants it."""

from typing import Any

import torch

from exporters.reference import outputs_of, tensors
from exporters.seam import Subject
from exporters.subject import module_of


class Flat(torch.nn.Module):
    """The Subject's module; inputs in the order of the Subject's, outputs as well."""

    def __init__(self, subject: Subject, attention: str) -> None:
        super().__init__()
        self.module = module_of(subject, attention)
        # Experts otherwise sort the tokens by expert and use operators that ONNX does not have.
        if getattr(self.module, "_can_set_experts_implementation", lambda: False)():
            self.module.set_experts_implementation("batched_mm")
        self.takes, self.gives = list(subject.inputs), list(subject.expected)

    def forward(self, *given: Any) -> tuple[Any, ...]:
        found = outputs_of(self.module, dict(zip(self.takes, given, strict=True)))
        return tuple(found[name] for name in self.gives)


def sample(subject: Subject) -> tuple[Any, ...]:
    """The inputs in order."""
    return tuple(tensors(subject.inputs).values())
