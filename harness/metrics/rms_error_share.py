"""What a precision costs in accuracy: the typical error (root of the mean square) of the outputs, relative to the
spread (standard deviation) of the reference's; the worst over the Rounds, the outputs and the two iterations that are
judged.

0 is the fp32 reference to the bit, 1 an output that has nothing to do with it.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import timed_rounds

DESCRIBE = {
    "name": "rms_error_share",
    "title": "Typical error",
    "unit": "share",
    "better": "lower",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    told = [one.verdict.rms_rel for one in timed_rounds(rounds) if one.verdict and one.verdict.rms_rel is not None]
    return max(told, default=None)
