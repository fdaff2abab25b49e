"""Number of steady-state Samples over all Rounds that count; zero where none was taken."""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import pooled_ms

DESCRIBE = {
    "name": "samples",
    "title": "Samples",
    "unit": "samples",
    "better": "higher",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    return float(len(pooled_ms(rounds)))
