"""What a report says, in no format yet: answers, figures, tables, and where each number comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Tone = Literal["good", "bad", "doubt", "plain"]
Shape = Literal["bars", "spread", "lines", "over_time", "shares", "pairs"]
Scalar = float | int | str | bool | None
Row = dict[str, Scalar]


@dataclass(frozen=True)
class Answer:
    """A sentence that somebody reads first, and whether it can be trusted.

    `trust` says it in a few words; `why` has the reasons, each of which may be a doubt.
    """

    text: str
    tone: Tone = "plain"
    trust: str = ""
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """`name` is for programs (with its unit), `title` for people. `numeric`: how it is aligned and sorted."""

    name: str
    title: str
    numeric: bool = False


@dataclass(frozen=True)
class Cell:
    """`text` for eyes, `value` for programs. `source`: id of the Source that the number comes from.

    `heat`: 0 (the best of its row) to 1, for a heat map; None: no colour.
    """

    text: str
    value: Scalar = None
    source: str | None = None
    tone: Tone = "plain"
    heat: float | None = None
    title: str = ""


@dataclass(frozen=True)
class Table:
    """Every row has a cell per column. `name` is unique in its report."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def records(self) -> list[dict[str, Scalar]]:
        """Rows for programs: column name → value."""
        names = [column.name for column in self.columns]
        return [{name: cell.value for name, cell in zip(names, row, strict=True)} for row in self.rows]


@dataclass(frozen=True)
class Figure:
    """Made by `figures`, which say what rows each shape wants. `description` says in words what is to be seen."""

    name: str
    title: str
    description: str
    shape: Shape
    rows: tuple[Row, ...]
    axes: tuple[str, ...] = ()
    marks: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Section:
    title: str
    text: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Source:
    """Where numbers come from: one Case in one Run. `facts`: name → text. `doubts` are shown wherever it is used."""

    id: str
    slug: str
    facts: Mapping[str, str]
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """`facts` tell of the Run or database as a whole. The first table is what CSV has."""

    kind: str
    title: str
    question: str
    answers: tuple[Answer, ...]
    facts: Mapping[str, str]
    sections: tuple[Section, ...]
    sources: tuple[Source, ...] = ()
    notes: tuple[str, ...] = ()
    made: Mapping[str, str] = field(default_factory=dict)

    @property
    def tables(self) -> Sequence[Table]:
        return [table for section in self.sections for table in section.tables]

    @property
    def figures(self) -> Sequence[Figure]:
        return [figure for section in self.sections for figure in section.figures]
