"""The answer of a query → a Parquet file with the columns' types.

Whoever asks in SQL may write no file, so the answer comes out of its process as JSON, within its limits, and this one
makes the types again in a DuckDB of its own that holds nothing else.
"""

import json
import re
import tempfile
from pathlib import Path

import duckdb

from harness.core.errors import UserMistake
from harness.store.query import Answer

_ROWS_AT_ONCE = 10_000
_NESTED = re.compile(r"^(STRUCT|MAP|UNION)\(|\]$")
# Python's times have microseconds: of these the rest was lost on the way.
_LOSSY = re.compile(r"\bTIMESTAMP_NS\b")
_MEMORY = "2GB"
# How DuckDB spells the type of a column that has nothing but NULL: a table cannot have it, a file can.
_NULL = '"NULL"'


def write_parquet(answer: Answer, path: Path) -> None:
    """Whole or not at all, in place of what was there. `answer` must be exact.

    Raises UserMistake bad_parquet for columns that no Parquet file can hold: two of one name, a UNION, nanoseconds.
    """
    _refuse(answer)
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "memory_limit": _MEMORY,
        "threads": "2",
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            tempfile.TemporaryDirectory(dir=path.parent, prefix=".parquet-") as aside,
            duckdb.connect(":memory:", config={**config, "temp_directory": f"{aside}/spilled"}) as con,
        ):
            made = Path(aside) / "made.parquet"
            con.execute("SET enable_progress_bar = false")
            _fill(con, answer)
            place = str(made).replace("'", "''")
            columns = ", ".join(map(_kept, answer.columns, answer.types))
            con.execute(f"COPY (SELECT {columns} FROM answer) TO '{place}' (FORMAT parquet, COMPRESSION zstd)")
            made.replace(path)
    except duckdb.Error as error:
        raise UserMistake("bad_parquet", str(error).splitlines()[0], "cast the column to a plainer type") from error


def _refuse(answer: Answer) -> None:
    if not answer.columns:
        raise UserMistake("bad_parquet", "there are no columns", None)
    twice = [name for n, name in enumerate(answer.columns) if name.lower() in map(str.lower, answer.columns[:n])]
    if twice:
        raise UserMistake("bad_parquet", f"two columns are called {twice[0]!r}", "name one otherwise with AS")
    for name, kind in zip(answer.columns, answer.types, strict=True):
        if _LOSSY.search(kind):
            raise UserMistake("bad_parquet", f"{name} is {kind}: nanoseconds would be lost", f"{name}::TIMESTAMP")


def _fill(con: duckdb.DuckDBPyConnection, answer: Answer) -> None:
    """A row is a JSON list; its values are cast to the types that the query's own process told."""
    types = [kind.replace(_NULL, "INTEGER") for kind in answer.types]  # as CREATE TABLE AS has it
    columns = ", ".join(f"{_quoted(name)} {kind}" for name, kind in zip(answer.columns, types, strict=True))
    values = ", ".join(_value(n, kind) for n, kind in enumerate(types))
    con.execute(f"CREATE TABLE answer ({columns})")
    for begin in range(0, len(answer.rows), _ROWS_AT_ONCE):
        rows = [json.dumps(row) for row in answer.rows[begin : begin + _ROWS_AT_ONCE]]
        con.execute(f"INSERT INTO answer SELECT {values} FROM (SELECT unnest(?::VARCHAR[])::JSON AS one)", [rows])


def _value(n: int, kind: str) -> str:
    if not _NESTED.search(kind):
        return f"CAST(one->>{n} AS {kind})"
    # A JSON inside a list came as its text: read as JSON it would be a JSON string.
    plain = re.sub(r"\bJSON\b", "VARCHAR", kind)
    return f"CAST(CAST(one->{n} AS {plain}) AS {kind})"


def _kept(name: str, kind: str) -> str:
    return f"NULL AS {_quoted(name)}" if kind == _NULL else _quoted(name)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
