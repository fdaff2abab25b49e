"""db: make the database again from the journal."""

import json
from pathlib import Path

import click

from harness.cli.exchange import export, import_
from harness.cli.options import absolute, db_option, json_option


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
@db_option
@json_option
def rebuild(db: Path, as_json: bool) -> int:
    """Make the database again from the journal beside it; same answers, row for row."""
    from harness.steps.recording import rebuild as rebuild_database

    runs = rebuild_database(absolute(db), lambda text: click.echo(f"warning: {text}", err=True))
    if as_json:
        click.echo(json.dumps({"database": str(absolute(db)), "runs": runs}))
    else:
        click.echo(f"{db}: {runs} runs from the journal")
    return 0


db.add_command(import_)
db.add_command(export)
