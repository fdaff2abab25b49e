"""Open the DuckDB file: schema and version, and patience while another process has it.

DuckDB admits one process while a writer has the file open, not even readers. So whoever measures opens, ingests and
closes between Rounds, and everybody else retries for some seconds.
"""

import re
import time
from collections.abc import Iterable
from pathlib import Path

import duckdb

from harness.core.errors import UserMistake

SCHEMA_VERSION = 1
PATIENCE_S = 5.0
NOT_MEASURED = "the Run ended before this Case was measured"
# Columns that the views have even while nothing was measured.
METRICS_ALWAYS = (
    "latency_median_ms",
    "latency_mean_ms",
    "latency_p50_ms",
    "latency_p90_ms",
    "latency_p95_ms",
    "latency_p99_ms",
    "latency_mad_ms",
    "samples",
    "throughput_items_per_second",
    "load_ms",
    "first_inference_ms",
    "prepare_ms",
    "peak_memory_mb",
)
_FOLDER = Path(__file__).parent
_RETRY_S = 0.05
_NO_DOWNLOADS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
# All readers of one process share DuckDB's instance and so must agree on its settings: each of them is locked down,
# because one of them runs SQL from outside. No spilling: a careless query must not fill the disk.
_LOCKED_DOWN: dict[str, str | bool | int | float | list[str]] = {
    **_NO_DOWNLOADS,
    "enable_external_access": "false",
    "memory_limit": "1GB",
    "threads": "2",
    "temp_directory": "",
    "lock_configuration": "true",
}
# DuckDB has no error type for these; the words are those of 1.4 to 2.0 on Linux, macOS and Windows.
_BUSY = ("Could not set lock", "different configuration", "being used by another process", "Conflicting lock")
_NO_FILE = ("does not exist", "No such file")
_FOREIGN = ("not a valid DuckDB", "Is a directory", "version number")


def open_for_writing(path: Path, patience_s: float = PATIENCE_S) -> duckdb.DuckDBPyConnection:
    """A connection that may write; makes the file, its folder and the schema where they are missing.

    Raises UserMistake: database_locked (another process has it and keeps it), not_a_database, database_version.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    con = _connect(path, read_only=False, patience_s=patience_s)
    try:
        if _tables(con):
            _check_version(con, path)
        else:
            _create(con)
    except BaseException:
        con.close()
        raise
    return con


def open_for_reading(path: Path, patience_s: float = PATIENCE_S) -> duckdb.DuckDBPyConnection:
    """A connection that can neither write nor reach any other file, nor change that.

    Raises UserMistake as `open_for_writing`, and no_database when there is none yet.
    """
    con = _connect(path, read_only=True, patience_s=patience_s)
    try:
        _check_version(con, path)
    except BaseException:
        con.close()
        raise
    return con


def refresh_views(con: duckdb.DuckDBPyConnection, names: Iterable[str] = ()) -> None:
    """Remake the views with a column for every metric in the database and in `names`."""
    found = [str(row[0]) for row in con.execute("SELECT DISTINCT metric FROM result_metrics").fetchall()]
    extra = sorted({*found, *names} - set(METRICS_ALWAYS))
    columns = ",\n        ".join(
        f"max(value) FILTER (WHERE metric = '{name}') AS \"{name}\""
        for name in (*METRICS_ALWAYS, *extra)
        if re.fullmatch(r"[a-z][a-z0-9_]*", name)
    )
    text = (_FOLDER / "views.sql").read_text(encoding="utf-8")
    con.execute(text.replace("{metrics}", columns).replace("{not_measured}", NOT_MEASURED))


def _connect(path: Path, read_only: bool, patience_s: float) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            config = dict(_LOCKED_DOWN if read_only else _NO_DOWNLOADS)
            return duckdb.connect(str(path), read_only=read_only, config=config)
        except duckdb.Error as error:
            words = str(error)
            if any(part in words for part in _BUSY):
                if time.monotonic() < deadline:
                    time.sleep(_RETRY_S)
                    continue
                raise UserMistake(
                    "database_locked",
                    f"{path} is open in another process: {_first_line(words)}",
                    "wait until it ends, or name another file with --db; what was measured stays in the journal",
                ) from error
            if any(part in words for part in _FOREIGN):
                raise _not_ours(path, _first_line(words)) from error
            if any(part in words for part in _NO_FILE):
                raise UserMistake(
                    "no_database", f"there is no database at {path}", "measure something first: harness run"
                ) from error
            raise UserMistake("database_unreadable", _first_line(words), "harness db rebuild") from error


def _tables(con: duckdb.DuckDBPyConnection) -> set[str]:
    return {str(row[0]) for row in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}


def _check_version(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    if "schema_version" not in _tables(con):
        raise _not_ours(path, "it has other tables than ours")
    row = con.execute("SELECT max(version) FROM schema_version").fetchone()
    version = row[0] if row else None
    if version != SCHEMA_VERSION:
        raise UserMistake(
            "database_version",
            f"{path} has schema version {version}, this harness knows {SCHEMA_VERSION}",
            "use the harness that wrote it, or remake it from its journal: harness db rebuild",
        )


def _create(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("BEGIN")
    con.execute((_FOLDER / "schema.sql").read_text(encoding="utf-8"))
    con.execute("INSERT INTO schema_version VALUES (?)", [SCHEMA_VERSION])
    refresh_views(con)
    con.execute("COMMIT")


def _not_ours(path: Path, why: str) -> UserMistake:
    return UserMistake("not_a_database", f"{path} is no database of the harness: {why}", "name another file with --db")


def _first_line(words: str) -> str:
    return words.strip().splitlines()[0]
