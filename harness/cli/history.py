"""anomalies, trends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import absolute, db_option, json_option, stdout_console
from harness.cli.running import carry_out_beside, command_typed, leaving_nothing
from harness.core.errors import UserMistake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.analyse.again import Again
    from harness.analyse.anomalies import Findings
    from harness.pipeline import Outcome


@click.command()
@click.argument("run_id", required=False)
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 1, max_open=True),
    default=0.95,
    show_default=True,
    help="That a run without anything odd has no false alarm.",
)
@click.option(
    "--min-samples",
    type=click.IntRange(2),
    default=3,
    show_default=True,
    help="Other rounds that make a history; with fewer a round is not called an outlier.",
)
@click.option("--rerun", is_flag=True, help="Measure what is odd again, in a run of its own, and say if it was so.")
@db_option
@json_option
def anomalies(run_id: str | None, confidence: float, min_samples: int, rerun: bool, db: Path, as_json: bool) -> int:
    """What is odd in a run (default: the last).

    Rounds off their own history, two speeds in one, drift and throttling, another answer, a failure among others.
    """
    from harness.show.history import anomalies_as_json, anomaly_lines

    findings = _findings(absolute(db), run_id, confidence, min_samples)
    again: list[Again] | None = None
    second_run: str | None = None
    if rerun and findings.anomalies:
        with leaving_nothing():
            again, second_run = _measured_again(findings, db, min_samples)
    if as_json:
        click.echo(json.dumps(anomalies_as_json(findings, again, second_run)))
        return 0
    run = findings.run
    second = f", measured again in run [bold]{second_run}[/bold]" if second_run else ""
    stdout_console().print(f"run [bold]{run.run_id}[/bold] of {run.started_at}{second}", highlight=False)
    stdout_console().print(anomaly_lines(findings, again), highlight=False)
    return 0


def _findings(database: Path, run_id: str | None, confidence: float, least: int) -> Findings:
    """Of that Run. Raises UserMistake: is_coverage, no_journal, and those of `read_run`."""
    from harness.analyse.anomalies import anomalies_of
    from harness.steps.recording import rounds_of
    from harness.store.history import machine_of, past_rounds
    from harness.store.results import read_run

    run, results = read_run(database, run_id)
    if run.plan.policy.purpose == "coverage":
        hint = "name a run that does: harness anomalies RUN_ID"
        raise UserMistake("is_coverage", f"run {run.run_id} is coverage: it times nothing", hint)
    rounds = rounds_of(database, run.run_id)
    if not rounds and any(result.rounds for _, result in results if result.reused_from is None):
        hint = "it lies beside the database; copy both"
        raise UserMistake("no_journal", f"the samples of run {run.run_id} are gone with its journal", hint)
    case_ids = {one.case_id for one in rounds}
    past = past_rounds(database, case_ids, machine_of(database, run.run_id), run.run_id)
    return anomalies_of(run, rounds, past, confidence, least)


def _measured_again(findings: Findings, db: Path, least: int) -> tuple[list[Again], str | None]:
    """Each anomaly with what a second Run says of it, and that Run; None where none of the Cases can be measured from
    here."""
    from harness import catalog
    from harness.analyse.again import Again, judged_again, plan_again
    from harness.analyse.anomalies import subjects_of
    from harness.core.noise import noise_lines
    from harness.pipeline import run_plan

    browsers = catalog.browsers()
    cases = {one.case.case_id: one.case for one in findings.anomalies}
    attached = {key for key, case in cases.items() if case.browser and browsers[case.browser].driver == "attach"}
    plan = plan_again(findings, attached)
    outcome = carry_out_beside(lambda place: run_plan(plan, place, command_typed()), db) if plan.cases else None
    subjects = subjects_of(outcome.run, outcome.rounds, ()) if outcome else {}
    again = []
    for anomaly in findings.anomalies:
        case_id = anomaly.case.case_id
        if case_id in attached:
            reason = "it was measured on an attached device: only whoever has it can measure it again"
            again.append(Again(anomaly, "undecided", reason))
            continue
        judged = judged_again(findings, anomaly, subjects.get(case_id), least)
        changed = _changed_meanwhile(findings, outcome, case_id)
        noise = noise_lines(outcome.run.machine) if outcome else []
        again.append(replace(judged, doubts=(*changed, *noise)))
    return again, outcome.run.run_id if outcome else None


def _changed_meanwhile(findings: Findings, outcome: Outcome | None, case_id: str) -> Sequence[str]:
    """What is not as it was when the anomaly was measured, in sentences."""
    from harness.plan.incremental import version_changes

    before = findings.subjects[case_id].point
    after = next((one for one in outcome.run.plan.cases if one.case.case_id == case_id), None) if outcome else None
    if after is None:
        return []
    if after.outcome is not None:
        return [f"it cannot be measured now: {after.reason}"]
    if before.versions is None or after.versions is None:
        return ["with which versions it was measured first is not known"]
    changes = version_changes(before.versions, after.versions)
    return [f"its versions changed meanwhile: {', '.join(changes)}"] if changes else []


@click.command()
@click.argument("words", nargs=-1)
@click.option("--since", type=click.FloatRange(0, min_open=True), metavar="DAYS", help="Runs of the last DAYS only.")
@db_option
@json_option
def trends(words: tuple[str, ...], since: float | None, db: Path, as_json: bool) -> int:
    """Each case's latency over all runs: where it changed, by how much, and which versions changed there.

    WORDS must all be in a case's slug: bert onnxruntime.
    """
    from datetime import UTC, datetime, timedelta

    from harness.analyse.trends import trends_of
    from harness.show.history import trend_lines, trends_as_json
    from harness.store.history import past_results

    begin = None if since is None else (datetime.now(UTC) - timedelta(days=since)).isoformat()
    found = trends_of(past_results(absolute(db), begin), words)
    if as_json:
        click.echo(json.dumps(trends_as_json(found)))
    elif found:
        stdout_console().print(trend_lines(found), highlight=False)
    else:
        about = f" of a case whose name has {' and '.join(words)}" if words else ""
        click.echo(f"there is no result{about} to look at", err=True)
    return 0
