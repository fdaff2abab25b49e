"""Points of the same work in several places → which is fastest, and how many times as long the others take; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.analyse.comparison import Comparison, LeftOut, Side, compare
from harness.analyse.pairs import place_of

# The parts of a Case that say where the work is done, and with which of a backend's options; the rest is the work.
PLACE = ("platform", "backend", "device", "browser", "browser_version", "runtime", "options")


@dataclass(frozen=True)
class Standing:
    """One point beside the fastest of its work. `against`: None for the fastest itself, and where nothing is ranked."""

    side: Side
    against: Comparison | LeftOut | None = None

    @property
    def is_ranked(self) -> bool:
        return ranks(self.side)

    @property
    def latency_ms(self) -> float | None:
        return self.side[1].result.metrics.get("latency_median_ms")


@dataclass(frozen=True)
class Work:
    """One piece of work (model, precision, batch, length …): what is ranked comes first, the fastest at its head."""

    standings: tuple[Standing, ...]

    @property
    def best(self) -> Standing | None:
        first = self.standings[0]
        return first if first.is_ranked else None

    @property
    def runner_up(self) -> Standing | None:
        return next((each for each in self.standings[1:] if each.is_ranked), None)

    @property
    def best_on_other_side(self) -> Standing | None:
        """The fastest native point where the fastest of all is a browser's, and the other way round.

        An attached device is perhaps another machine, so neither side."""
        best = self.best
        if best is None or best.side[1].case.browser == "attached":
            return None
        in_browser = best.side[1].case.browser is not None
        others = (each for each in self.standings[1:] if each.is_ranked and each.side[1].case.browser != "attached")
        return next((each for each in others if (each.side[1].case.browser is not None) != in_browser), None)

    def times_as_long(self, standing: Standing) -> float | None:
        """Its latency ÷ the fastest one's; by pairs of Rounds where there are such."""
        if self.best is None or not standing.is_ranked:
            return None
        if isinstance(standing.against, Comparison):
            return standing.against.ratio.value
        ours, least = standing.latency_ms, self.best.latency_ms
        return ours / least if ours and least else None


def ranks(side: Side) -> bool:
    """Only what ran, was timed, and gave the right answer is ranked."""
    run, one = side
    return run.policy.purpose == "timing" and one.result.is_right and bool(one.result.metrics.get("latency_median_ms"))


def machine_of(side: Side) -> str:
    """What is measured on two machines is no two points of one work."""
    return str(side[0].machine.get("machine_id"))


def measured_in(side: Side) -> str:
    """The Run that has its Rounds: another than the one that shows it where it was reused."""
    run, one = side
    return one.result.reused_from or run.run_id


def ranked(sides: Sequence[Side]) -> list[Work]:
    """A Work per model and shape on each machine, in the order in which they were first asked for."""
    groups: dict[tuple[str, str], list[Side]] = {}
    for side in sides:
        groups.setdefault((machine_of(side), place_of(side[1].case, PLACE)), []).append(side)
    return [_work(group) for group in groups.values()]


def _work(sides: Sequence[Side]) -> Work:
    fastest_first = sorted(sides, key=_latency)
    best = fastest_first[0] if ranks(fastest_first[0]) else None
    standings = [
        Standing(side, compare(best, side, None) if best is not None and side is not best else None)
        for side in fastest_first
    ]
    return Work(tuple(standings))


def _latency(side: Side) -> float:
    return (side[1].result.metrics.get("latency_median_ms") or float("inf")) if ranks(side) else float("inf")
