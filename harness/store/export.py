"""Tables and views → Parquet or Arrow IPC files, streamed: what is in memory does not grow with the database.

Samples are by far the most, so they are cut by the month in which their Run began: `samples/month=2026-11/…`, as
DuckDB, pyarrow and Spark read partitions. Nothing is written over: what is there already is somebody's.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb

from harness.core.errors import DISK_FULL, UserMistake
from harness.store.database import open_for_reading

Format = Literal["parquet", "arrow"]
SUFFIXES: dict[str, Format] = {".parquet": "parquet", ".arrow": "arrow"}
USUAL = ("performance_results_view", "performance_results_all_view")
BY_MONTH = ("samples",)
# The view of that name has these, and the archived ones besides.
_SEEN_AS_SAMPLES = "recent_samples"
_ROWS_AT_ONCE = 122_880  # DuckDB's row group
_MEMORY = "1GB"
_MONTH = "strftime(runs.started_at, '%Y-%m')"


@dataclass(frozen=True)
class Exported:
    """One table or view as it lies there now; `path` is a folder where it was cut by month."""

    table: str
    path: Path
    rows: int
    size_bytes: int


def exportable(path: Path) -> list[str]:
    """Every table and view of the database. Raises UserMistake as `open_for_reading`."""
    with open_for_reading(path) as con:
        return _names(con)


def export(path: Path, target: Path, tables: Sequence[str], form: Format) -> list[Exported]:
    """Each of the tables below the folder `target`; one table alone as the file `target`, if it has a format's suffix.

    All of it or nothing. Raises UserMistake: export_exists, needs_arrow, disk_full, and those of `open_for_reading`.
    """
    if form == "arrow":
        _arrow()
    open_for_reading(path).close()  # an older schema is brought forward; and whatever is wrong with the file is said
    target.parent.mkdir(parents=True, exist_ok=True)
    one_file = target.suffix in SUFFIXES
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as aside, _reading(path, Path(aside)) as con:
        done = []
        for table in tables:
            name = table if table in BY_MONTH and not one_file else f"{table}.{form}"
            end = target if one_file else target / name
            if end.exists():
                raise UserMistake("export_exists", f"{end} is there already", "remove it, or name another place")
            made = Path(aside) / "done" / name
            made.parent.mkdir(exist_ok=True)
            rows = (_by_month if made.suffix == "" else _whole)(con, table, made, form)
            done.append((Exported(table, end, rows, _size(made)), made))
        for one, made in done:
            one.path.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(made, one.path)
    return [one for one, _ in done]


def _names(con: duckdb.DuckDBPyConnection) -> list[str]:
    found = con.execute(
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema = 'main' AND table_catalog = current_database() ORDER BY table_name"
    ).fetchall()
    return [str(row[0]) for row in found if row[0] != _SEEN_AS_SAMPLES]


@contextlib.contextmanager
def _reading(path: Path, aside: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The database, read-only, in an instance of its own: the one for reading may write no file."""
    config: dict[str, Any] = {
        "autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "memory_limit": _MEMORY,
        "threads": "2", "temp_directory": str(aside / "spilled"), "preserve_insertion_order": "false",
    }  # fmt: skip
    with duckdb.connect(":memory:", config=config) as con:
        place = str(path.absolute()).replace("'", "''")
        con.execute(f"ATTACH '{place}' AS results (TYPE duckdb, READ_ONLY)")
        con.execute("USE results")
        con.execute("SET enable_progress_bar = false")  # after two seconds it would be drawn into what others read
        try:
            yield con
        except (duckdb.Error, OSError) as error:
            if getattr(error, "errno", None) in DISK_FULL or "No space left" in str(error):
                raise UserMistake("disk_full", f"no room to export: {error}", "nothing was exported") from error
            raise


def _whole(con: duckdb.DuckDBPyConnection, table: str, made: Path, form: Format) -> int:
    return _write(con, f'SELECT * FROM "{table}"', made, form)


def _by_month(con: duckdb.DuckDBPyConnection, table: str, made: Path, form: Format) -> int:
    """A file per month of the Runs; samples whose Run is gone have none, and there are none such."""
    joined = f'FROM "{table}" AS taken JOIN rounds USING (round_id) JOIN runs USING (run_id)'
    months = con.execute(f"SELECT DISTINCT {_MONTH} FROM runs JOIN rounds USING (run_id) ORDER BY 1").fetchall()
    made.mkdir()
    count = 0
    for (month,) in months:
        folder = made / f"month={month}"
        folder.mkdir()
        count += _write(con, f"SELECT taken.* {joined} WHERE {_MONTH} = '{month}'", folder / f"{table}.{form}", form)
    return count


def _write(con: duckdb.DuckDBPyConnection, sql: str, made: Path, form: Format) -> int:
    sql = _as_other_formats_can(con, sql)
    if form == "arrow":
        return _write_arrow(con, sql, made)
    place = str(made).replace("'", "''")
    row = con.execute(f"COPY ({sql}) TO '{place}' (FORMAT parquet, COMPRESSION zstd)").fetchone()
    return int(row[0]) if row else 0


def _as_other_formats_can(con: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Neither format has whole numbers of 128 bits, and as a float two digests might become one: they are text."""
    described = con.execute(f"DESCRIBE {sql}").fetchall()
    wide = [str(name) for name, kind, *_ in described if kind in ("HUGEINT", "UHUGEINT")]
    texts = ", ".join(f'"{name}"::VARCHAR AS "{name}"' for name in wide)
    return f"SELECT * REPLACE ({texts}) FROM ({sql})" if wide else sql


def _write_arrow(con: duckdb.DuckDBPyConnection, sql: str, made: Path) -> int:
    """Batch after batch: neither the answer nor the file is ever whole in memory."""
    arrow = _arrow()
    relation: Any = con.sql(sql)
    # DuckDB 2 has renamed it.
    reader = getattr(relation, "to_arrow_reader", None) or relation.fetch_record_batch
    count = 0
    with reader(_ROWS_AT_ONCE) as batches:
        options = arrow.ipc.IpcWriteOptions(compression="zstd")
        with arrow.ipc.new_file(str(made), batches.schema, options=options) as file:
            for batch in batches:
                file.write_batch(batch)
                count += batch.num_rows
    return count


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError as error:
        hint = 'pip install "model-benchmark-harness[arrow]", or --format parquet, which needs nothing more'
        raise UserMistake(
            "needs_arrow", f"Arrow files are written by pyarrow, which is not here: {error}", hint
        ) from error
    return pyarrow


def _size(made: Path) -> int:
    return sum(file.stat().st_size for file in (made.rglob("*") if made.is_dir() else [made]) if file.is_file())
