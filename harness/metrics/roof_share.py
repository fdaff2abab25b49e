"""How near to what this machine reaches: the least time that its roof allows over the median latency, 0 to about 1.

The roof is a micro-benchmark of the same Run (`--roofline`), at the Case's number of threads: the most operations per
second in a large matrix product, and the most bytes per second through memory. The least time of the graph's work is
the longer of its operations at the one and its bytes at the other. It is the CPU's roof, so only what computes there
has a share. The product is in fp32 for all Cases, so that they compare: what computes in bf16 or int8 can be beyond 1.
A model that fits the caches can be beyond the memory's part.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import latency_estimate, told_median

DESCRIBE = {
    "name": "roof_share",
    "title": "Of the roof",
    "unit": "share",
    "better": "higher",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    estimate = latency_estimate(rounds)
    flops, weights, activations = (
        told_median(rounds, "work", name) for name in ("flops", "weight_bytes", "activation_bytes")
    )
    gflops, gbytes = (told_median(rounds, "roof", name) for name in ("gflops", "gbytes_per_second"))
    if estimate is None or not flops or weights is None or activations is None or not gflops or not gbytes:
        return None
    least_ms = max(flops / gflops, (weights + activations) / gbytes) / 1e6
    return least_ms / estimate.median_ms
