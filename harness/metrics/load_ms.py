"""Time to create the session or module (startup), median over Rounds; reading the artifact is `prepare_ms`."""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import phase_ms

DESCRIBE = {
    "name": "load_ms",
    "title": "Load time",
    "unit": "ms",
    "better": "lower",
    "level": "case",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    return phase_ms(rounds, "load")
