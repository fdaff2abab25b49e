"""Share of positions where the largest output is the same one as the reference's (class, token), the lowest over the
Rounds; null for tasks whose outputs are no choice.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.metrics import timed_rounds

DESCRIBE = {
    "name": "argmax_agreement",
    "title": "Same answer",
    "unit": "share",
    "better": "higher",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    told = [one.verdict.agreement for one in timed_rounds(rounds) if one.verdict and one.verdict.agreement is not None]
    return min(told, default=None)
