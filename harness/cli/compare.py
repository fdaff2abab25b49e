"""compare, check, baseline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import absolute, db_option, json_option, stdout_console
from harness.cli.running import carry_out_beside, command_typed, leaving_nothing
from harness.core.errors import UserMistake

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.analyse.comparison import Comparison
    from harness.analyse.sides import SideBySide
    from harness.core.measured import MeasuredRun
    from harness.core.nouns import Policy

REGRESSION = 3
_policy_options = [
    click.option("--rounds", type=click.IntRange(3, 50), help="At most, of each side; default: 20."),
    click.option("--budget", help="Warm-up and sampling of all rounds of one side: 30s (default)."),
    click.option("--quiet", type=click.Choice(["warn", "strict", "off"]), help="Noise on the machine; default: warn."),
]


def policy_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How long what is measured here may take."""
    for option in reversed(_policy_options):
        command = option(command)
    return command


@click.command()
@click.argument("first")
@click.argument("second")
@click.option("--run", "within", metavar="RUN", help="Where points are named by words alone; default: the last run.")
@click.option("--until-decided", is_flag=True, help="Measure both sides afresh, in turn, until the verdict is there.")
@click.option("--margin", type=click.FloatRange(0, 1, min_open=True), help="What counts as the same; default: 0.02.")
@policy_options
@db_option
@json_option
def compare(first: str, second: str, db: Path, as_json: bool, **asked: Any) -> int:
    """Two runs, or two sets of points of a run: ratio with interval, verdict and doubts.

    FIRST and SECOND: a run_id, `last`, a baseline's name or file; WORDS of points (wasm, webnn,fp16); or RUN:WORDS.
    """
    from harness.analyse.comparison import USUAL_MARGIN
    from harness.analyse.sides import compared, decided, side_by_side
    from harness.show.compared import compared_as_json, compared_table
    from harness.steps.references import side

    margin = asked["margin"]
    with leaving_nothing():
        a, b = (side(absolute(db), typed, asked["within"]) for typed in (first, second))
        sides = side_by_side(a, b)
        if not sides.pairs:
            why = sides.left_out[0].why if sides.left_out else "neither has a point"
            raise UserMistake("nothing_in_common", f"{first} and {second} have no point in common: {why}")
        found = compared(sides, margin)
        measured = None
        if asked["until_decided"]:
            measured = _until_decided(found.found, sides, margin or USUAL_MARGIN, _policy(asked), db)
            found = decided(measured)
    if as_json:
        click.echo(json.dumps(compared_as_json(found, measured.run_id if measured else None)))
    else:
        stdout_console().print(compared_table(found, first, second))
    return 0


def _until_decided(
    found: Sequence[Comparison], sides: SideBySide, margin: float, policy: Policy, db: Path
) -> MeasuredRun:
    """All pairs, also what is decided by the stored Rounds: two ways to a verdict would be two chances to be wrong."""
    from harness.core.nouns import Decision
    from harness.deciding import measure_pairs
    from harness.measure.machine import fingerprint

    pairs = [(each.a[0], each.b[0]) for each in found]
    if not pairs:
        raise UserMistake("nothing_to_decide", "no pair can be compared", "compare without --until-decided says why")
    if same := [a for a, b in pairs if a.case_id == b.case_id]:
        message = f"{same[0].slug} is on both sides, at two times: there are no two sides to measure in turn"
        raise UserMistake("same_point", message, "measure it again: harness run, then compare; or harness check")
    here = fingerprint()["machine_id"]
    if any(run.machine.get("machine_id") != here for pair in sides.pairs for run, _ in pair):
        raise UserMistake("other_machine", "a side was measured on another machine", "compare without --until-decided")
    decision = Decision(kind="difference", size=margin)
    return carry_out_beside(lambda place: measure_pairs(pairs, decision, policy, place, command_typed()), db)


