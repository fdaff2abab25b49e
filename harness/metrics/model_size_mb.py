"""Size of the model's files that a backend reads, in millions of bytes: what is stored, and what a page downloads of
it.

PyTorch and OpenVINO may compute in another precision than the files have (see `Backend.reads`): it is the files' size.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.core.units import BYTES_PER_MB
from harness.metrics import told_median

DESCRIBE = {
    "name": "model_size_mb",
    "title": "Model size",
    "unit": "MB",
    "better": "lower",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    size = told_median(rounds, "model_bytes")
    return None if size is None else size / BYTES_PER_MB
