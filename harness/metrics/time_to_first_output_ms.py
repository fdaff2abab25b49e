"""Until a page's or worker's first answer: getting the runtime and the model, loading it, the first inference.

The sum of a Round's phases `runtime`, `prepare`, `load` and `first`, median over Rounds. What our own page costs is not
in it. With `--network` it is what a user waits for on such a connection.
"""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.core.statistics import median
from harness.core.units import ms
from harness.metrics import timed_rounds

DESCRIBE = {
    "name": "time_to_first_output_ms",
    "title": "time to the first output",
    "unit": "ms",
    "better": "lower",
}
PHASES = ("runtime", "prepare", "load", "first")


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    """None where a phase was not told, or a worker was forked with its imports: the sum would be another thing."""
    if case.isolation == "zygote" and case.browser is None:
        return None
    sums = [
        sum(one.phases[phase] for phase in PHASES)
        for one in timed_rounds(rounds)
        if all(phase in one.phases for phase in PHASES)
    ]
    return ms(median(sums)) if sums else None
