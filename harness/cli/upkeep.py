"""db: look after the database: archive, maintain, check, rebuild."""

import json
import signal
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import click

from harness.cli.exchange import export, import_
from harness.cli.options import absolute, db_option, json_option
from harness.core.errors import UserMistake
from harness.core.units import parse_days, parse_duration, parse_size

_NS = 1e9


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
@db_option
@json_option
def init(db: Path, as_json: bool) -> int:
    """Make an empty database, or bring one of an older harness forward; whatever measures does it by itself."""
    from harness.store.database import open_for_writing

    database = absolute(db)
    is_new = not database.exists()
    open_for_writing(database).close()
    if as_json:
        click.echo(json.dumps({"database": str(database), "made": is_new}))
    else:
        click.echo(f"{db}: {'made, empty' if is_new else 'there already, of the newest schema'}")
    return 0


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


@db.command()
@click.option("--older-than", required=True, metavar="AGE", help="Of rounds that began longer ago: 180d, 26w.")
@db_option
@json_option
def archive(older_than: str, db: Path, as_json: bool) -> int:
    """Move old raw samples into Parquet files beside the database; queries see them as before."""
    from harness.show.upkeep import archive_lines
    from harness.steps.maintaining import archive_old

    now = datetime.now(UTC).replace(tzinfo=None)
    try:
        before = now - timedelta(days=parse_days(older_than))
    except OverflowError:
        before = datetime.min
    did = archive_old(absolute(db), before, lambda month: click.echo(f"archiving {month}", err=True))
    _tell(did, archive_lines(did), as_json)
    return 0


@db.command()
@click.option("--cache-limit", default="20GB", show_default=True, help="What the artifacts may take: 20GB, 500MB.")
@click.option("--every", metavar="TIME", help="Stay, and do it again each time: 24h, 30m. Ends on SIGTERM or Ctrl-C.")
@db_option
@json_option
def maintain(cache_limit: str, every: str | None, db: Path, as_json: bool) -> int:
    """Give space back, clear artifacts beyond the limit and what killed processes left; says what it did in numbers."""
    limit = parse_size(cache_limit)
    if every is None:
        _maintain_once(absolute(db), limit, as_json)
    else:
        _maintain_again_and_again(absolute(db), limit, as_json, parse_duration(every) / _NS)
    return 0


@db.command()
@click.option("--all", "everything", is_flag=True, help="Derive every round anew, instead of some hundred of them.")
@db_option
@json_option
def check(everything: bool, db: Path, as_json: bool) -> int:
    """Is the file whole, does it agree with the journal and with itself? Exit 1 when something is wrong."""
    from harness.show.upkeep import check_lines
    from harness.steps.checking import check_database

    found = check_database(absolute(db), everything)
    _tell(found, check_lines(found), as_json)
    return 1 if any(one["wrong"] for one in found["findings"]) else 0


def _maintain_once(database: Path, limit: int, as_json: bool) -> None:
    from harness.show.upkeep import maintain_lines
    from harness.steps.maintaining import maintain as maintain_database

    did = maintain_database(database, limit)
    _tell(did, maintain_lines(did), as_json)


def _maintain_again_and_again(database: Path, limit: int, as_json: bool, every_s: float) -> None:
    """Until a signal: what is under way is finished first; a second signal ends that as well, which loses nothing.

    What cannot be done now (a run is measuring, the disk is full) is said, and tried again when its time comes.
    """
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        if ended.is_set():
            raise KeyboardInterrupt
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    while True:
        try:
            _maintain_once(database, limit, as_json)
        except UserMistake as mistake:
            if as_json:
                click.echo(json.dumps({"database": str(database), "skipped": mistake.message, "code": mistake.code}))
            click.echo(f"skipped: {mistake.message}", err=True)
        if ended.wait(every_s):
            return


def _tell(did: dict[str, Any], lines: Sequence[str], as_json: bool) -> None:
    for line in [json.dumps(did)] if as_json else lines:
        click.echo(line)


db.add_command(import_)
db.add_command(export)
