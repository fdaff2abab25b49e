"""`python -m harness.store.query_process`: one query from outside, in a process of its own that may die of it.

A request as JSON on stdin, columns and rows (or the user's mistake) as JSON on stdout. DuckDB cannot interrupt some
functions (`range(1000000000)` as a list, `lpad`), its memory limit does not count the strings and lists that they
make (seen: 7.7 GB under a limit of 1 GB), and a bad enough query may overflow the stack. So the limits that hold are
the system's: memory, CPU time, no file. `harness.store.query` starts this process, watches it and ends it.
"""

import contextlib
import json
import math
import sys
import threading
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb

from harness.core.errors import UserMistake
from harness.store import archived
from harness.store.database import open_for_reading

# SHOW, DESCRIBE, SUMMARIZE, WITH, VALUES, TABLE and FROM-first are SELECT to the parser; a PIVOT that has to look up
# its columns first is MULTI.
ALLOWED = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)
# EXPLAIN and MULTI may hold what is no SELECT, and the connection's locks do not keep that from the one file that is
# open: `EXPLAIN ANALYZE COPY … TO` this very database emptied it.
_HOLDERS = (duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)
_DOES_MORE = {
    "alter", "attach", "call", "checkpoint", "comment", "copy", "create", "deallocate", "delete", "detach", "drop",
    "execute", "export", "import", "insert", "install", "load", "merge", "pragma", "prepare", "reset", "set",
    "truncate", "update", "use", "vacuum",
}  # fmt: skip
_ROWS_AT_ONCE = 1024
_AS_THEY_ARE = (type(None), bool, int, float, str)
_NO_MEMORY = (MemoryError, duckdb.OutOfMemoryException)


def limit_this_process(memory_bytes: int, cpu_s: int) -> None:
    """Memory, CPU time, no file may grow, no core dump; what the system does not know is left to who watches us."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for what, soft, hard in (
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 1),  # at the soft one comes SIGXCPU, which says what it was
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        with contextlib.suppress(OSError, ValueError):  # macOS refuses a limit of the address space
            resource.setrlimit(what, (soft, hard))


def answer(request: dict[str, Any]) -> str:
    """The result as JSON text; raises UserMistake."""
    sql, seconds, path = request["sql"], request["time_limit_s"], Path(request["path"])
    with open_for_reading(path) as con:
        gone = archived.missing(con, path)
        timer = threading.Timer(seconds, con.interrupt)
        timer.daemon = True
        try:
            _check_one_that_reads(con, sql)
            timer.start()
            found = con.execute(sql)
            described = {
                "columns": [str(column[0]) for column in found.description or ()],
                "types": [str(column[1]) for column in found.description or ()],
            }
            return _fetched(found, described, request)
        except duckdb.InterruptException as error:
            raise UserMistake("query_time", f"stopped after {seconds:g} s", "ask for less") from error
        except (*_NO_MEMORY, duckdb.Error, ValueError, RecursionError) as error:
            if gone and any(file in str(error) for file in gone):
                raise archived.archive_missing(path, gone) from error
            raise _mistake(error) from error
        finally:
            timer.cancel()


def _check_one_that_reads(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = con.extract_statements(sql)
    if len(statements) != 1:
        raise UserMistake("bad_sql", "one statement at a time, and not none", 'harness query "SELECT …"')
    kind = statements[0].type
    more = _DOES_MORE & _keywords(sql) if kind in _HOLDERS else set()
    if kind not in ALLOWED or more:
        what = next(iter(sorted(more)), kind.name).upper()
        raise UserMistake(
            "bad_sql", f"{what} is not for asking: only what reads is let through", 'harness query "SELECT …"'
        )


def _keywords(sql: str) -> set[str]:
    """The words of SQL's own in a statement; not what stands in quotes or comments."""
    text = sql.encode()
    tokens = [*duckdb.tokenize(sql), (len(text), None)]
    parts = [(kind, text[at:end]) for (at, kind), (end, _) in pairwise(tokens)]
    return {
        word.decode(errors="replace").lower()
        for kind, part in parts if kind == duckdb.token_type.keyword
        for word in part.split()[:1]
    }  # fmt: skip


def _fetched(found: duckdb.DuckDBPyConnection, described: dict[str, list[str]], request: dict[str, Any]) -> str:
    """All rows as JSON text, counted in rows and in bytes while they come: the client holds both, too."""
    parts, count, size = [], 0, 0
    value_of = _exact if request.get("exact") else _jsonable
    while rows := found.fetchmany(_ROWS_AT_ONCE):
        count += len(rows)
        if count > request["most_rows"]:
            raise UserMistake(
                "query_rows", f"more than {request['most_rows']:,} rows", "add a LIMIT, or let SQL do the counting"
            )
        parts.append(json.dumps([[value_of(value) for value in row] for row in rows], allow_nan=False)[1:-1])
        size += len(parts[-1])
        if size > request["most_bytes"]:
            raise UserMistake(
                "query_size", f"more than {request['most_bytes'] / 1e6:.0f} MB", "ask for fewer or shorter columns"
            )
    return f'{json.dumps(described)[:-1]}, "rows": [{", ".join(parts)}]}}'


def _mistake(error: Exception) -> UserMistake:
    words = str(error).strip()
    if isinstance(error, _NO_MEMORY) or "bad_alloc" in words or "bad allocation" in words:
        return UserMistake("query_memory", "it needs more memory than a query may have", "ask for less at a time")
    if isinstance(error, RecursionError):
        return UserMistake("bad_sql", "the answer is nested too deep for JSON", "unnest it")
    if "pytz" in words:  # DuckDB asks for that package to make a Python time with a zone; the rest is a traceback
        return UserMistake("bad_sql", "times with a zone cannot be given back", "cast them: now()::TIMESTAMP")
    return UserMistake("bad_sql", words, 'tables and views: harness query "SHOW TABLES"')


def _jsonable(value: Any) -> Any:
    if isinstance(value, _AS_THEY_ARE):
        return None if isinstance(value, float) and not math.isfinite(value) else value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    isoformat = getattr(value, "isoformat", None)
    return isoformat() if callable(isoformat) else str(value)


def _exact(value: Any) -> Any:
    """What JSON cannot hold as it is becomes the text that DuckDB casts back to the column's type, without a loss."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return "".join(f"\\x{byte:02X}" for byte in value)
    if isinstance(value, timedelta):
        return f"{value // timedelta(microseconds=1)} microseconds"
    if isinstance(value, list | tuple):
        return [_exact(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _exact(item) for key, item in value.items()}
    return _jsonable(value)


def _main() -> None:
    request = json.loads(sys.stdin.buffer.read())
    limit_this_process(request["memory_bytes"], request["cpu_s"])
    try:
        text = answer(request)
    except UserMistake as mistake:
        text = json.dumps({"error": {"code": mistake.code, "message": mistake.message, "hint": mistake.hint}})
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    _main()
