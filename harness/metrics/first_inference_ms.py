"""First inference of a fresh process or tab, shader and kernel compilation included; median over Rounds."""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import phase_ms

DESCRIBE = {
    "name": "first_inference_ms",
    "title": "First inference",
    "unit": "ms",
    "better": "lower",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    return phase_ms(rounds, "first")
