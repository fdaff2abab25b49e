"""Median of the pooled Samples: the 50th percentile beside p90, p95 and p99, from the same Samples as they.

`latency_median_ms` weighs Rounds alike, this weighs Samples alike.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.core.statistics import median
from harness.metrics import pooled_ms

DESCRIBE = {
    "name": "latency_p50_ms",
    "title": "50th percentile of latency",
    "unit": "ms",
    "better": "lower",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    pooled = pooled_ms(rounds)
    return median(pooled) if pooled else None
