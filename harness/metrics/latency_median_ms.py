"""Median latency: of three or more Rounds the geometric mean of their medians, else the median of the pooled Samples.

It is the point that `latency_ci95_ms` surrounds.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import latency_estimate

DESCRIBE = {
    "name": "latency_median_ms",
    "title": "Median latency",
    "unit": "ms",
    "better": "lower",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    estimate = latency_estimate(rounds)
    return estimate.median_ms if estimate else None
