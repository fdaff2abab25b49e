"""bisect: in which version of a browser or a runtime did it change."""

from __future__ import annotations

import contextlib
import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import absolute, db_option, json_option, selection_options, stdout_console
from harness.cli.planning import plan_of, published, select
from harness.cli.running import carry_out, command_typed, leaving_nothing, progress
from harness.cli.seeing import seeing_options, take_seeing
from harness.core.errors import UserMistake

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.analyse.bisection import Bisection, Step
    from harness.bisecting import Question
    from harness.execute.seeing import Seeing
    from harness.plan.selection import Selection
    from harness.steps.workplace import Workplace

# Each step goes on until it is decided, or for as many Rounds as `run --until-decided` would.
DEFAULTS = {"until_decided": True}


@click.command()
@selection_options
@click.option(
    "--threshold",
    type=click.FloatRange(0, min_open=True),
    default=0.05,
    show_default=True,
    help="Relative change of latency that is worth a search.",
)
@seeing_options
@db_option
@json_option
def bisect(spec: Path | None, threshold: float, db: Path, as_json: bool, **options: Any) -> int:
    """The version in which it broke, was mended, changed its answer, or became slower or faster.

    One range of versions, --browser chromium@143..153 or --runtime onnxruntime-web@1.26..1.30, and one case beside it.
    Every step is a run of its own, in the database. Exit code 1: the range cannot say.
    """
    from harness.show.bisection import bisection_as_json, bisection_lines

    seeing = take_seeing(options)
    with leaving_nothing():
        question = _question(select(spec, options, seeing, DEFAULTS), threshold, db, seeing)
        found = _bisected(question, db, seeing)
    if as_json:
        click.echo(json.dumps(bisection_as_json(found)))
    else:
        stdout_console().print(bisection_lines(found))
    return 1 if found.answer.cannot_say else 0


def _question(selection: Selection, threshold: float, db: Path, seeing: Seeing) -> Question:
    from harness.bisecting import Question, refuse_ambiguous
    from harness.plan.version_range import take_range

    refused = {
        "--progressive": selection.progressive, "--memory-limit": selection.memory_limit,
        "--profile": selection.profile, "--roofline": selection.roofline, "--audit": selection.audit,
        "--incremental": selection.reuses,
    }  # fmt: skip
    if given := [flag for flag, value in refused.items() if value]:
        raise UserMistake("not_bisected", f"{given[0]} has no meaning in a bisection", f"leave {given[0]} out")
    if "margin" in selection.model_fields_set:
        raise UserMistake("not_bisected", "--margin is of a comparison", "a bisection has --threshold")
    selection, range_ = take_range(selection, published)
    plan = plan_of(selection, db, seeing).plan
    refuse_ambiguous(range_, plan)
    return Question(range_, plan, threshold)


def _bisected(question: Question, db: Path, seeing: Seeing) -> Bisection:
    from harness.bisecting import bisect as search

    command = command_typed()
    runs: list[str] = []

    @contextlib.contextmanager
    def workplace() -> Iterator[Workplace]:
        from harness.steps.workplace import RealExecutors, Workplace

        with closing(progress()) as watcher:
            seen = replace(seeing, screenshots=absolute(db).parent / "screenshots", say=watcher.told)
            try:
                yield Workplace(absolute(db), RealExecutors(seen), watcher, seen)
            finally:
                runs.extend(filter(None, [watcher.run_id]))

    def told(steps: Sequence[Step]) -> None:
        from harness.show.bisection import step_line

        for step in steps:
            click.echo(step_line(step), err=True)

    name, versions = question.range.name, question.range.versions
    click.echo(f"{len(versions)} versions of {name}: {versions[0]} … {versions[-1]}", err=True)
    try:
        return carry_out(search(question, workplace, command, told))
    except KeyboardInterrupt:
        if runs:
            said = f"what was measured is kept, in the runs {', '.join(runs)}; the same command begins the search anew"
            click.echo(f"interrupted; {said}", err=True)
        raise
