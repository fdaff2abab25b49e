"""Old raw samples out of the table into Parquet: written aside, read back, put into place, and only then taken out.

A crash at any step loses nothing and doubles nothing: until the one transaction that registers a file and deletes its
rows, the rows are in the table and the file is nobody's; after it the rows are in the file. What a crash left is
cleared away when the next archive begins, if the table has all of it.
"""

import glob
import hashlib
import os
import secrets
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from harness.core.errors import UserMistake
from harness.core.units import human_bytes
from harness.store.archived import COLUMNS, archive_folder, archive_missing, missing, parquet, point_view, registered
from harness.store.database import open_for_writing
from harness.store.journal import LEAST_FREE_BYTES

_PART = ".part"
_MEMORY = "2GB"
# DuckDB's own hash over all that a sample is: the order of the rows does not matter.
_CONTENT = f"count(*), count(DISTINCT round_id), sum(duration_ns), sum(hash({COLUMNS}))"
_MONTHS = """
SELECT DISTINCT year(started_at), month(started_at) FROM rounds
WHERE started_at < ? AND round_id IN (SELECT round_id FROM recent_samples) ORDER BY ALL
"""
_OLD = """
FROM recent_samples WHERE round_id IN (
    SELECT round_id FROM rounds WHERE started_at < ? AND year(started_at) = ? AND month(started_at) = ?)
"""
# Per Round, so that memory is bounded by the number of Rounds.
_NOT_IN_TABLE = f"""
WITH filed AS (SELECT round_id, count(*) AS n, sum(hash({COLUMNS})) AS content FROM {{files}} GROUP BY round_id),
held AS (
    SELECT round_id, count(*) AS n, sum(hash({COLUMNS})) AS content FROM recent_samples
    WHERE round_id IN (SELECT round_id FROM filed) GROUP BY round_id)
SELECT count(*) FROM filed LEFT JOIN held USING (round_id) WHERE held.content IS DISTINCT FROM filed.content
    OR held.n IS DISTINCT FROM filed.n
"""
_Content = tuple[int, int, int, int]


@dataclass(frozen=True)
class Archived:
    """What one archiving did. `unknown`: files that are not ours to remove, since the table lacks what they hold."""

    files: tuple[str, ...] = ()
    rounds: int = 0
    samples: int = 0
    size_bytes: int = 0
    cleared: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def archive(database: Path, before: datetime, progress: Callable[[str], None] = lambda _: None) -> Archived:
    """Samples of Rounds that began before `before` (UTC, without a zone), a month at a time.

    Raises UserMistake: archive_missing (an older file is gone), disk_full (before anything is written), archive_differs
    (what was read back is not what was written), and those of `open_for_writing`.
    """
    with open_for_writing(database) as con:
        con.execute(f"SET memory_limit = '{_MEMORY}'")  # what is sorted beyond that goes to the disk
        if gone := missing(con, database):
            raise archive_missing(database, gone)
        cleared, unknown = clear_unregistered(con, database)
        months = con.execute(_MONTHS, [before]).fetchall()
        if months:
            refuse_full_disk(database.parent, _most_bytes(database), "archiving")
        files, rounds, samples, size = [], 0, 0, 0
        for year, month in months:
            progress(f"{year}-{month:02}")
            file, content, written = _archive_month(con, database, before, (year, month))
            files.append(file)
            rounds, samples, size = rounds + content[1], samples + content[0], size + written
    return Archived(tuple(files), rounds, samples, size, tuple(cleared), tuple(unknown))


def clear_unregistered(con: duckdb.DuckDBPyConnection, database: Path) -> tuple[list[str], list[str]]:
    """(removed, kept): halves of files, and files that nobody registered and that the table has all of.

    Nothing is removed where another database has the same archive, as a copy has: only that one knows what it needs.
    """
    folder = archive_folder(database)
    is_shared = _is_shared(database)
    counts, removed, kept = set(registered(con)), [], []
    for place in sorted(folder.rglob("*")):
        name = place.relative_to(folder).as_posix()
        if place.is_dir() or name in counts:
            continue
        if not is_shared and (place.name.endswith(_PART) or _is_in_table(con, place)):
            place.unlink()
            removed.append(name)
        else:
            kept.append(name)
    return removed, kept


