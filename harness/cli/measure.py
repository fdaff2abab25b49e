"""plan, export, run, attach, demo."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.attaching import asked_of, attach_options, reception_of
from harness.cli.options import absolute, db_option, given, json_option, selection_options
from harness.cli.planning import exit_code, plan_of, select
from harness.cli.running import carry_out, command_typed, database_flag, leaving_nothing, progress
from harness.cli.seeing import refuse_to_show_nothing, seeing_options, take_seeing
from harness.core.errors import UserMistake
from harness.core.text import one_line
from harness.execute.seeing import NOBODY, Seeing

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from harness.core.nouns import Plan
    from harness.execute.doors import Reception
    from harness.pipeline import Outcome
    from harness.steps.workplace import Workplace

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
@db_option
@json_option
def plan(spec: Path | None, out: Path | None, db: Path, as_json: bool, **options: Any) -> int:
    """What would run and what can't, and why; runs nothing."""
    from harness.plan.selection import as_toml
    from harness.show.as_json import plan_point_as_json
    from harness.show.plan import order_as_json, plan_lines

    with leaving_nothing():
        selection = select(spec, options)
        found = plan_of(selection, db)
    planned = found.plan
    if out is not None:
        out.write_text(as_toml(selection), encoding="utf-8")
    if as_json:
        ids = [point.case.case_id for point in planned.cases]
        order = order_as_json(planned)
        points = [
            {**plan_point_as_json(point, found.measured_at.get(case_id), found.again.get(case_id)), **order[case_id]}
            for case_id, point in zip(ids, planned.cases, strict=True)
        ]
        click.echo(json.dumps({"policy": planned.policy.model_dump(mode="json"), "cases": points}))
        return 0
    for line in plan_lines(planned, found.measured_at, found.again):
        click.echo(one_line(line))
    possible = sum(1 for point in planned.cases if point.to_measure)
    known = f"; {len(found.measured_at)} are known already" if found.measured_at else ""
    click.echo(
        f"{possible} of {len(planned.cases)} cases can be tried, {planned.policy.rounds} rounds each{known}", err=True
    )
    return 0


@click.command()
@selection_options
@db_option
@json_option
def export(spec: Path | None, db: Path, as_json: bool, **options: Any) -> int:
    """Make the artifacts only."""
    from harness.steps.advancing import Advance
    from harness.steps.workplace import Workplace

    with leaving_nothing(), closing(progress()) as watcher:
        planned = plan_of(select(spec, options), db).plan
        place = Workplace(database=absolute(db), executors={}, watcher=watcher)
        advance = Advance([], place)
        planned = carry_out(advance.all_exported(planned))
    points = []
    for point in planned.cases:
        artifact = advance.artifacts.get(point.case.case_id)
        points.append({
            "case_id": point.case.case_id, "slug": point.case.slug, "outcome": point.outcome or "ok",
            "code": point.code, "reason": point.reason, "reused_from": point.reused_from,
            "artifact": str(place.artifacts / artifact.digest) if artifact else None,
        })  # fmt: skip
    if as_json:
        click.echo(json.dumps({"exported": advance.made, "cases": points}))
    else:
        for each in points:
            told = each["artifact"] or each["reason"] or "known, not needed"
            click.echo(one_line(f"{each['slug']}: {told}"))
    return 1 if any(each["outcome"] == "failed" for each in points) else 0


@click.command()
@selection_options
@seeing_options
@click.option("--resume", metavar="RUN_ID|last", help="Go on with a run that was interrupted; takes no selection.")
@db_option
@json_option
def run(spec: Path | None, db: Path, as_json: bool, resume: str | None, **options: Any) -> int:
    """Measure: every case in fresh processes and tabs, interleaved, judged, stored."""
    from harness.pipeline import resume_run
    from harness.show.plan import again_lines

    seeing = take_seeing(options)
    with leaving_nothing():
        if resume is None:
            found = plan_of(select(spec, options, seeing), db, seeing)
            for line in again_lines(found.again):
                click.echo(line, err=True)
            return _shown(_run(found.plan, db, seeing), as_json)
        if spec is not None or given(options):
            raise UserMistake("resume_alone", "--resume goes on with the run's own plan", "leave the selection out")
        return _shown(_carry_out(lambda place: resume_run(resume, place), db, seeing), as_json)


