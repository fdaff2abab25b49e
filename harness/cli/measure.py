"""plan, export, run, demo."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import absolute, db_option, given, json_option, selection_options, stdout_console

if TYPE_CHECKING:
    from harness.core.nouns import Plan
    from harness.plan.selection import Selection
    from harness.show.progress import Progressing

# What the demo measures: real sentences, short enough for a software GPU to answer in about a second.
DEMO = {
    "model": ("sentence-transformers/all-MiniLM-L6-v2",),
    "hardware": ("cpu", "onnxruntime", "wasm", "webgpu", "webnn"),
    "batch_size": (2,),
    "length": (12,),
    "budget": "36s",
}


@click.command()
@selection_options
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the selection as a TOML spec.")
@json_option
def plan(spec: Path | None, out: Path | None, as_json: bool, **options: Any) -> int:
    """What would run and what can't, and why; runs nothing."""
    from harness.plan.selection import as_toml
    from harness.show.as_json import plan_point_as_json

    selection = _select(spec, options)
    planned = _plan(selection)
    if out is not None:
        out.write_text(as_toml(selection), encoding="utf-8")
    if as_json:
        points = [plan_point_as_json(point.case, point.outcome, point.reason) for point in planned.cases]
        click.echo(json.dumps({"policy": planned.policy.model_dump(mode="json"), "cases": points}))
        return 0
    for point in planned.cases:
        click.echo(
            f"{'-' if point.outcome else '+'} {point.case.slug}" + (f"  ({point.reason})" if point.reason else "")
        )
    possible = sum(1 for point in planned.cases if point.outcome is None)
    click.echo(f"{possible} of {len(planned.cases)} cases can be tried, {planned.policy.rounds} rounds each", err=True)
    return 0


@click.command()
@selection_options
@db_option
@json_option
def export(spec: Path | None, db: Path, as_json: bool, **options: Any) -> int:
    """Make the artifacts only."""
    from harness.steps.exporting import export_all
    from harness.steps.workplace import Workplace

    planned = _plan(_select(spec, options))
    with closing(_progress()) as watcher:
        place = Workplace(database=absolute(db), executors={}, watcher=watcher)
        exported = asyncio.run(export_all(planned, place))
    points = []
    for point in exported.plan.cases:
        artifact = exported.artifacts.get(point.case.case_id)
        points.append({
            "case_id": point.case.case_id, "slug": point.case.slug, "outcome": point.outcome or "ok",
            "code": point.code, "reason": point.reason,
            "artifact": str(place.artifacts / artifact.digest) if artifact else None,
        })  # fmt: skip
    if as_json:
        click.echo(json.dumps({"exported": exported.made, "cases": points}))
    else:
        for each in points:
            click.echo(f"{each['slug']}: {each['artifact'] or each['reason']}")
    return 1 if any(each["outcome"] == "failed" for each in points) else 0


@click.command()
@selection_options
@db_option
@json_option
def run(spec: Path | None, db: Path, as_json: bool, **options: Any) -> int:
    """Measure: every case in fresh processes and tabs, interleaved, judged, stored."""
    return _measure(_plan(_select(spec, options)), db, as_json)


@click.command()
@click.option("--rounds", type=int, help="Fresh processes or tabs per platform; default: 3.")
@click.option("--budget", help="Warm-up and sampling of all rounds of one platform; default: 36s.")
@db_option
@json_option
def demo(db: Path, as_json: bool, **options: Any) -> int:
    """The main job on a small real model: all-MiniLM-L6-v2 on two sentences, five platforms."""
    from harness.plan.selection import make_selection

    return _measure(_plan(make_selection(None, {**DEMO, **given(options)})), db, as_json)


def _select(spec: Path | None, options: dict[str, Any]) -> Selection:
    from harness.plan.selection import make_selection

    return make_selection(spec, given(options))


def _plan(selection: Selection) -> Plan:
    from harness.export.process import inspect_model
    from harness.plan.cases import make_plan

    return make_plan(selection, inspect_model)


def _measure(planned: Plan, db: Path, as_json: bool) -> int:
    from harness import catalog
    from harness.pipeline import run_plan
    from harness.show.as_json import run_as_json
    from harness.show.table import reading, results_table
    from harness.steps.workplace import Workplace, real_executors

    sides: set[str] = {catalog.backends()[p.case.backend].side for p in planned.cases if p.outcome is None}
    command = shlex.join(["harness", *sys.argv[1:]])
    with closing(_progress()) as watcher:
        place = Workplace(database=absolute(db), executors=real_executors(sides), watcher=watcher)
        outcome = asyncio.run(run_plan(planned, place, command))
    if as_json:
        click.echo(json.dumps(run_as_json(outcome.run, outcome.results, exported=outcome.exported)))
    else:
        console = stdout_console()
        console.print(results_table(outcome.results, console.width))
        console.print(f"\n{reading(outcome.results)}", highlight=False)
    return 1 if any(result.outcome == "failed" for _, result in outcome.results) else 0


def _progress() -> Progressing:
    from rich.console import Console

    from harness.show.progress import Progressing

    return Progressing(Console(stderr=True))
