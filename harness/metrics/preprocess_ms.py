"""What a pipeline does before its model: tokenisation, or image processing; null where there is none, or it was not
measured."""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import part_ms

DESCRIBE = {
    "name": "preprocess_ms",
    "title": "Preprocessing",
    "unit": "ms",
    "better": "lower",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    return part_ms(rounds, "preprocess")
