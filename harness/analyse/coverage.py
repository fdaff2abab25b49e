"""What a coverage found: a cell per architecture and column, what its stages came to, totals by family; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from harness.analyse.pairs import Point
from harness.analyse.why import NOT_HERE, Why, why
from harness.core.nouns import Case

FAMILIES = (
    "text_encoder", "text_decoder", "encoder_decoder", "vision", "audio", "vision_language", "multimodal", "video",
    "speech_text", "diffusion",
)  # fmt: skip
OWN_STAGES = ("build", "forward", "export")
_ORDER = ("plan", *OWN_STAGES, "start", "load", "run", "agree")
# PyTorch reads no graph: that it is right says nothing of an export.
_READS_NO_GRAPH = ("pytorch",)
_GRAPH_REFERENCE = "onnxruntime"
State = Literal["ok", "failed", "unsupported", "not_here", "unknown", "not_reached"]
_WORST = ("failed", "unsupported", "not_here", "ok")


@dataclass(frozen=True)
class Column:
    """A platform, and its browser where there are several. `in_page` tells a browser's column from a native one."""

    name: str
    platform: str
    browser: str | None
    in_page: bool
    reads_graph: bool


@dataclass(frozen=True)
class Cell:
    """One architecture on one column; `not_here` is no hole of the model. `stage`, `why`: None where it is ok."""

    case_id: str
    architecture: str
    family: str
    column: str
    state: State
    stage: str | None
    code: str | None
    reason: str | None
    software: bool
    checked: bool
    why: Why | None


@dataclass(frozen=True)
class Row:
    """One architecture: what its own stages came to, and its cells by column. `not_reached`: an earlier stage stopped
    it; `unknown`: nothing that was tried tells.

    `exporter` is null where there is no graph, or where it is not known which exporter made it.
    """

    architecture: str
    family: str
    stages: dict[str, State]
    exporter: str | None
    cells: dict[str, Cell]


@dataclass(frozen=True)
class Total:
    """Names of architectures by what they came to in one column (of one family). `agreed`: those asked here of which
    ONNX Runtime without a browser gives the right numbers; null where it was not asked or it is no page's column."""

    names: dict[State, tuple[str, ...]]
    agreed: tuple[str, ...] | None = None

    @property
    def asked(self) -> int:
        """All that were asked and could have been tried here: what is not here, or what nobody tried, is no hole."""
        return sum(len(names) for state, names in self.names.items() if state not in ("not_here", "unknown"))

    @property
    def ok(self) -> int:
        return len(self.names["ok"])

    @property
    def percent(self) -> float | None:
        """Of all asked; None where nothing could be tried."""
        return 100 * self.ok / self.asked if self.asked else None

    @property
    def percent_of_agreed(self) -> float | None:
        """Of those that ONNX Runtime agrees with: what is missing here is the browser's, or its runtime's."""
        if not self.agreed:
            return None
        return 100 * len(set(self.names["ok"]) & set(self.agreed)) / len(self.agreed)


@dataclass(frozen=True)
class Coverage:
    """`totals`: (family, column or stage of its own) → Total; the family `None` is all families together."""

    columns: tuple[Column, ...]
    families: tuple[str, ...]
    rows: tuple[Row, ...]
    totals: dict[tuple[str | None, str], Total]

    @property
    def cells(self) -> list[Cell]:
        return [cell for row in self.rows for cell in row.cells.values()]


def coverage_of(
    points: Sequence[Point], stages: Mapping[str, str | None], exporters: Mapping[str, str] | None = None
) -> Coverage:
    """What the points came to; `stages` and `exporters` go by case_id (where each stopped; who made the graph)."""
    several = len({_browser(case) for case, _ in points if case.browser}) > 1
    columns: dict[str, Column] = {}
    by_row: dict[str, list[tuple[Cell, Column]]] = {}
    made_by: dict[str, str] = {}
    for case, result in points:
        case_id = case.case_id
        column = _column(case, several)
        columns.setdefault(column.name, column)
        stage = None if result.outcome == "ok" else stages.get(case_id)
        cause = None if result.outcome == "ok" else why(stage or "plan", result.code, result.reason)
        state: State = "not_here" if cause and cause.kind == NOT_HERE else result.outcome
        checked = result.correct is not None and result.correct.checked
        cell = Cell(
            case_id, case.model.name, case.model.family, column.name, state, stage, result.code, result.reason,
            bool(result.software), checked, cause,
        )  # fmt: skip
        by_row.setdefault(case.model.name, []).append((cell, column))
        if exporters and case_id in exporters and column.reads_graph:
            made_by.setdefault(case.model.name, exporters[case_id])
    families = _families(cell.family for found in by_row.values() for cell, _ in found)
    rows = sorted((_row(found, made_by) for found in by_row.values()), key=lambda row: families.index(row.family))
    return Coverage(tuple(columns.values()), families, tuple(rows), _totals(rows, tuple(columns.values()), families))


