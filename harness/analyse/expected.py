"""Where the median of one more Round of a Case is expected, from its other Rounds; pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.statistics import mean, t_quantile

# Rounds nearer than half a percent cannot be told apart: a Sample is a hundred steps of the clock.
LEAST_SPREAD = 0.005
# With one or two Runs nobody knows how Runs differ on this machine; three show it.
_RUNS_THAT_SHOW_IT = 3
# Until then: as if they differed twice as much as the Rounds within one, which costs sensitivity, not truth.
_ASSUMED_RUNS_TO_ROUNDS = 2.0


@dataclass(frozen=True)
class Expected:
    """Prediction interval for one Round's median, in the medians' unit; `rounds` in `runs` other Runs are behind it.

    `runs` is 0 where the same Run's Rounds are among them.
    """

    low: float
    high: float
    rounds: int
    runs: int

    @property
    def assumes(self) -> str | None:
        """What is not known of these Runs, in words; None: they showed it."""
        if not 0 < self.runs < _RUNS_THAT_SHOW_IT:
            return None
        runs = "one other run does" if self.runs == 1 else "two other runs do"
        return f"{runs} not show how runs differ here: taken as twice what rounds do"


def expected_of(
    others: Sequence[Sequence[float]], siblings: Sequence[float], least: int, confidence: float
) -> Expected | None:
    """Student's t on logarithms, with a variance between Runs and one within them (one-way random effects).

    `others`: medians of the Case's Rounds, a list per other Run; `siblings`: those of the same Run but the one that is
    judged. None where fewer than `least` Rounds are there, or one is not above 0. The degrees of freedom are
    Satterthwaite's, rounded down. Siblings tell how Rounds differ within a Run, not where this one belongs: else a Run
    that is off as a whole would vouch for itself. Where other Runs have fewer than `least` Rounds, they are all pooled.

    False alarms of one Round at confidence 0.95 (20,000 simulations each, lognormal, three Rounds per Run; Runs differ
    0, 1, 2 and 5 times as much as Rounds within one): from one Run 0.3, 1.3, 4.7 and 27 %, from two 0.1, 0.4, 2.2 and
    8.1 %, from three 4.2, 5.7, 6.4 and 5.3 %, from ten 5.0, 4.8, 5.0 and 5.0 %. At 0.995 from three 0.3, 0.8, 1.6 and
    1.6 %, from ten 0.5 % throughout. With Student's t of three degrees as noise up to 7.5 % at 0.95.
    """
    runs = [[math.log(value) for value in run] for run in others if run and min(run) > 0]
    own = [math.log(value) for value in siblings if value > 0]
    if sum(map(len, runs)) >= least:
        center, variance, degrees = _over_runs(runs, own)
        return _interval(center, variance, t_quantile(0.5 + confidence / 2, degrees), (sum(map(len, runs)), len(runs)))
    pooled = [*own, *(log for run in runs for log in run)]
    n = len(pooled)
    if n < max(least, 2):
        return None
    variance = max(_squares(pooled) / (n - 1), LEAST_SPREAD**2) * (1 + 1 / n)
    return _interval(mean(pooled), variance, t_quantile(0.5 + confidence / 2, n - 1), (n, 0))


def _over_runs(runs: Sequence[Sequence[float]], own: Sequence[float]) -> tuple[float, float, int]:
    """Mean of the Runs' means, variance of a new Round of a new Run around it, and its degrees of freedom."""
    k, means = len(runs), [mean(run) for run in runs]
    within_degrees = sum(len(run) - 1 for run in runs) + max(0, len(own) - 1)
    squares = sum(map(_squares, runs)) + (_squares(own) if own else 0.0)
    within = max(squares / within_degrees, LEAST_SPREAD**2) if within_degrees else LEAST_SPREAD**2
    each = k / sum(1 / len(run) for run in runs)  # Rounds per Run, the harmonic mean: what the means' variance holds
    between = max(_squares(means) / (k - 1), LEAST_SPREAD**2 / each) if k > 1 else 0.0
    if k < _RUNS_THAT_SHOW_IT and within_degrees:
        assumed = _ASSUMED_RUNS_TO_ROUNDS**2 * within
        if between - within / each <= assumed:
            return mean(means), assumed * (1 + 1 / k) + within * (1 + 1 / (k * each)), within_degrees
    if k == 1:  # one Round alone shows nothing
        return means[0], math.inf, 1
    parts = [((1 + 1 / k) * between, k - 1)]
    if within_degrees:
        parts.append(((1 - 1 / each) * within, within_degrees))
    variance = sum(part for part, _ in parts)
    return mean(means), variance, max(1, int(variance**2 / sum(part**2 / degrees for part, degrees in parts)))


def _squares(values: Sequence[float]) -> float:
    center = mean(values)
    return math.fsum((value - center) ** 2 for value in values)


def _interval(center: float, variance: float, t: float, counts: tuple[int, int]) -> Expected:
    half = min(t * math.sqrt(variance), 700.0 - abs(center))  # beyond, exp overflows
    return Expected(math.exp(center - half), math.exp(center + half), *counts)
