"""doctor, models, show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import Several, absolute, db_option, given, json_option, stdout_console
from harness.cli.running import carry_out, leaving_nothing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.analyse.audit import Audit
    from harness.analyse.bottlenecks import Bottlenecks
    from harness.analyse.comparison import Comparison
    from harness.core.rounds import Run
    from harness.show.table import Results

_MORE_MODELS = "harness models WORDS searches; --family, --task and --set narrow; --all lists everything"


@click.command()
@json_option
def doctor(as_json: bool) -> int:
    """What this machine can run, what it can't and why, and what to install."""
    from rich.console import Console

    from harness.examine import examine
    from harness.show.doctor import doctor_lines

    with leaving_nothing(), Console(stderr=True).status("looking around") as status:  # silent where nobody looks
        found = carry_out(examine(status.update))
    if as_json:
        click.echo(json.dumps(found))
    else:
        stdout_console().print(doctor_lines(found))
    return 0


@click.command()
@click.argument("words", nargs=-1)
@click.option("--family", type=Several(), multiple=True, help="Of these families only: vision,audio,…")
@click.option("--task", help="That can do this task.")
@click.option("--set", "of_set", type=Several(), multiple=True, help="Of these named sets only: key-models, small, …")
@click.option("--all", "everything", is_flag=True, help="List all, where nothing narrows it.")
@json_option
def models(words: tuple[str, ...], as_json: bool, everything: bool, **narrowed: Any) -> int:
    """The catalogue: WORDS are looked for in names, families, tasks, modalities and sets."""
    from harness import catalog
    from harness.plan.sets import family_named, set_named
    from harness.show.models import family_tables, find, models_as_json, models_table, nearest

    asked = given(narrowed)
    wanted = [family_named(name) for name in asked.get("family", ())]
    chosen = [set_named(name) for name in asked.get("of_set", ())]
    if (task := asked.get("task")) and task not in catalog.tasks():
        raise catalog.unknown("task", task, catalog.tasks())
    found = find(words, wanted, task, chosen)
    if as_json:
        click.echo(json.dumps(models_as_json(found)))
        return 0
    if not (words or asked or everything):
        kinds, named = family_tables()
        stdout_console().print(kinds, "", named, "", _MORE_MODELS, sep="\n", highlight=False, markup=False)
        return 0
    if found:
        stdout_console().print(models_table(found), highlight=False)
    else:
        near = nearest(words)
        hint = f"did you mean {', '.join(near)}?" if near else "`harness models` shows the families"
        click.echo(f"nothing matches {' '.join(words)!r}; {hint}", err=True)
    return 0


@click.command()
@click.argument("run_id", required=False)
@click.option("--why", is_flag=True, help="Of a coverage: what is behind the holes.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Of a coverage: also a page.")
@db_option
@json_option
def show(run_id: str | None, why: bool, html: Path | None, db: Path, as_json: bool) -> int:
    """Results of a run (default: the last); the beginning of a RUN_ID is enough."""
    from rich.markup import escape

    from harness.analyse.audit import audits_of
    from harness.analyse.bottlenecks import profiles_of
    from harness.analyse.comparison import compared_within
    from harness.analyse.measured import measured_run
    from harness.analyse.pairs import side_by_side
    from harness.cli.coverage import print_coverage, write_page
    from harness.core.errors import UserMistake
    from harness.show.as_json import run_as_json
    from harness.show.audit import audits_as_json
    from harness.show.bottlenecks import profiles_as_json
    from harness.show.memory_limit import memory_limit_as_json
    from harness.show.versions import comparisons_as_json
    from harness.steps.recording import rounds_of
    from harness.store.results import read_run

    run, results = read_run(absolute(db), run_id)
    decides = run.plan.policy.schedule == "until_decided"
    covers = run.plan.policy.purpose == "coverage"
    if (why or html) and not covers:
        raise UserMistake("not_coverage", f"run {run.run_id} times", "--why and --html are of `harness coverage`")
    policy = run.plan.policy
    wanted = side_by_side(results) or decides or policy.profile or policy.audit or html or (covers and not as_json)
    rounds = rounds_of(absolute(db), run.run_id) if wanted else []
    if html is not None:
        write_page(run, results, rounds, html)
    compared = compared_within(measured_run(run, results, rounds))
    profiles, audits = profiles_of(rounds), audits_of(rounds)
    if as_json:
        more: dict[str, Any] = {"comparisons": comparisons_as_json(compared), **memory_limit_as_json(run, results)}
        more["audits"] = audits_as_json(audits)
        click.echo(json.dumps(run_as_json(run, results, profiles_as_json(profiles), **more)))
        return 0
    stdout_console().print(f"run [bold]{run.run_id}[/bold] of {run.started_at}: {escape(run.command)}", highlight=False)
    if covers:
        print_coverage(results, rounds, why)
        return 0
    print_run(run, results, compared, profiles, audits)
    return 0


def print_run(
    run: Run, results: Results, compared: Sequence[Comparison], profiles: Mapping[str, Bottlenecks],
    audits: Mapping[str, Audit],
) -> None:  # fmt: skip
    """The table of a run; versions side by side, where there are several; profiles; audits; what it means in a
    sentence."""
    from harness.core.noise import noise_lines
    from harness.show.audit import audit_lines
    from harness.show.bottlenecks import bottleneck_tables
    from harness.show.memory_limit import memory_limit_lines
    from harness.show.table import reading, results_table
    from harness.show.versions import comparison_table

    console = stdout_console()
    console.print(results_table(results, console.width))
    if compared:
        console.print("", comparison_table(compared), sep="\n")
    if profiles:
        console.print("", bottleneck_tables(results, profiles), sep="\n")
    if found := audit_lines(results, audits):
        console.print("", *found, sep="\n", highlight=False, markup=False, soft_wrap=True)
    if answer := memory_limit_lines(run, results):
        console.print("", *answer, sep="\n", highlight=False, markup=False)
    console.print("\n".join(["", reading(results), *noise_lines(run.machine)]), highlight=False, markup=False)
