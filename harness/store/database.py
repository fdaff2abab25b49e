"""Open the DuckDB file: schema and version, and patience while another process has it.

DuckDB admits one process while a writer has the file open, not even readers. So whoever measures opens, ingests and
closes between Rounds, and everybody else retries for some seconds.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from harness.core.errors import UserMistake
from harness.store import archived
from harness.store.derived import remake
from harness.store.migrations import MIGRATIONS, SCHEMA_VERSION, migrate

PATIENCE_S = 5.0
_FOLDER = Path(__file__).parent
_RETRY_S = 0.05
_NO_DOWNLOADS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
# However large the database: what does not fit is read again, or laid aside beside the file, and what is measured has
# the machine to itself.
_WRITING: dict[str, str | bool | int | float | list[str]] = {**_NO_DOWNLOADS, "memory_limit": "1GB"}
# All readers of one process share DuckDB's instance and so must agree on its settings: each of them is locked down,
# because one of them runs SQL from outside. No spilling: a careless query must not fill the disk.
_LOCKED_DOWN: dict[str, str | bool | int | float | list[str]] = {
    **_NO_DOWNLOADS,
    # Implied by `enable_external_access` in 2.0; said anyway, since it is Python objects of our process that would be
    # read.
    "python_enable_replacements": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "memory_limit": "1GB",
    "threads": "2",
    "temp_directory": "",
}
# DuckDB has no error type for these; the words are those of 1.4 to 2.0 on Linux, macOS and Windows.
_BUSY = (
    "Could not set lock", "different configuration", "being used by another process", "Conflicting lock",
    "already attached",
)  # fmt: skip
_NO_FILE = ("does not exist", "No such file")
_FOREIGN = ("not a valid DuckDB", "Is a directory", "version number")


def open_for_writing(path: Path, patience_s: float = PATIENCE_S) -> duckdb.DuckDBPyConnection:
    """A connection that may write; makes the file, its folder and the schema where they are missing.

    A database of an older schema is brought forward in place, all or nothing.
    Raises UserMistake: database_locked (another process has it and keeps it), not_a_database, database_version.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    con = _connect(path, read_only=False, patience_s=patience_s)
    try:
        _make_newest(con, path)
        _find_moved_archive(con, path)
    except BaseException:
        con.close()
        raise
    return con


def instance() -> duckdb.DuckDBPyConnection:
    """DuckDB without a file, for `attached`. It has no thread that could wake while something is measured."""
    return duckdb.connect(":memory:", config={**_WRITING, "threads": "1"})


