"""SQL from outside: read-only, no other file, no extension, no way to change that; bounded in time, memory and rows."""

import math
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from harness.core.errors import UserMistake
from harness.store.database import open_for_reading

TIME_LIMIT_S = 30.0
MOST_ROWS = 1_000_000
_QUERIES = Path(__file__).parent / "queries"
_AS_THEY_ARE = (type(None), bool, int, float, str)


def run_query(path: Path, sql: str, time_limit_s: float = TIME_LIMIT_S) -> tuple[list[str], list[list[Any]]]:
    """(column names, rows) of one statement; values are what JSON can hold, times as ISO 8601, in UTC.

    Raises UserMistake: bad_sql with DuckDB's words, query_time and query_rows at a limit, and those of
    `open_for_reading`.
    """
    with open_for_reading(path) as con:
        timer = threading.Timer(time_limit_s, con.interrupt)
        timer.daemon = True
        try:
            if len(con.extract_statements(sql)) != 1:
                raise UserMistake("bad_sql", "one statement at a time, and not none", 'harness query "SELECT …"')
            timer.start()
            found = con.execute(sql)
            columns = [str(column[0]) for column in found.description or ()]
            rows = found.fetchmany(MOST_ROWS + 1)
        except duckdb.InterruptException as error:
            raise UserMistake("query_time", f"stopped after {time_limit_s:g} s", "ask for less") from error
        except duckdb.Error as error:
            raise UserMistake("bad_sql", str(error).strip(), 'tables and views: harness query "SHOW TABLES"') from error
        finally:
            timer.cancel()
    if len(rows) > MOST_ROWS:
        raise UserMistake("query_rows", f"more than {MOST_ROWS:,} rows", "add a LIMIT, or let SQL do the counting")
    return columns, [[_jsonable(value) for value in row] for row in rows]


def named_queries() -> dict[str, str]:
    """Name → SQL of the queries that are shipped."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(_QUERIES.glob("*.sql"))}


def _jsonable(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, _AS_THEY_ARE):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    isoformat = getattr(value, "isoformat", None)
    return isoformat() if callable(isoformat) else str(value)
