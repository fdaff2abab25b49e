"""What a pipeline does with its model's outputs: pooling and normalising, or softmax and ranking; null where there is
none, or it was not measured."""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import part_ms

DESCRIBE = {
    "name": "postprocess_ms",
    "title": "Postprocessing",
    "unit": "ms",
    "better": "lower",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    return part_ms(rounds, "postprocess")