@contextlib.contextmanager
def attached(con: duckdb.DuckDBPyConnection, path: Path, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """The file as the instance's database for a while, as `open_for_writing` would have it.

    Making an instance takes ten times as long as attaching a file to one (30 ms against 3), so who writes again and
    again keeps one. After an error the instance is in no certain state: close it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Absolute, and of a stated type: a file's name must not choose another kind of database (`sqlite:…`).
    place = str(path.absolute()).replace("'", "''")
    _patiently(path, patience_s, lambda: con.execute(f"ATTACH '{place}' AS results (TYPE duckdb)"))
    con.execute("USE results")
    _make_newest(con, path)
    yield
    con.execute("USE memory")
    con.execute("DETACH results")


def open_for_reading(path: Path, patience_s: float = PATIENCE_S) -> duckdb.DuckDBPyConnection:
    """A connection that can neither write nor reach any file but the archive's, nor change that.

    A database of an older schema is brought forward first, and one that was moved told of its place.
    Raises UserMistake as `open_for_writing`, and no_database when there is none yet.
    """
    con = _connect(path, read_only=True, patience_s=patience_s)
    try:
        version = _version(con, path)
        if version is None:
            raise _not_ours(path, "it is empty")
        if version == SCHEMA_VERSION and not archived.has_moved(con, path):
            _lock(con, path)
            return con
    except BaseException:
        con.close()
        raise
    con.close()
    open_for_writing(path, patience_s).close()
    con = _connect(path, read_only=True, patience_s=patience_s)
    _lock(con, path)
    return con


@contextlib.contextmanager
def ctrl_c() -> Iterator[None]:
    """KeyboardInterrupt where somebody ends a statement by Ctrl-C: DuckDB makes a RuntimeError of it.

    It notices only between tasks (2.0.0: in 9 of 20 tries, with a statement that is one long task); else Ctrl-C is
    heeded when the statement has ended.
    """
    try:
        yield
    except (duckdb.InterruptException, RuntimeError) as error:
        if "nterrupted" in str(error):
            raise KeyboardInterrupt from error
        raise


def _connect(path: Path, read_only: bool, patience_s: float) -> duckdb.DuckDBPyConnection:
    config = dict(_LOCKED_DOWN if read_only else _WRITING)
    return _patiently(path, patience_s, lambda: duckdb.connect(str(path), read_only=read_only, config=config))


def _lock(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """From here on no file is reached but this one and those that hold its archived samples, each by its name.

    Not by their folder, which would be open for writing as well. Names can be allowed only once the database is open.
    Another connection of this process may have come first; then all is locked already, the same way.
    """
    locked = con.execute("SELECT current_setting('lock_configuration')").fetchone()
    if locked and locked[0]:
        return
    names = ", ".join(map(archived.quoted, archived.readable(con, path)))
    con.execute(f"SET allowed_paths = [{names}]" if names else "SET allowed_paths = []::VARCHAR[]")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def _find_moved_archive(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    if archived.has_moved(con, path):
        con.execute("BEGIN")
        archived.point_view(con, path)
        con.execute("COMMIT")


def _patiently(
    path: Path, patience_s: float, open_: Callable[[], duckdb.DuckDBPyConnection]
) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return open_()
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


def _make_newest(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    version = _version(con, path)
    if version is None:
        _create(con)
    elif version < SCHEMA_VERSION:
        _bring_forward(con, path, version)


def _version(con: duckdb.DuckDBPyConnection, path: Path) -> int | None:
    """Schema version of a database of ours: the newest, or one from which we know the way; None when it is empty."""
    try:
        row = con.execute("SELECT max(version) FROM schema_version").fetchone()
    except (duckdb.CatalogException, duckdb.BinderException):
        # Asked only now: listing tables is slower than all else of an opening.
        if con.execute("SELECT 1 FROM duckdb_tables() LIMIT 1").fetchone() is None:
            return None
        raise _not_ours(path, "it has other tables than ours") from None
    except duckdb.Error as error:  # a block of that very table is damaged
        raise UserMistake("database_unreadable", _first_line(str(error)), "harness db rebuild") from error
    version = row[0] if row else None
    if version is None or not min(MIGRATIONS) - 1 <= version <= SCHEMA_VERSION:
        raise UserMistake(
            "database_version",
            f"{path} has schema version {version}, this harness knows {SCHEMA_VERSION}",
            "use the harness that wrote it, or remake it from its journal: harness db rebuild",
        )
    return int(version)


def _bring_forward(con: duckdb.DuckDBPyConnection, path: Path, version: int) -> None:
    con.execute("BEGIN")
    try:
        migrate(con, version)
        remake(con)
        con.execute("COMMIT")
    except duckdb.Error as error:
        con.execute("ROLLBACK")
        raise UserMistake(
            "database_version",
            f"{path} has schema version {version} and cannot be brought to {SCHEMA_VERSION}: {_first_line(str(error))}",
            "it is as it was; remake it from its journal: harness db rebuild",
        ) from error


def _create(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("BEGIN")
    con.execute((_FOLDER / "schema.sql").read_text(encoding="utf-8"))
    con.execute("INSERT INTO schema_version VALUES (?)", [SCHEMA_VERSION])
    remake(con)
    con.execute("COMMIT")


def _not_ours(path: Path, why: str) -> UserMistake:
    return UserMistake("not_a_database", f"{path} is no database of the harness: {why}", "name another file with --db")


def _first_line(words: str) -> str:
    return words.strip().splitlines()[0]