def _families(found: Iterable[str]) -> tuple[str, ...]:
    there = set(found)
    return (*(name for name in FAMILIES if name in there), *sorted(there - set(FAMILIES)))


def _browser(case: Case) -> str:
    version = (case.browser_version or "").replace("\\", "/").rstrip("/")
    return "@".join(filter(None, (case.browser, "/".join(version.split("/")[-2:]))))


def _column(case: Case, several: bool) -> Column:
    browser = _browser(case) if case.browser else None
    parts = (case.hardware, case.unusual_backend, browser if several else None, case.runtime)
    in_page, reads_graph = case.browser is not None, case.backend not in _READS_NO_GRAPH
    return Column(" ".join(filter(None, parts)), case.platform, browser, in_page, reads_graph)


def _row(found: Sequence[tuple[Cell, Column]], made_by: Mapping[str, str]) -> Row:
    """Several points of one architecture in one column (sizes, precisions) are one cell: the worst of them."""
    cells: dict[str, Cell] = {}
    for cell, column in found:
        there = cells.get(column.name)
        if there is None or _WORST.index(cell.state) < _WORST.index(there.state):
            cells[column.name] = cell
    first = found[0][0]
    stages: dict[str, State] = {}
    for stage in OWN_STAGES:
        stopped = any(state in ("failed", "unsupported", "not_reached") for state in stages.values())
        stages[stage] = "not_reached" if stopped else _own(stage, found)
    exporter = made_by.get(first.architecture) if stages["export"] == "ok" else None
    return Row(first.architecture, first.family, stages, exporter, cells)


def _own(stage: str, found: Sequence[tuple[Cell, Column]]) -> State:
    """`failed` or `unsupported` where a point stopped there, `ok` where one got further, else nobody knows.

    That PyTorch got further says nothing of the export.
    """
    state: State = "unknown"
    for cell, column in found:
        if cell.stage == stage:
            return cell.state
        further = cell.state == "ok" or (cell.stage is not None and _ORDER.index(cell.stage) > _ORDER.index(stage))
        if further and (stage != "export" or column.reads_graph):
            state = "ok"
    return state


def _totals(
    rows: Sequence[Row], columns: Sequence[Column], families: Sequence[str]
) -> dict[tuple[str | None, str], Total]:
    reference = next((c.name for c in columns if c.platform == _GRAPH_REFERENCE and not c.in_page), None)
    groups: dict[str | None, list[Row]] = {family: [] for family in (None, *families)}
    for row in rows:
        groups[None].append(row)
        groups[row.family].append(row)
    totals: dict[tuple[str | None, str], Total] = {}
    for family, mine in groups.items():
        for stage in OWN_STAGES:
            totals[family, stage] = Total(_by_state((row.architecture, row.stages[stage]) for row in mine))
        for column in columns:
            there = [(row, row.cells[column.name]) for row in mine if column.name in row.cells]
            names = _by_state((row.architecture, cell.state) for row, cell in there)
            agreed = None
            if column.in_page and reference is not None:
                tried = [row for row, cell in there if cell.state != "not_here"]
                agreed = tuple(r.architecture for r in tried if _is_right(r.cells.get(reference)))
            totals[family, column.name] = Total(names, agreed)
    return totals


def _is_right(cell: Cell | None) -> bool:
    return cell is not None and cell.state == "ok" and cell.checked


def _by_state(named: Iterable[tuple[str, State]]) -> dict[State, tuple[str, ...]]:
    found: dict[State, list[str]] = {state: [] for state in get_args(State)}
    for name, state in named:
        found[state].append(name)
    return {state: tuple(names) for state, names in found.items()}
