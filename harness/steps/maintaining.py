"""Keep a database in order: old samples into the archive, space given back, the cache within its limit."""

import shutil
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.core.errors import UserMistake
from harness.export.clearing import clear_artifacts, size_of_folder
from harness.store.archive import archive, clear_unregistered
from harness.store.archived import archive_folder
from harness.store.compact import aside_prefix, compact, size_of
from harness.store.database import ctrl_c, open_for_writing
from harness.store.journal import journal_path, runs_under_way

_YOUNG_S = 3600.0


@ctrl_c()
def archive_old(database: Path, before: datetime, progress: Callable[[str], None]) -> dict[str, Any]:
    """Samples of Rounds that began before `before` (UTC, without a zone) go to the archive, and the file shrinks.

    Raises UserMistake: run_going, no_database, and those of `archive` and `compact`.
    """
    refuse_while_measuring(database)
    _refuse_none(database)
    size = size_of(database)
    done = archive(database, before, progress)
    after = compact(database).bytes_after if done.samples else size
    return {
        "database": str(database), "before": before.isoformat(), "rounds": done.rounds, "samples": done.samples,
        "files": list(done.files), "archived_bytes": done.size_bytes, "bytes_before": size, "bytes_after": after,
        "cleared": list(done.cleared), "unknown": list(done.unknown),
    }  # fmt: skip


@ctrl_c()
def maintain(database: Path, cache_limit_bytes: int) -> dict[str, Any]:
    """Clear what killed processes left and the cache beyond its limit, compact the database; numbers of all that.

    What frees room comes first. Raises UserMistake: run_going, no_database, and those of `compact`.
    """
    refuse_while_measuring(database)
    _refuse_none(database)
    leftovers = _clear_leftovers(database)
    folder = database.parent / "artifacts"
    cleared = clear_artifacts(folder, cache_limit_bytes, lambda: bool(runs_under_way(database)), time.time())
    with open_for_writing(database) as con:
        unfinished, unknown = clear_unregistered(con, database)
    compacted = compact(database)
    journal = journal_path(database, "*").parent
    return {
        "database": str(database),
        "bytes_before": compacted.bytes_before,
        "bytes_after": compacted.bytes_after,
        "rows": compacted.rows,
        "archive": {"bytes": size_of_folder(archive_folder(database)), "cleared": unfinished, "unknown": unknown},
        "journal": {"bytes": size_of_folder(journal), "runs": len(list(journal.glob("*.jsonl")))},
        "artifacts": {
            "removed": cleared.removed, "removed_bytes": cleared.removed_bytes,
            "kept": cleared.kept, "kept_bytes": cleared.kept_bytes, "limit_bytes": cache_limit_bytes,
        },
        "leftovers": [*leftovers, *(f"artifacts/{name}" for name in cleared.left_behind)],
    }  # fmt: skip


def refuse_while_measuring(database: Path) -> None:
    """Raises UserMistake run_going: upkeep would disturb what is measured, and clear what it uses."""
    going = runs_under_way(database)
    if going:
        raise UserMistake("run_going", f"run {going[0]} is being measured", "wait until it ends, or stop it")


def _refuse_none(database: Path) -> None:
    if not database.exists():
        raise UserMistake("no_database", f"there is no database at {database}", "measure something first: harness run")


def _clear_leftovers(database: Path) -> list[str]:
    """Folders that a killed compaction or rebuild left; of this database only, by their name or the file in them.

    The database is held, so none of them is at work.
    """
    gone = []
    with open_for_writing(database):
        folders = {database.parent, database.resolve().parent}  # of a link, also where it leads to
        places = {place for folder in folders for place in folder.glob(".*-*")}
        for place in sorted({*places, database.with_name(f"{database.name}.tmp")}):
            if place.is_dir() and not place.is_symlink() and _is_left_over(place, database):
                shutil.rmtree(place)
                gone.append(place.name)
    return gone


def _is_left_over(place: Path, database: Path) -> bool:
    if place.name == f"{database.name}.tmp":  # what DuckDB sorted on the disk
        return True
    if not place.name.startswith(".rebuild-"):
        return place.name.startswith(aside_prefix(database))
    names = {inside.name for inside in place.iterdir()}
    return database.name in names or (not names and time.time() - place.stat().st_mtime > _YOUNG_S)
