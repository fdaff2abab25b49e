"""Items per second: batch size over median latency. What one item is (sequence, image, clip) the task says.

For task `graph`, a bare ONNX file, nobody knows what an item is: one item is one run's share of `batch_size`, so with
the usual batch size 1 it is runs per second.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.core.units import NS_PER_MS, NS_PER_S
from harness.metrics import latency_estimate

DESCRIBE = {
    "name": "throughput_items_per_second",
    "title": "Throughput",
    "unit": "items/s",
    "better": "higher",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    estimate = latency_estimate(rounds)
    if estimate is None or estimate.median_ms <= 0 or case.batch_size == 0:  # not known, of what was imported
        return None
    return case.batch_size * (NS_PER_S / NS_PER_MS) / estimate.median_ms