@click.command()
@selection_options
@attach_options
@click.option("--by-hand", is_flag=True, help="One URL per case, to open as often as one likes; nothing is stored.")
@click.option("--resume", metavar="RUN_ID|last", help="Go on with a run that was interrupted; takes no selection.")
@db_option
@json_option
def attach(spec: Path | None, db: Path, as_json: bool, by_hand: bool, resume: str | None, **options: Any) -> int:
    """A URL (and a QR code beyond loopback): any browser that opens it becomes a platform.

    It is `run --browser attached[@NAME]`; default: the demo's model on wasm, webgpu, webnn, one device.
    """
    from harness.pipeline import resume_run
    from harness.plan.selection import make_selection, read_spec

    with leaving_nothing():
        reception = reception_of(options)
        flags = given(options)
        devices = flags.pop("device", ())
        if resume is not None:
            if spec is not None or flags or devices or by_hand:
                raise UserMistake("resume_alone", "--resume goes on with the run's own plan", "leave the selection out")
            return _shown(_carry_out(lambda place: resume_run(resume, place), db, reception=reception), as_json)
        asked = asked_of({**(read_spec(spec) if spec else {}), **flags}, devices, DEMO)
        planned = plan_of(make_selection(None, asked), db).plan
        if by_hand:
            return _by_hand(planned, db, reception)
        return _shown(_run(planned, db, reception=reception), as_json)


def _by_hand(planned: Plan, db: Path, reception: Reception) -> int:
    """Serves until it is told to stop, which is how it ends when all is well."""
    from harness.steps.by_hand import serve_by_hand
    from harness.steps.workplace import Workplace

    with closing(progress()) as watcher:
        place = Workplace(database=absolute(db), executors={}, watcher=watcher)
        try:
            carry_out(serve_by_hand(planned, place, lambda text: click.echo(text, err=True), reception.door))
        except KeyboardInterrupt:
            click.echo("closed; nothing was stored", err=True)
    return 0


@click.command()
@click.option("--rounds", type=int, help="Fresh processes or tabs per platform; default: 3.")
@click.option("--budget", help="Warm-up and sampling of all rounds of one platform; default: 36s.")
@db_option
@json_option
def demo(db: Path, as_json: bool, **options: Any) -> int:
    """The main job on a small real model: all-MiniLM-L6-v2 on two sentences, five platforms."""
    from harness.plan.selection import make_selection

    with leaving_nothing():
        planned = plan_of(make_selection(None, {**DEMO, **given(options)}), db).plan
        return _shown(_run(planned, db), as_json)


def _run(planned: Plan, db: Path, seeing: Seeing = NOBODY, reception: Reception | None = None) -> Outcome:
    from harness.pipeline import run_plan

    refuse_to_show_nothing(seeing, planned)
    command = command_typed()
    return _carry_out(lambda place: run_plan(planned, place, command), db, seeing, reception)


def _carry_out(
    work: Callable[[Workplace], Coroutine[Any, Any, Outcome]], db: Path, seeing: Seeing = NOBODY,
    reception: Reception | None = None,
) -> Outcome:  # fmt: skip
    from harness.steps.workplace import RealExecutors, Workplace

    with closing(progress()) as watcher:
        seeing = replace(seeing, screenshots=absolute(db).parent / "screenshots", say=watcher.told)
        place = Workplace(absolute(db), RealExecutors(seeing, reception), watcher, seeing)
        try:
            return carry_out(work(place))
        except KeyboardInterrupt:
            if watcher.run_id is not None:
                verb = "run" if reception is None else "attach"
                same = ", and the same --listen" if reception is not None and reception.door is not None else ""
                same += ", and --headed" if seeing.headed else ""
                watcher.warned(
                    f"interrupted; go on with: harness {verb} --resume {watcher.run_id}{database_flag(db)}{same}"
                )
            raise


def _shown(outcome: Outcome, as_json: bool) -> int:
    from harness.analyse.audit import audits_of
    from harness.analyse.bottlenecks import profiles_of
    from harness.analyse.comparison import compared_within
    from harness.analyse.measured import measured_run
    from harness.cli.look import print_run
    from harness.show.as_json import run_as_json
    from harness.show.audit import audits_as_json
    from harness.show.bottlenecks import profiles_as_json
    from harness.show.memory_limit import memory_limit_as_json
    from harness.show.versions import comparisons_as_json

    compared = compared_within(measured_run(outcome.run, outcome.results, outcome.rounds))
    profiles, audits = profiles_of(outcome.rounds), audits_of(outcome.rounds)
    if as_json:
        more: dict[str, Any] = {"exported": outcome.exported, "comparisons": comparisons_as_json(compared)}
        more |= {**memory_limit_as_json(outcome.run, outcome.results), "audits": audits_as_json(audits)}
        click.echo(json.dumps(run_as_json(outcome.run, outcome.results, profiles_as_json(profiles), **more)))
    else:
        print_run(outcome.run, outcome.results, compared, profiles, audits)
    return exit_code(outcome)