@click.command()
@click.option("--baseline", required=True, metavar="REF", help="A baseline's name or file, a run_id, or last.")
@click.option("--run", "run_id", metavar="RUN", help="What is checked; default: the last run.")
@click.option(
    "--threshold", type=click.FloatRange(0, 10, min_open=True), default=0.10, show_default=True,
    help="The slowdown that must not pass, as a share.",
)  # fmt: skip
@click.option("--no-remeasure", is_flag=True, help="Judge by what is stored; a suspect is not measured again.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Also as JUnit XML, a test per point.")
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=Path), help="Also for a pull request.")
@policy_options
@db_option
@json_option
def check(baseline: str, run_id: str | None, db: Path, as_json: bool, **asked: Any) -> int:
    """Regression gate: exit 3 where a point broke, or became slower than the baseline, seen twice."""
    from harness.analyse.regression import any_fails, screened, unconfirmed
    from harness.deciding import confirm
    from harness.show.checked import checked_as_json, checked_junit, checked_lines, checked_markdown
    from harness.steps.references import reference, stored_run

    threshold = asked["threshold"]
    with leaving_nothing():
        held, run = reference(absolute(db), baseline), stored_run(absolute(db), run_id)
        for path in filter(None, (asked["junit"], asked["markdown"])):
            path.parent.mkdir(parents=True, exist_ok=True)  # before anything is measured for what cannot be written
        if held.run_id == run.run_id:
            hint = "measure first (harness run …), or name another with --run"
            raise UserMistake("same_run", f"{baseline} is run {run.run_id} itself", hint)
        found = screened(held, run)
        if all(each.status in ("not_compared", "gone", "new") for each in found):
            why = found[0].why if found else "neither has a point"
            message = f"nothing of run {run.run_id} could be held against {baseline}: {why}"
            raise UserMistake("nothing_compared", message, "measure the same points: harness run …, then check")
        suspects = [each for each in found if each.status == "suspect"]
        if suspects and asked["no_remeasure"]:
            found = [
                unconfirmed(each, threshold, "--no-remeasure") if each.status == "suspect" else each for each in found
            ]
        elif suspects:
            click.echo(f"{len(suspects)} suspect: measuring again", err=True)
            policy = _policy(asked).model_copy(update={"silence_limit_ns": run.policy.silence_limit_ns})
            found = carry_out_beside(lambda place: confirm(found, threshold, policy, place, command_typed()), db)
    report = checked_as_json(found, held, run, threshold)
    if as_json:
        click.echo(json.dumps(report))
    else:
        stdout_console().print(checked_lines(found, held, run, threshold))
    for path, text in ((asked["junit"], checked_junit), (asked["markdown"], checked_markdown)):
        if path is not None:
            path.write_text(text(found, held, run, threshold), encoding="utf-8")
    return REGRESSION if any_fails(found) else 0


@click.group()
def baseline() -> None:
    """Name a run that later ones are checked against, or keep it in a file."""


@baseline.command("set")
@click.argument("name")
@click.argument("run_id", required=False)
@db_option
@json_option
def set_(name: str, run_id: str | None, db: Path, as_json: bool) -> int:
    """Let NAME mean that run (default: the last)."""
    from harness.store.baselines import set_name
    from harness.store.results import read_run

    run, _ = read_run(absolute(db), run_id)
    set_name(absolute(db), name, run.run_id)
    click.echo(json.dumps({"name": name, "run_id": run.run_id}) if as_json else f"{name} is run {run.run_id}")
    return 0


@baseline.command()
@click.argument("name")
@db_option
def remove(name: str, db: Path) -> int:
    """Take a name away; the run stays."""
    from harness.catalog import unknown
    from harness.store.baselines import read_names, set_name

    names = read_names(absolute(db))
    if name not in names:
        raise unknown("baseline", name, names)
    set_name(absolute(db), name, None)
    return 0


@baseline.command("list")
@db_option
@json_option
def list_(db: Path, as_json: bool) -> int:
    """The names, and what each means."""
    from harness.store.baselines import read_names

    names = read_names(absolute(db))
    if as_json:
        click.echo(json.dumps({"baselines": names}))
    for name, run_id in ({} if as_json else names).items():
        click.echo(f"{name}: run {run_id}")
    return 0


@baseline.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("run_id", required=False)
@db_option
@json_option
def save(file: Path, run_id: str | None, db: Path, as_json: bool) -> int:
    """Write that run (default: the last) to FILE.json, as far as a check needs it: to be committed."""
    from harness.steps.references import is_file, stored_run
    from harness.store.baselines import write_baseline

    if not is_file(str(file)):
        raise UserMistake("bad_baseline_file", f"{file} does not end in .json", "harness baseline save baseline.json")
    run = stored_run(absolute(db), run_id)
    write_baseline(file, run)
    told = {"file": str(file), "run_id": run.run_id, "points": len(run.cases)}
    click.echo(json.dumps(told) if as_json else f"{file}: {len(run.cases)} points of run {run.run_id}")
    return 0


def _policy(asked: dict[str, Any]) -> Policy:
    from harness.core.nouns import Policy
    from harness.core.units import parse_duration
    from harness.plan.selection import DECIDING_BUDGET, MOST_ROUNDS

    return Policy(
        rounds=asked["rounds"] or MOST_ROUNDS, quiet=asked["quiet"] or "warn",
        budget_ns=parse_duration(asked["budget"] or DECIDING_BUDGET),
    )  # fmt: skip
