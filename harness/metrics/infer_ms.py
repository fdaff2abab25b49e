"""The model's call inside a pipeline, its outputs on the host; null where there is no pipeline. Measured after the
latency, with marks, so that the three parts together are about the latency and never in it."""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import part_ms

DESCRIBE = {
    "name": "infer_ms",
    "title": "Inference in a pipeline",
    "unit": "ms",
    "better": "lower",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    return part_ms(rounds, "infer")
