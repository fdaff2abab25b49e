"""Cosine between the outputs and the reference's, the lowest over the Rounds: what others report as accuracy of a
precision.

It is blind to scale, and to errors that a large common part of the output hides: `rms_error_share` is not.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import timed_rounds

DESCRIBE = {
    "name": "cosine_to_reference",
    "title": "Cosine to the reference",
    "unit": "cosine",
    "better": "higher",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    told = [one.verdict.cosine for one in timed_rounds(rounds) if one.verdict and one.verdict.cosine is not None]
    return min(told, default=None)
