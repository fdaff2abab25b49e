"""Where the median of one more Round of a Case is expected, from its other Rounds; pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.statistics import mean, t_quantile

# Rounds nearer than half a percent cannot be told apart: a Sample is a hundred steps of the clock.
LEAST_SPREAD = 0.005
# A few Runs may be alike by accident, and a variance from them is often far too small: at the confidence that many
# tests ask for, intervals from three Runs missed up to seven times as often as promised. Ten show how Runs differ.
_RUNS_THAT_SHOW_IT = 10
# Until then: at least twice as much as the Rounds within one, which costs sensitivity, not truth.
_ASSUMED_RUNS_TO_ROUNDS = 2.0


@dataclass(frozen=True)
class Expected:
    """Prediction interval for one Round's median, in the medians' unit; `rounds` in `runs` other Runs are behind it.

    `runs` is 0 where the same Run's Rounds are among them. `assumed`: what these Runs differ by is less than what is
    assumed of so few.
    """

    low: float
    high: float
    rounds: int
    runs: int
    assumed: bool = False

    @property
    def assumes(self) -> str | None:
        """What is assumed, in words; None: nothing."""
        runs = "one other run does" if self.runs == 1 else f"{self.runs} other runs do"
        return f"{runs} not show how runs differ here: taken as twice what rounds do" if self.assumed else None


def expected_of(
    others: Sequence[Sequence[float]], siblings: Sequence[float], least: int, confidence: float
) -> Expected | None:
    """Student's t on logarithms, with a variance between Runs and one within them (one-way random effects).

    `others`: medians of the Case's Rounds, a list per other Run; `siblings`: those of the same Run but the one that is
    judged. None where fewer than `least` Rounds are there, or one is not above 0. The degrees of freedom are
    Satterthwaite's, rounded down. Siblings tell how Rounds differ within a Run, not where this one belongs: else a Run
    that is off as a whole would vouch for itself. Where other Runs have fewer than `least` Rounds, they are all pooled.

    False alarms of one Round at confidence 0.95 (20,000 simulations each, lognormal, three Rounds per Run; Runs differ
    1, 2 and 5 times as much as Rounds): from one Run 1.1, 4.8 and 27 %, from two 0.4, 2.0 and 8.6 %, from three 0.4,
    1.9 and 5.1 %, from five 0.3, 2.2 and 4.4 %, from ten 5.2, 5.2 and 5.2 %. At 0.9995, from one, two, three, five and
    ten Runs: at most 0.01, 0.02, 0.01, 0.01 and 0.08 % where Runs differ up to twice as much, and 0.50, 0.35, 0.26,
    0.14 and 0.06 % where five times. With Student's t of three degrees as noise 6.3 % at 0.95 from ten Runs, 1.8 % and
    less from two to nine that differ up to twice as much.
    """
    runs = [[math.log(value) for value in run] for run in others if run and min(run) > 0]
    own = [math.log(value) for value in siblings if value > 0]
    if sum(map(len, runs)) >= least:
        center, variance, degrees, assumed = _over_runs(runs, own)
        half = t_quantile(0.5 + confidence / 2, degrees) * math.sqrt(variance)
        return Expected(*_around(center, half), sum(map(len, runs)), len(runs), assumed)
    pooled = [*own, *(log for run in runs for log in run)]
    n = len(pooled)
    if n < max(least, 2):
        return None
    variance = max(_squares(pooled) / (n - 1), LEAST_SPREAD**2) * (1 + 1 / n)
    return Expected(*_around(mean(pooled), t_quantile(0.5 + confidence / 2, n - 1) * math.sqrt(variance)), n, 0)


def _over_runs(runs: Sequence[Sequence[float]], own: Sequence[float]) -> tuple[float, float, int, bool]:
    """Mean of the Runs' means, variance of a new Round of a new Run around it, its degrees of freedom, and whether the
    variance between Runs is the assumed one."""
    k, means = len(runs), [mean(run) for run in runs]
    within_degrees = sum(len(run) - 1 for run in runs) + max(0, len(own) - 1)
    squares = sum(map(_squares, runs)) + (_squares(own) if own else 0.0)
    within = max(squares / within_degrees, LEAST_SPREAD**2) if within_degrees else LEAST_SPREAD**2
    each = k / sum(1 / len(run) for run in runs)  # Rounds per Run, the harmonic mean: what the means' variance holds
    between = max(_squares(means) / (k - 1), LEAST_SPREAD**2 / each) if k > 1 else 0.0
    if k < _RUNS_THAT_SHOW_IT and within_degrees:
        assumed = _ASSUMED_RUNS_TO_ROUNDS**2 * within
        if between - within / each <= assumed:
            return mean(means), assumed * (1 + 1 / k) + within * (1 + 1 / (k * each)), within_degrees, True
    if k == 1:  # one Round alone shows nothing
        return means[0], math.inf, 1, False
    parts = [((1 + 1 / k) * between, k - 1)]
    if within_degrees:
        parts.append(((1 - 1 / each) * within, within_degrees))
    variance = sum(part for part, _ in parts)
    degrees = max(1, int(variance**2 / sum(part**2 / degrees for part, degrees in parts)))
    return mean(means), variance, degrees, False


def _squares(values: Sequence[float]) -> float:
    center = mean(values)
    return math.fsum((value - center) ** 2 for value in values)


def _around(center: float, half: float) -> tuple[float, float]:
    half = min(half, 700.0 - abs(center))  # beyond, exp overflows
    return math.exp(center - half), math.exp(center + half)
