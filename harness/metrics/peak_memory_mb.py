"""Peak memory in millions of bytes, the largest over the Rounds, from one source and never a sum of several.

First choice `peak_rss` (high-water mark of a native worker), else `tree_hwm_rss` (the browser's process tree).

Under `--isolation zygote` the mark begins at the fork, with the private pages it inherited: pages of the libraries'
files count only once the fork touches them, and a peak of importing is not in it at all. Tiny BERT showed a sixth to a
fifth less than in a fresh process (PyTorch 344 for 412 MB, ONNX Runtime 61 for 75 MB), so the two are not compared.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.core.units import BYTES_PER_MB
from harness.metrics import timed_rounds

DESCRIBE = {
    "name": "peak_memory_mb",
    "title": "Peak memory",
    "unit": "MB",
    "better": "lower",
}

# A native worker measures its own high-water mark; of a page only the browser's whole process tree is known.
SOURCES = ("peak_rss", "tree_hwm_rss")


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    for source in SOURCES:
        peaks = [one.memory_bytes[source] for one in timed_rounds(rounds) if source in one.memory_bytes]
        if peaks:
            return max(peaks) / BYTES_PER_MB
    return None
