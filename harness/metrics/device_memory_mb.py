"""Peak of the accelerator's own allocator in millions of bytes, the largest over the Rounds; null on a CPU, and in a
page, which cannot ask. Never added to `peak_memory_mb`: on some machines the two are the same memory.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.core.units import BYTES_PER_MB
from harness.metrics import timed_rounds

DESCRIBE = {
    "name": "device_memory_mb",
    "title": "Device memory",
    "unit": "MB",
    "better": "lower",
}

# How the names of such sources begin.
DEVICE_PEAK = "device_peak_"


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    peaks = [
        size
        for one in timed_rounds(rounds)
        for source, size in one.memory_bytes.items()
        if source.startswith(DEVICE_PEAK)
    ]
    return max(peaks) / BYTES_PER_MB if peaks else None
