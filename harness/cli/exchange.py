"""db import, db export: results from other tools, and to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import Pairs, Several, absolute, db_option, given, json_option

if TYPE_CHECKING:
    from harness.steps.importing import Reading
    from harness.store.export import Format


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--from",
    "form",
    metavar="FORMAT|FILE.toml",
    help="optimum-benchmark, transformers.js-benchmarking, harness, or a mapping of your own; default: by its shape.",
)
@click.option(
    "--state",
    type=Pairs(),
    multiple=True,
    help="What the file leaves open: platform=webgpu,browser=chrome; kept as yours.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be read; write nothing.")
@db_option
@json_option
def import_(files: tuple[Path, ...], form: str | None, dry_run: bool, db: Path, as_json: bool, **more: Any) -> int:
    """Results of other tools, kept apart from what was measured here; the same file twice is one run."""
    from harness.steps.importing import read_files, write

    readings = read_files(files, form, given(more).get("state", {}))
    there: list[bool] = [False] * len(readings)
    if not dry_run:
        there = write(absolute(db), readings, lambda text: click.echo(f"warning: {text}", err=True))
    if as_json:
        told = [_as_json(one, again) for one, again in zip(readings, there, strict=True)]
        click.echo(json.dumps({"dry_run": dry_run, "imports": told}))
        return 0
    for one, again in zip(readings, there, strict=True):
        click.echo("\n".join(_lines(one, again, dry_run)))
    return 0


def _as_json(one: Reading, again: bool) -> dict[str, Any]:
    from harness.measure.imported import not_told

    return {
        "run_id": one.run.run_id,
        "already_there": again,
        **one.imported.model_dump(mode="json"),
        "machine_id": one.run.machine["machine_id"],
        "cases": [each.case.slug for each in one.run.plan.cases],
        "points": len(one.foreign.points),
        "samples": _samples(one),
        "not_told": not_told(one.foreign.points),
    }


def _lines(one: Reading, again: bool, dry_run: bool) -> list[str]:
    """What was read, what of it is not known, and where it is now."""
    from harness.core.text import one_line
    from harness.measure.imported import not_told

    lines = [f"{', '.join(one.imported.files)}: {one.imported.label}, {len(one.foreign.points)} points"]
    for point, planned in zip(one.foreign.points, _planned(one), strict=True):
        taken = sum(len(each.durations_ns) for phase, each in point.samples.items() if phase == "sample")
        what = f"{taken} samples" if taken else "no samples"
        told = ", ".join(f"{name} {value:.4g}" for name, value in point.told.items())
        what = point.reason or what if point.outcome != "ok" else what + (f"; told: {told}" if told else "")
        lines.append(f"  {planned}: {one_line(what, 300)}")
    if missing := not_told(one.foreign.points):
        lines.append(f"  not told: {', '.join(missing)}")
    if one.imported.stated:
        lines.append(f"  stated: {', '.join(f'{key}={value}' for key, value in one.imported.stated.items())}")
    run_id = one.run.run_id
    done = f"would be run {run_id}; nothing was written" if dry_run else f"run {run_id}: harness show {run_id}"
    return [*lines, f"  {done}" + (" (it was there already)" if again else "")]


def _planned(one: Reading) -> list[str]:
    """The slug of each point; one that is there several times is several rounds of one case."""
    from harness.measure.imported import case_of

    families = {each.case.model.architecture or "": each.case.model.family for each in one.run.plan.cases}
    return [case_of(point, one.foreign.tool, families).slug for point in one.foreign.points]


def _samples(one: Reading) -> int:
    return sum(len(each.durations_ns) for point in one.foreign.points for each in point.samples.values())


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["parquet", "arrow"]), help="Default: by the file's ending, else parquet."
)
@click.option("--table", "tables", type=Several(), multiple=True, help="These tables and views; default: the results.")
@click.option("--all", "everything", is_flag=True, help="Every table and view; samples by month.")
@db_option
@json_option
def export(
    target: Path, form: Format | None, tables: tuple[tuple[str, ...], ...], everything: bool, db: Path, as_json: bool
) -> int:
    """Tables and views as Parquet or Arrow files: into a folder, or one of them into a .parquet or .arrow file."""
    from itertools import chain

    from harness.catalog import unknown
    from harness.core.errors import UserMistake
    from harness.core.units import human_bytes
    from harness.store.export import SUFFIXES, USUAL, exportable
    from harness.store.export import export as exported

    place, told = absolute(target), SUFFIXES.get(target.suffix)
    if told is not None and form not in (None, told):
        raise UserMistake("bad_export", f"{target} is not what {form} files are called", f"name it .{form}")
    known = exportable(absolute(db))
    wanted = list(dict.fromkeys(chain(*tables)))
    if wanted and everything:
        raise UserMistake("bad_export", "--table and --all exclude each other", None)
    for name in wanted:
        if name not in known:
            raise unknown("table", name, known)
    wanted = known if everything else wanted or list(USUAL[:1] if told else USUAL)
    if told is not None and len(wanted) > 1:
        raise UserMistake("bad_export", f"{target} is one file, for one table", "name a folder, or one --table")
    done = exported(absolute(db), place, wanted, form or told or "parquet")
    if as_json:
        files = [{"table": one.table, "path": str(one.path), "rows": one.rows, "bytes": one.size_bytes} for one in done]
        click.echo(json.dumps({"format": form or told or "parquet", "exported": files}))
        return 0
    for one in done:
        click.echo(f"{one.path}: {one.rows:,} rows, {human_bytes(one.size_bytes)}")
    return 0
