"""Database → a report of the kind that was asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from harness.analyse.bottlenecks import profiles_of
from harness.analyse.comparison import Side
from harness.analyse.measured import measured_run
from harness.analyse.trends import trends_of
from harness.catalog import installed_version
from harness.core.errors import UserMistake
from harness.core.measured import MeasuredCase
from harness.core.nouns import Case
from harness.show.report.architecture import architecture_report
from harness.show.report.batch_scaling import batch_scaling_report
from harness.show.report.comparison import comparison_report
from harness.show.report.coverage import coverage_report
from harness.show.report.model import Report
from harness.show.report.run import run_report
from harness.show.report.training_vs_inference import training_report
from harness.show.report.trend import trend_report
from harness.steps.recording import rounds_of
from harness.steps.references import stored_run
from harness.store.history import past_results
from harness.store.newest import newest_points
from harness.store.results import read_run


@dataclass(frozen=True)
class Asked:
    """What a report is narrowed to; empty: everything. `run_id`: None is what the kind is usually about."""

    run_id: str | None = None
    models: Sequence[str] = ()
    families: Sequence[str] = ()
    platforms: Sequence[str] = ()


_Found = TypeVar("_Found")
# kind → what it is made of, and whether it is usually about the last Run (else about the newest result of each Case)
_OF_SIDES: dict[str, tuple[Callable[[Sequence[Side]], Report], bool]] = {
    "comparison": (comparison_report, True),
    "coverage": (coverage_report, True),
    "architecture": (architecture_report, False),
    "batch-scaling": (batch_scaling_report, False),
    "training-vs-inference": (training_report, False),
}


def report_of(database: Path, kind: str, asked: Asked) -> Report:
    """Raises UserMistake: nothing_to_report when nothing is left of what was asked for, and those of `read_run`."""
    made = {
        "made by": f"harness {installed_version('model-benchmark-harness') or 'not installed'}",
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "from": database.name,
    }
    report = _made(database, kind, asked)
    narrowed = [*asked.models, *asked.families, *asked.platforms]
    facts = {**report.facts, **({"only": ", ".join(narrowed)} if narrowed else {})}
    return Report(**{**vars(report), "facts": facts, "made": made})


def _made(database: Path, kind: str, asked: Asked) -> Report:
    if kind == "trend":
        if asked.run_id is not None or asked.families:
            raise UserMistake(
                "usage", "a trend is of all runs and knows no families", "narrow it by --model, --hardware"
            )
        found = [trend for trend in trends_of(past_results(database)) if _wanted_slug(trend.latest.slug, asked)]
        return trend_report(_some(found))
    if kind == "run":
        run, results = read_run(database, asked.run_id)
        rounds = rounds_of(database, run.run_id)
        whole = measured_run(run, results, rounds)
        cases = tuple(_some([one for one in whole.cases if _wanted(one.case, asked)]))
        return run_report(whole.model_copy(update={"cases": cases}), profiles_of(rounds))
    make, of_last_run = _OF_SIDES[kind]
    if of_last_run or asked.run_id is not None:
        run_of = stored_run(database, asked.run_id)
        sides: list[Side] = [(run_of, one) for one in run_of.cases]
    else:
        sides = _newest(database)
    return make(_some([side for side in sides if _wanted(side[1].case, asked)]))


def _newest(database: Path) -> list[Side]:
    """The newest ok result of each Case on each machine, whichever Run it is from."""
    wanted: dict[str, set[str]] = {}
    for run_id, case_id in newest_points(database):
        wanted.setdefault(run_id, set()).add(case_id)
    sides: list[Side] = []
    for run_id in sorted(wanted):
        run = stored_run(database, run_id)
        known: dict[str, MeasuredCase] = {one.case.case_id: one for one in run.cases}
        sides += [(run, known[case_id]) for case_id in known if case_id in wanted[run_id]]
    return sides


def _wanted(case: Case, asked: Asked) -> bool:
    names = (case.model.name, case.model.short_name)
    return (
        (not asked.models or any(name in asked.models for name in names))
        and (not asked.families or case.model.family in asked.families)
        and (not asked.platforms or case.platform in asked.platforms or case.hardware in asked.platforms)
    )


def _wanted_slug(slug: str, asked: Asked) -> bool:
    parts = set(slug.split("/"))
    models = {name.replace("\\", "/").rstrip("/").rpartition("/")[2] for name in asked.models}
    return all(not names or parts & names for names in (models, set(asked.platforms)))


def _some(found: list[_Found]) -> list[_Found]:
    if not found:
        hint = "harness show lists the points of a run"
        raise UserMistake("nothing_to_report", "nothing is left of what was asked for", hint)
    return found
