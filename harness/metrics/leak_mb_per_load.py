"""Growth of the browser's processes over loads and disposals of the model, in millions of bytes per load.

Only where it was asked for (`--option leak_check=N`). From the proportional set size of the whole tree before and
after; garbage that is not collected yet is in it, and it may be below zero: what does not grow with N is no leak.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.core.units import BYTES_PER_MB
from harness.metrics import timed_rounds

DESCRIBE = {
    "name": "leak_mb_per_load",
    "title": "Growth per load",
    "unit": "MB",
    "better": "lower",
}

BEFORE, AFTER = "leak_before_tree_pss", "leak_after_tree_pss"


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    for one in timed_rounds(rounds):
        leaks = one.provenance.get("leaks")
        loads = leaks.get("loads") if isinstance(leaks, dict) else None
        if isinstance(loads, int) and loads > 0 and {BEFORE, AFTER} <= one.memory_bytes.keys():
            return (one.memory_bytes[AFTER] - one.memory_bytes[BEFORE]) / loads / BYTES_PER_MB
    return None
