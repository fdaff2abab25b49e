"""Time to fetch or read the artifact, median over Rounds; never part of a latency.

A page fetches the inputs and the whole model here; a native worker reads the inputs, and its runtime reads the model's
files when it loads. So this figure compares pages with pages and workers with workers.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import phase_ms

DESCRIBE = {
    "name": "prepare_ms",
    "title": "Prepare time",
    "unit": "ms",
    "better": "lower",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    return phase_ms(rounds, "prepare")
