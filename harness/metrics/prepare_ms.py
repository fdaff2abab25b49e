"""Time to fetch or read the artifact, median over Rounds; never part of a latency."""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import phase_ms

DESCRIBE = {
    "name": "prepare_ms",
    "title": "Prepare time",
    "unit": "ms",
    "better": "lower",
    "level": "case",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    return phase_ms(rounds, "prepare")
