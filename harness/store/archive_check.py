"""Are the archive's files there, whole, and what was registered?"""

import hashlib
from pathlib import Path

import duckdb

from harness.store.archived import archive_folder, missing, parquet
from harness.store.integrity import REBUILD, Finding

_REGISTERED = "SELECT file, rounds, samples, duration_ns, size_bytes, sha256 FROM archived_files ORDER BY file"
_AS_BEFORE = "put the folder back beside the database, or: harness db rebuild (all samples from the journal)"


def archive_findings(con: duckdb.DuckDBPyConnection, database: Path) -> tuple[list[Finding], bool]:
    """(findings, whether all samples can be read)."""
    folder = archive_folder(database)
    gone = missing(con, database)
    found = []
    if gone:
        found.append(Finding("archived files of samples are missing", str(folder), len(gone), gone[0], _AS_BEFORE))
    rows = con.execute(_REGISTERED).fetchall()
    broken = [row[0] for row in rows if row[0] not in gone and not _is_whole(con, folder, row)]
    if broken:
        what = "archived files are not what was written"
        found.append(Finding(what, str(folder), len(broken), broken[0], REBUILD))
    doubled = con.execute(
        "SELECT count(DISTINCT round_id), min(round_id) FROM recent_samples WHERE round_id IN"
        f" (SELECT round_id FROM {parquet([str(folder / row[0]) for row in rows])})"
    ).fetchone() if rows and not gone and not broken else None  # fmt: skip
    if doubled and doubled[0]:
        what = "rounds have samples in the table and in the archive"
        found.append(Finding(what, "samples", doubled[0], doubled[1], REBUILD))
    known = {row[0] for row in rows}
    names = (place.relative_to(folder).as_posix() for place in sorted(folder.rglob("*")) if not place.is_dir())
    strays = [name for name in names if name not in known]
    if strays:
        what = "files in the archive that the database knows nothing of"
        then = "harness db maintain removes those that the table has all of; the others may be the only copy"
        found.append(Finding(what, str(folder), len(strays), strays[0], then, wrong=False))
    return found, not gone and not broken


def _is_whole(con: duckdb.DuckDBPyConnection, folder: Path, row: tuple[str, int, int, int, int, str]) -> bool:
    """The bytes are those that were written, and they hold what was counted then."""
    file, rounds, samples, duration_ns, size, sha256 = row
    place = folder / file
    if place.stat().st_size != size:
        return False
    with place.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
            return False
    try:
        held = con.execute(
            f"SELECT count(DISTINCT round_id), count(*), sum(duration_ns) FROM {parquet([str(place)])}"
        ).fetchone()
    except duckdb.Error:
        return False
    return held == (rounds, samples, duration_ns)
