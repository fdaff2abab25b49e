"""coverage: which models build, run, export, load and agree, and where."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import absolute, db_option, given, json_option, selection_options, stdout_console
from harness.cli.planning import exit_code, plan_of, select
from harness.cli.running import carry_out, command_typed, database_flag, leaving_nothing
from harness.cli.seeing import refuse_to_show_nothing, seeing_options, take_seeing
from harness.core.errors import UserMistake
from harness.execute.seeing import NOBODY, Seeing

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from harness.analyse.differences import Difference, VersionChange
    from harness.core.rounds import Round, Run
    from harness.coverage import Ways
    from harness.pipeline import Outcome
    from harness.plan.selection import Selection
    from harness.show.covering import CoverageProgress
    from harness.show.table import Results
    from harness.steps.workplace import Workplace

# What is asked where nobody asked otherwise: small, once, short, on all that a machine without devices has.
DEFAULTS = {
    "hardware": ("cpu", "onnxruntime", "wasm", "webgpu", "webnn"), "length": (16,), "rounds": 1, "timeout": "2m",
    "quiet": "off",
}  # fmt: skip
_FEW_MODELS = 12
_MEMORY_OF_A_PLACE = 4_000_000_000  # an exporter, a worker and a browser, one at a time


@dataclass(frozen=True)
class Asked:
    """How the answer is to be seen: beside which Run, with the causes of what is missing, as a page as well."""

    against: str | None
    earlier: tuple[Run, Results] | None
    why: bool
    html: Path | None


@click.command()
@selection_options
@click.option("--jobs", type=click.IntRange(1, 256), help="Models at a time; default: as many as there are CPUs.")
@click.option("--drop-artifacts", is_flag=True, help="Remove what was exported as soon as it was used.")
@click.option("--against", metavar="RUN_ID", help="Also say what broke and what was mended since this run.")
@click.option("--why", is_flag=True, help="What is behind the holes: each cause, whose it is, what it costs.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Also a page to search and filter in.")
@click.option("--resume", metavar="RUN_ID|last", help="Go on with one that was interrupted; takes no selection.")
@seeing_options
@db_option
@json_option
def coverage(spec: Path | None, db: Path, as_json: bool, resume: str | None, **options: Any) -> int:
    """Does it build, run, export, load and agree: models × platforms × browsers, each cell with its reason.

    Nothing is timed: models are looked at side by side. Default: tiny, length 16, --hardware
    cpu,onnxruntime,wasm,webgpu,webnn
    """
    from harness.store.results import read_run

    seeing = take_seeing(options)
    against = options.pop("against")
    with leaving_nothing():
        earlier = None if against is None else read_run(absolute(db), against)
        asked = Asked(against, earlier, options.pop("why"), options.pop("html"))
        ways = _ways(options.pop("jobs"), options.pop("drop_artifacts"), seeing)
        if resume is not None:
            if spec is not None or given(options):
                raise UserMistake("resume_alone", "--resume goes on with the run's own plan", "leave the selection out")
            outcome = _resumed(resume, db, seeing, ways)
        else:
            outcome = _covered(_selected(spec, options, seeing), db, seeing, ways)
    return _shown(outcome, asked, as_json)


def _selected(spec: Path | None, options: dict[str, Any], seeing: Seeing) -> Selection:
    """Architectures are tiny unless somebody asks for more; what has weights of its own has one size."""
    from harness.plan.models import is_path

    selection = select(spec, options, seeing, DEFAULTS)
    if "scale" in selection.model_fields_set or any("/" in name or is_path(name) for name in selection.model):
        return selection
    return selection.model_copy(update={"scale": "tiny"})


def _ways(jobs: int | None, drop: bool, seeing: Seeing) -> Ways:
    """One at a time where a person looks on; else as many as the machine has CPUs and memory for."""
    import psutil

    from harness.coverage import Ways

    cpus = psutil.cpu_count() or 1
    room = max(1, int(psutil.virtual_memory().available // _MEMORY_OF_A_PLACE))
    return Ways(jobs=1 if seeing != NOBODY else jobs or min(cpus, room), keeps_artifacts=not drop)


def _covered(selection: Selection, db: Path, seeing: Seeing, ways: Ways) -> Outcome:
    from harness.coverage import cover

    beyond = selection.profile, selection.audit, selection.roofline, selection.memory_limit
    if selection.rounds != 1 or any(beyond):
        hint = "measure with `harness run`"
        raise UserMistake("not_timed", "coverage asks once, and times nothing", hint)
    if any(name.partition("@")[0] == "attached" for name in selection.browser):
        raise UserMistake("not_attached", "an attached device does one thing at a time", "measure with harness attach")
    plan = plan_of(selection, db, seeing, "coverage").plan
    refuse_to_show_nothing(seeing, plan)
    command = command_typed()
    return _carry_out(lambda place, told: cover(plan, place, command, replace(ways, ended=told)), db, seeing)


def _resumed(run_id: str, db: Path, seeing: Seeing, ways: Ways) -> Outcome:
    from harness.coverage import resume_coverage

    return _carry_out(lambda place, told: resume_coverage(run_id, place, replace(ways, ended=told)), db, seeing)


def _carry_out(
    work: Callable[[Workplace, Callable[..., None]], Coroutine[Any, Any, Outcome]], db: Path, seeing: Seeing
) -> Outcome:
    from harness.steps.workplace import Workplace

    with closing(_progress()) as watcher:
        seeing = replace(seeing, screenshots=absolute(db).parent / "screenshots", say=watcher.told)
        place = Workplace(absolute(db), {}, watcher, seeing)
        try:
            return carry_out(work(place, watcher.model_ended))
        except KeyboardInterrupt:
            if watcher.run_id is not None:
                watcher.warned(
                    f"interrupted; go on with: harness coverage --resume {watcher.run_id}{database_flag(db)}"
                )
            raise


def _progress() -> CoverageProgress:
    from rich.console import Console

    from harness.show.covering import CoverageProgress

    return CoverageProgress(Console(stderr=True))


def _shown(outcome: Outcome, asked: Asked, as_json: bool) -> int:
    from harness.analyse.differences import between_runs, between_versions
    from harness.show.as_json import coverage_as_json
    from harness.show.versions import difference_lines, differences_as_json, version_changes_as_json

    points, earlier = outcome.results, asked.earlier
    found = between_versions(points) if earlier is None else between_runs(earlier[1], points)
    if asked.html is not None:
        write_page(outcome.run, points, outcome.rounds, asked.html)
    if as_json:
        whole: dict[str, Any] = coverage_as_json(outcome.run, points, _stages(points))
        whole |= {"differences": differences_as_json(found), "versions": []}
        if earlier is not None:
            whole["versions"] = version_changes_as_json(_changes(earlier, outcome))
        click.echo(json.dumps(whole))
        return exit_code(outcome)
    print_coverage(points, outcome.rounds, asked.why)
    if earlier is None:
        stdout_console().print(difference_lines(found, None))
    else:
        _print_since(asked.against or "", earlier, outcome, found)
    return exit_code(outcome)


def print_coverage(points: Results, rounds: Sequence[Round], why: bool = False) -> None:
    """The table of families and platforms; of a few models in several browsers the matrix; with the causes of what is
    missing where they are asked for."""
    from harness.analyse.coverage import coverage_of
    from harness.analyse.why import ranked
    from harness.show.coverage_table import coverage_table
    from harness.show.coverage_why import coverage_why
    from harness.show.matrix import matrix_table

    console = stdout_console()
    found = coverage_of(points, _stages(points), _exporters(rounds))
    models = {case.model.name for case, _ in points}
    browsers = {(case.browser, case.browser_version, case.runtime) for case, _ in points if case.browser}
    few = len(models) <= _FEW_MODELS
    console.print(matrix_table(points) if few and len(browsers) > 1 else coverage_table(found, console.width))
    if why:
        console.print("", coverage_why(ranked(found), console.width), sep="\n")


def _print_since(against: str, earlier: tuple[Run, Results], outcome: Outcome, found: Sequence[Difference]) -> None:
    from harness.analyse.differences import grouped
    from harness.show.versions import coverage_difference_lines

    groups = grouped(found, _stages(earlier[1]), _stages(outcome.results))
    stdout_console().print(coverage_difference_lines(groups, _changes(earlier, outcome), against))


def _changes(earlier: tuple[Run, Results], outcome: Outcome) -> list[VersionChange]:
    from harness.analyse.differences import version_changes

    return version_changes(earlier[0], earlier[1], outcome.run, outcome.results)


def write_page(run: Run, points: Results, rounds: Sequence[Round], path: Path) -> None:
    """The page to search and filter in."""
    from harness.analyse.coverage import coverage_of
    from harness.show.coverage_page import coverage_page

    coverage = coverage_of(points, _stages(points), _exporters(rounds))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(coverage_page(run, points, coverage), encoding="utf-8")
    click.echo(f"written: {path}", err=True)


def _stages(points: Results) -> dict[str, str | None]:
    return {case.case_id: result.stage for case, result in points}


def _exporters(rounds: Sequence[Round]) -> dict[str, str]:
    """case_id → who made the graph that its Round read."""
    told = {one.case_id: one.provenance.get("exporter") for one in rounds}
    return {case_id: str(name) for case_id, name in told.items() if name}
