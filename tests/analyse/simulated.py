"""Made-up noise like a real machine's, and `check` carried out on it: nobody measured these numbers.

The gate is the product's own code (core/ratios.py, analyse/regression.py's rules); only the Rounds are made up.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from harness.analyse.regression import CONFIDENCE, beyond
from harness.core.nouns import Decision
from harness.core.ratios import (
    LOOKS,
    Ratio,
    RoundMedian,
    is_decided,
    is_regression,
    is_surely_beyond,
    paired_ratio,
    relative,
    round_median,
    unpaired_ratio,
)

ROUNDS_ALONE = 8


@dataclass(frozen=True)
class Noise:
    """Standard deviations of logarithms, which are about shares. `tail`: degrees of freedom of a Round's own noise."""

    round_sd: float = 0.015
    tail: int = 4
    slow_share: float = 0.15  # of the Rounds are in another mode (placement of memory or threads) …
    slow_by: float = 0.05  # … and so much slower
    drift_sd: float = 0.03  # the machine wanders …
    drift_keeps: float = 0.9  # … and from turn to turn keeps so much of where it was
    time_sd: float = 0.015  # two Runs of two times
    own_sd: float = 0.01  # what a point has of its own at each of them, in all its versions
    sample_sd: float = 0.03
    sample_keeps: float = 0.6  # autocorrelation of the samples in a Round
    pause_share: float = 0.02  # of the samples are hit by a pause
    samples: int = 25


class Machine:
    """Where Rounds are done; `turn` moves it on, `another_time` is the same machine on another day."""

    def __init__(self, noise: Noise, rng: random.Random) -> None:
        self.noise, self.rng = noise, rng
        self.another_time()

    def another_time(self) -> None:
        self._offset = self.rng.gauss(0, self.noise.time_sd)
        self._drift = self.rng.gauss(0, self.noise.drift_sd)
        self._own: dict[str, float] = {}

    def turn(self) -> None:
        keeps = self.noise.drift_keeps
        self._drift = keeps * self._drift + self.rng.gauss(0, self.noise.drift_sd * math.sqrt(1 - keeps**2))

    def round(self, number: int, slowdown: float, point: str = "it") -> RoundMedian:
        noise, rng = self.noise, self.rng
        if point not in self._own:
            self._own[point] = rng.gauss(0, noise.own_sd)
        own = rng.gauss(0, 1) / math.sqrt(rng.gammavariate(noise.tail / 2, 2) / noise.tail)  # Student's t
        own *= noise.round_sd / math.sqrt(noise.tail / (noise.tail - 2))
        mode = noise.slow_by if rng.random() < noise.slow_share else 0.0
        level = math.log1p(slowdown) + self._offset + self._drift + self._own[point] + own + mode
        samples, state = [], rng.gauss(0, noise.sample_sd)
        for _ in range(noise.samples):
            state = noise.sample_keeps * state + rng.gauss(0, noise.sample_sd * math.sqrt(1 - noise.sample_keeps**2))
            pause = rng.uniform(1.3, 3) if rng.random() < noise.pause_share else 1.0
            samples.append(math.exp(level + state) * pause)
        return round_median(number, samples)


def rounds_of(
    machine: Machine, count: int, slowdown: float, controls: int = 0
) -> tuple[list[RoundMedian], list[list[RoundMedian]]]:
    """Rounds of one point, and of so many others in the same turns that nothing has changed."""
    found: list[RoundMedian] = []
    beside: list[list[RoundMedian]] = [[] for _ in range(controls)]
    for number in range(1, count + 1):
        found.append(machine.round(number, slowdown))
        for place, other in enumerate(beside):
            other.append(machine.round(number, 0.0, f"control {place}"))
        machine.turn()
    return found, beside


Gate = Callable[[Machine, float], bool]


def gate(threshold: float = 0.10, rounds: int = 3, most: int = 20, in_turn: bool = True, controls: int = 0) -> Gate:
    """`check` as it would be called: a baseline, a Run, and where that is suspect fresh Rounds: of both in turn, or of
    the Run alone beside so many controls. Gives whether it raises the alarm."""
    decision = Decision(kind="regression", size=threshold, confidence=CONFIDENCE)

    def alarm(machine: Machine, slowdown: float) -> bool:
        baseline, beside = rounds_of(machine, rounds, 0.0, controls)
        machine.another_time()
        stored = unpaired_ratio(baseline, rounds_of(machine, rounds, slowdown, 0)[0], alike=True)
        if stored is None or stored.value <= 1:
            return False
        machine.another_time()
        if in_turn:
            ratio = in_turns(machine, slowdown, decision, most)
            return ratio is not None and is_regression(ratio, threshold)
        again, beside_again = rounds_of(machine, ROUNDS_ALONE, slowdown, controls)
        held, seen = relative(baseline, beside), relative(again, beside_again)
        ratio = unpaired_ratio(held, seen, CONFIDENCE, alike=True)
        return ratio is not None and is_surely_beyond(ratio, beyond(threshold, controls))

    return alarm


def in_turns(machine: Machine, slowdown: float, decision: Decision, most: int) -> Ratio | None:
    """Rounds of both in turn, until it is decided or there were `most` of them."""
    sides: tuple[list[RoundMedian], list[RoundMedian]] = ([], [])
    ratio = None
    for number in range(1, most + 1):
        for side, slower in zip(sides, (0.0, slowdown), strict=True):
            side.append(machine.round(number, slower))
        machine.turn()
        if number in LOOKS or number == most:
            ratio = paired_ratio(sides[0], sides[1], decision.confidence, looked=True)
            if ratio is not None and is_decided(ratio, decision):
                return ratio
    return ratio


def alarms(alarm: Gate, slowdown: float, times: int, noise: Noise, seed: int = 0) -> float:
    """The share of so many checks that raise the alarm."""
    rng = random.Random(f"{seed}/{slowdown}")
    return sum(alarm(Machine(noise, rng), slowdown) for _ in range(times)) / times
