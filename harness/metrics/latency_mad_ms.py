"""Median absolute deviation of the pooled Samples from their median: spread that one pause cannot blow up."""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.core.statistics import mad
from harness.metrics import pooled_ms, runs_per_sample

DESCRIBE = {
    "name": "latency_mad_ms",
    "title": "Median absolute deviation of latency",
    "unit": "ms",
    "better": "lower",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    if runs_per_sample(rounds) > 1:  # means of several runs spread less than the runs do
        return None
    pooled = pooled_ms(rounds)
    return mad(pooled) if pooled else None