def _is_shared(database: Path) -> bool:
    """Whether there is another DuckDB file that differs in its suffix alone: `h.duckdb` and its copy `h.bak`."""
    for other in database.absolute().parent.glob(f"{glob.escape(database.stem)}.*"):
        if other.stem == database.stem and other.name != database.name and other.is_file():
            with other.open("rb") as file:
                if file.read(12)[8:] == b"DUCK":
                    return True
    return False


def refuse_full_disk(folder: Path, need_bytes: int, what: str) -> None:
    """Raises UserMistake disk_full, before instead of during."""
    free, need = shutil.disk_usage(folder).free, need_bytes + LEAST_FREE_BYTES
    if free < need:
        said = f"{what} may need {human_bytes(need)}, {folder} has {human_bytes(free)} free"
        raise UserMistake("disk_full", said, "free some room; nothing was changed")


def sync_folder(folder: Path) -> None:
    """The names in it survive a crash of the machine, too; Windows knows no such thing."""
    if sys.platform != "win32":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _most_bytes(database: Path) -> int:
    """Parquet of the samples is smaller than the database, which has them and more."""
    return database.stat().st_size if database.exists() else 0


def _archive_month(
    con: duckdb.DuckDBPyConnection, database: Path, before: datetime, month: tuple[int, int]
) -> tuple[str, _Content, int]:
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}.parquet"
    file = f"year={month[0]:04}/month={month[1]:02}/{name}"
    place = archive_folder(database) / file
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f"{name}{_PART}")
    chosen = [before, *month]
    try:
        _write_aside(con, aside, chosen)
        content = _read_back(con, aside, chosen)
        _put_into_place(aside, place)
    finally:
        aside.unlink(missing_ok=True)
    _take_out(con, database, file, chosen, content)
    return file, content, place.stat().st_size


def _write_aside(con: duckdb.DuckDBPyConnection, aside: Path, chosen: list[object]) -> None:
    """Sorted, since a question for one Round can then skip the rest; a month at a time bounds what is sorted."""
    path = str(aside).replace("'", "''")
    con.execute(
        f"COPY (SELECT {COLUMNS} {_OLD} ORDER BY round_id, position)"
        f" TO '{path}' (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)",
        chosen,
    )
    with aside.open("rb+") as written:
        os.fsync(written.fileno())


def _read_back(con: duckdb.DuckDBPyConnection, aside: Path, chosen: list[object]) -> _Content:
    meant = con.execute(f"SELECT {_CONTENT} {_OLD}", chosen).fetchone()
    found = con.execute(f"SELECT {_CONTENT} FROM {parquet([str(aside)])}").fetchone()
    if meant is None or meant != found:
        said = f"{aside} was read back as {found}, and {meant} was written (samples, rounds, nanoseconds, content)"
        raise UserMistake("archive_differs", said, "nothing was removed; look after this disk")
    return meant[0], meant[1], meant[2], meant[3]


def _put_into_place(aside: Path, place: Path) -> None:
    aside.rename(place)
    sync_folder(place.parent)


def _take_out(
    con: duckdb.DuckDBPyConnection, database: Path, file: str, chosen: list[object], content: _Content
) -> None:
    """Registered, shown by the view and deleted from the table: all three or none."""
    folder = archive_folder(database)
    with (folder / file).open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    con.execute("BEGIN")
    try:
        samples, rounds, duration_ns, _ = content
        size = (folder / file).stat().st_size
        now = datetime.now(UTC).replace(tzinfo=None)
        con.execute(
            "INSERT INTO archived_files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [file, str(folder), rounds, samples, duration_ns, size, sha256, now],
        )
        deleted = con.execute(f"DELETE {_OLD}", chosen).fetchone()
        if deleted is None or deleted[0] != samples:
            raise UserMistake("archive_differs", f"{samples} samples were written, {deleted} deleted", "try again")
        point_view(con, database)
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise


def _is_in_table(con: duckdb.DuckDBPyConnection, place: Path) -> bool:
    if place.suffix != ".parquet" or place.is_symlink():
        return False
    try:
        found = con.execute(_NOT_IN_TABLE.format(files=parquet([str(place)]))).fetchone()
    except duckdb.Error:  # no Parquet, or not of samples
        return False
    return found is not None and found[0] == 0
