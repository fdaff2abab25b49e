"""95th percentile of the pooled Samples; none below n = 72, which cannot support it."""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import percentile_ms

DESCRIBE = {
    "name": "latency_p95_ms",
    "title": "95th percentile of latency",
    "unit": "ms",
    "better": "lower",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    return percentile_ms(rounds, 0.95)
