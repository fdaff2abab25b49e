"""Billions of operations per second: those that the graph asks for, counted from it with its static shapes
(`Artifact.work`), over the median latency. The least work, not what a kernel really does: one that recomputes is not
faster by that.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import latency_estimate, told_median

DESCRIBE = {
    "name": "achieved_gflops",
    "title": "Achieved",
    "unit": "GFLOP/s",
    "better": "higher",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    estimate, flops = latency_estimate(rounds), told_median(rounds, "work", "flops")
    return None if estimate is None or flops is None or estimate.median_ms <= 0 else flops / estimate.median_ms / 1e6
