"""Time to create the session or module (startup), median over Rounds.

Natively this includes reading the model's files; in a page they were fetched before (`prepare_ms`), and it includes
compiling the runtime's wasm. Importing the library is the phase `runtime` on both sides, and in neither figure.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import phase_ms

DESCRIBE = {
    "name": "load_ms",
    "title": "Load time",
    "unit": "ms",
    "better": "lower",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    return phase_ms(rounds, "load")
