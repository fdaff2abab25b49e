"""Billions of bytes per second that must be moved at least: weights as stored, inputs and outputs, once per run, over
the median latency. What is read again, or written in between, is not counted.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import latency_estimate, told_median

DESCRIBE = {
    "name": "achieved_gbytes_per_second",
    "title": "Achieved",
    "unit": "GB/s",
    "better": "higher",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    estimate = latency_estimate(rounds)
    weights, activations = (told_median(rounds, "work", f"{kind}_bytes") for kind in ("weight", "activation"))
    if estimate is None or weights is None or activations is None or estimate.median_ms <= 0:
        return None
    return (weights + activations) / estimate.median_ms / 1e6
