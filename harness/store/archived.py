"""What of the samples lies in Parquet files beside the database, and where; the reading side of archive.py.

Every file that counts is named in the table `archived_files`, and the view `samples` reads exactly those: a file that a
crash left, or that a rebuild made superfluous, lies there unseen, and one that is missing is an error instead of fewer
samples.

The view names them by absolute paths. A relative one would depend on where a shell was started; an absolute one depends
on where the database lies, which changes rarely and is noticed: the next opening by the harness finds the archive
beside the database and points the view there. Only a shell of DuckDB's own that is first after a move gets an error.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import duckdb

from harness.core.errors import UserMistake

COLUMNS = "round_id, position, phase, clock, duration_ns, runs"
_FILE = r"year=\d{4}/month=\d{2}/[A-Za-z0-9-]{1,60}\.parquet"
_REGISTERED = "SELECT file, folder FROM archived_files ORDER BY file"


def archive_folder(database: Path) -> Path:
    """`<database name>.archive/samples` beside the database, absolute and in one spelling."""
    return database.absolute().parent.resolve() / f"{database.stem}.archive" / "samples"


def registered(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The files that count, below the archive's folder; names that the archive would not give are not among them."""
    return [file for file, _ in con.execute(_REGISTERED).fetchall() if re.fullmatch(_FILE, file)]


def missing(con: duckdb.DuckDBPyConnection, database: Path) -> list[str]:
    """Registered files that are not there, or not where the view looks, or no plain files."""
    folder = archive_folder(database)
    found = con.execute(_REGISTERED).fetchall()
    return [file for file, place in found if place != str(folder) or not _is_plain(folder, file)]


def readable(con: duckdb.DuckDBPyConnection, database: Path) -> list[str]:
    """Absolute paths that a locked-down connection may read.

    DuckDB compares names and follows symlinks, so none may be under way: a folder from elsewhere could hold one.
    """
    folder = archive_folder(database)
    return [str(folder / file) for file in registered(con) if _is_plain(folder, file)]


def has_moved(con: duckdb.DuckDBPyConnection, database: Path) -> bool:
    """Whether the view looks elsewhere while the whole archive lies beside the database."""
    folder = archive_folder(database)
    found = con.execute(_REGISTERED).fetchall()
    return any(place != str(folder) for _, place in found) and all(_is_plain(folder, file) for file, _ in found)


def point_view(con: duckdb.DuckDBPyConnection, database: Path) -> None:
    """Make the view `samples` over the table and the registered files, which must be there."""
    folder = archive_folder(database)
    con.execute("UPDATE archived_files SET folder = ? WHERE folder <> ?", [str(folder), str(folder)])
    paths = [str(folder / file) for file in registered(con)]
    more = f" UNION ALL SELECT {COLUMNS} FROM {parquet(paths)}" if paths else ""
    con.execute(f"CREATE OR REPLACE VIEW samples AS SELECT {COLUMNS} FROM recent_samples{more}")


def parquet(paths: Sequence[str]) -> str:
    """The files as SQL's table; without the columns that their folders are named by."""
    return f"read_parquet([{', '.join(map(quoted, paths))}], hive_partitioning = false)"


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def archived_rounds(con: duckdb.DuckDBPyConnection, round_ids: Sequence[str]) -> set[str]:
    """Those whose samples are in the archive: written again, on --resume, they must not count twice.

    By the tables alone, so that a run goes on also while the archive is on a disk that is not there: they have
    summaries and no samples any more. A new Round, which is the rule, is asked for no further.
    """
    asked = "round_id IN (SELECT unnest(?::VARCHAR[]))"
    if con.execute("SELECT 1 FROM archived_files LIMIT 1").fetchone() is None:
        return set()
    known = con.execute(f"SELECT DISTINCT round_id FROM summaries WHERE {asked}", [list(round_ids)]).fetchall()
    if not known:
        return set()
    recent = con.execute(f"SELECT DISTINCT round_id FROM recent_samples WHERE {asked}", [list(round_ids)]).fetchall()
    return {str(row[0]) for row in known} - {str(row[0]) for row in recent}


def archive_missing(database: Path, files: Sequence[str]) -> UserMistake:
    """What to say where samples are asked for and a part of them is not there."""
    return UserMistake(
        "archive_missing",
        f"{len(files)} archived files of samples are not in {archive_folder(database)}: {files[0]}",
        "put the folder back beside the database, or: harness db rebuild (all samples from the journal)",
    )


def _is_plain(folder: Path, file: str) -> bool:
    """A file below the folder without a symlink on the way from there."""
    place = folder / file
    return re.fullmatch(_FILE, file) is not None and place.is_file() and place.resolve() == folder.resolve() / file
