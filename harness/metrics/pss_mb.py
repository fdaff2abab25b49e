"""Proportional set size of the worker, or of the browser's process tree, at the end of sampling in millions of bytes,
the largest over the Rounds: pages shared with other processes count by their share. Linux alone tells it.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.core.units import BYTES_PER_MB
from harness.metrics import timed_rounds

DESCRIBE = {
    "name": "pss_mb",
    "title": "Memory (PSS)",
    "unit": "MB",
    "better": "lower",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    sizes = [one.memory_bytes["tree_pss"] for one in timed_rounds(rounds) if "tree_pss" in one.memory_bytes]
    return max(sizes) / BYTES_PER_MB if sizes else None
