"""Mean of the steady-state Samples; first and warm-up runs are phases of their own and never in it."""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import mean_ms

DESCRIBE = {
    "name": "latency_mean_ms",
    "title": "Mean latency",
    "unit": "ms",
    "better": "lower",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    return mean_ms(rounds)
