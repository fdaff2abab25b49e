"""What a section is, and what it is measured with."""

import random
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.bench.standins import StandIn

# name, value, low, high (95 %, where there is one), aim (a number the value should stay below, or null), and raw data
Row = dict[str, Any]


@dataclass(frozen=True)
class Findings:
    """What a section knows so far. `met` is null where there is no aim, or too little to say."""

    rows: list[Row]
    met: bool | None = None
    why_missed: str | None = None


@dataclass(frozen=True)
class Bench:
    """Where and how sections measure. `quick` is for looking whether it works: its figures are worth nothing."""

    folder: Path
    say: Callable[[str], None] = lambda _: None
    quick: bool = False
    seed: int = 0
    threads: int = 2
    standins: "dict[tuple[str, int], StandIn]" = field(default_factory=dict)

    def drawn(self, what: str) -> random.Random:
        """Chance for one purpose, the same for the same seed."""
        return random.Random(f"{self.seed}/{what}")

    def times(self, full: int, quick: int) -> int:
        return quick if self.quick else full


Measure = Callable[[Bench], AsyncGenerator[Findings, None]]


@dataclass(frozen=True)
class Section:
    """A question to the harness. `measure` yields all it knows as often as it likes; the last word counts.

    So an interrupted section leaves what it had.
    """

    name: str
    what: str
    unit: str
    aim: str | None
    measure: Measure


def row(name: str, value: float | None, interval: tuple[float, float] | None = None, **more: Any) -> Row:
    low, high = interval or (None, None)
    return {"name": name, "value": value, "low": low, "high": high, "aim": None, **more}


def below_aims(rows: list[Row]) -> tuple[bool | None, str | None]:
    """Whether every value with an aim lies below it, and which do not."""
    judged = [each for each in rows if each["aim"] is not None and each["value"] is not None]
    if not judged:
        return None, None
    missed = [f"{each['name']}: {each['value']:.3g}, aim {each['aim']:.3g}" for each in judged if not _below(each)]
    return not missed, "; ".join(missed) or None


def _below(each: Row) -> bool:
    return bool(each["value"] < each["aim"])
