"""What runs where: does it build, export, load, and give the right answer; and why not."""

from collections.abc import Mapping, Sequence

from harness.analyse.comparison import Side
from harness.analyse.coverage import OWN_STAGES, Coverage, Total, coverage_of
from harness.analyse.coverage import Cell as Found
from harness.analyse.why import Cause, ranked
from harness.core.text import one_line
from harness.show.report.figures import STATES, shares
from harness.show.report.model import Answer, Cell, Column, Figure, Report, Row, Section, Table, Tone
from harness.show.report.points import NOTHING
from harness.show.report.sources import Sources, run_facts

_WORDS: Mapping[str, str] = {"not_here": "not here", "not_reached": "not reached"}
_TONES: Mapping[str, Tone] = {"ok": "good", "failed": "bad"}


def coverage_report(sides: Sequence[Side]) -> Report:
    """Every point of a Run that covered, or timed, by model and platform."""
    sources = Sources()
    stages = {one.case.case_id: one.result.stage for _, one in sides}
    coverage = coverage_of([(one.case, one.result) for _, one in sides], stages)
    by_case = {one.case.case_id: (run, one) for run, one in sides}
    matrix = _matrix(coverage, {case_id: sources.id_of(side) for case_id, side in by_case.items()})
    return Report(
        kind="coverage",
        title="What runs where",
        question="Does my model run on each platform, is its answer right, and if not, why?",
        answers=_answers(coverage),
        facts=run_facts(sides),
        sections=(
            Section("By platform", _HOW, _figures(coverage), (_totals(coverage),)),
            *_causes_section(ranked(coverage)),
            Section("Model × platform", (), (), (matrix,)),
        ),
        sources=sources.all(),
    )


_HOW = (
    "Only an answer that is right counts as ok. “Not here” is what this machine lacks (a device, a browser): it is no "
    "hole of the model.",
)


def _answers(coverage: Coverage) -> tuple[Answer, ...]:
    if not coverage.rows:
        return (Answer("There is nothing to look at.", "bad"),)
    answers = []
    for column in coverage.columns:
        total = coverage.totals[None, column.name]
        if not total.asked:
            answers.append(Answer(f"{column.name}: nothing could be tried on this machine.", "plain", "not here"))
            continue
        unchecked = _unchecked(coverage, column.name)
        right = total.ok - unchecked
        text = (
            f"{column.name}: {right} of {total.asked} run and give the right answer ({100 * right / total.asked:.0f} %)"
        )
        text += f"; {unchecked} run, and their answers were not checked." if unchecked else "."
        share = total.percent_of_agreed
        trust = "" if share is None else f"{share:.0f} % of those that ONNX Runtime agrees with"
        tone: Tone = "good" if right == total.asked else "bad" if not total.ok else "doubt"
        answers.append(Answer(text, tone, trust))
    return tuple(answers)


def _unchecked(coverage: Coverage, column: str, family: str | None = None) -> int:
    """How many run there, of which nobody could check the answer."""
    cells = (cell for cell in coverage.cells if cell.column == column and family in (None, cell.family))
    return sum(cell.state == "ok" and not cell.checked for cell in cells)


def _figures(coverage: Coverage) -> tuple[Figure, ...]:
    rows: list[Row] = []
    for column in coverage.columns:
        names = coverage.totals[None, column.name].names
        unchecked = _unchecked(coverage, column.name)
        counts = {
            "ok": len(names["ok"]) - unchecked, "not checked": unchecked, "failed": len(names["failed"]),
            "unsupported": len(names["unsupported"]), "not here": len(names["not_here"]),
        }  # fmt: skip
        rows += [
            {"place": column.name, "state": state, "count": counts[state], "rank": rank}
            for rank, state in enumerate(STATES)
        ]
    told = "Per platform how many models run with the right answer, failed, are unsupported, or cannot be tried here."
    return (shares("states", "Models by platform and outcome", told, rows),)


def _totals(coverage: Coverage) -> Table:
    titles = (*OWN_STAGES, *(column.name for column in coverage.columns))
    columns = (Column("family", "family"), *(Column(title, title, numeric=True) for title in titles))
    rows = []
    for family in (*coverage.families, None):
        cells = [_total_cell(coverage.totals[family, title], _unchecked(coverage, title, family)) for title in titles]
        rows.append((Cell(family or "all", family or "all"), *cells))
    return Table("totals", "Right ones of those that could be tried, by family", columns, tuple(rows))


def _total_cell(total: Total, unchecked: int) -> Cell:
    if not total.asked:
        return NOTHING
    right = total.ok - unchecked
    tone: Tone = "good" if right == total.asked else "bad" if not total.ok else "plain"
    title = f"{unchecked} more run, not checked" if unchecked else f"{right / total.asked:.0%}"
    return Cell(f"{right}/{total.asked}", right / total.asked, tone=tone, title=title)


def _causes_section(causes: Sequence[Cause]) -> tuple[Section, ...]:
    if not causes:
        return ()
    columns = (
        Column("cause", "cause"), Column("models", "models", numeric=True), Column("stage", "stage"),
        Column("owner", "to mend"), Column("platforms", "platforms"), Column("example", "for example"),
    )  # fmt: skip
    rows = tuple(
        (
            _word(one.text), Cell(str(len(one.architectures)), len(one.architectures)), _word(one.stage),
            _word(one.why.owner), _word(", ".join(one.columns)), _word(", ".join(one.architectures[:3])),
        )
        for one in causes
    )  # fmt: skip
    return (Section("Why not", (), (), (Table("causes", "What stops most models comes first", columns, rows),)),)


def _word(text: str) -> Cell:
    flat = one_line(text, 300)
    return Cell(flat, flat)


def _matrix(coverage: Coverage, source_of: Mapping[str, str]) -> Table:
    names = [column.name for column in coverage.columns]
    columns = (
        Column("model", "model"), Column("family", "family"), *(Column(stage, stage) for stage in OWN_STAGES),
        *(Column(name, name) for name in names),
    )  # fmt: skip
    rows = []
    for row in coverage.rows:
        own = [Cell(_WORDS.get(state, state), state, tone=_TONES.get(state, "plain")) for state in row.stages.values()]
        found = [row.cells.get(name) for name in names]
        cells = [NOTHING if cell is None else _cell(cell, source_of.get(cell.case_id)) for cell in found]
        rows.append((_word(row.architecture), _word(row.family), *own, *cells))
    return Table("results", "Each model on each platform", columns, tuple(rows))


def _cell(found: Found, source: str | None) -> Cell:
    text = _WORDS.get(found.state, found.state)
    tone: Tone = _TONES.get(found.state, "plain")
    if found.state == "ok":
        text += " (software)" if found.software else ""
        return (
            Cell(text, "ok", source, tone)
            if found.checked
            else Cell(f"{text}, not checked", "ok, not checked", source, "doubt")
        )
    stage = f" at {found.stage}" if found.stage else ""
    return Cell(f"{text}{stage}", found.state, source, tone, title=one_line(found.reason or found.code or "", 300))
