"""Cores kept busy from the end of the warm-up to the end of sampling, median over the Rounds.

CPU time of all its processes (a worker's, a browser's with its helpers) over wall time. Between samples the loop itself
works, which is in it and is little.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import told_median

DESCRIBE = {
    "name": "cpu_cores_used",
    "title": "CPU use",
    "unit": "cores",
    "better": "lower",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    return told_median(rounds, "usage", "cpu_cores")
