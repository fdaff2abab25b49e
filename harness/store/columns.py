"""Columns → tables: whole numpy columns at once, which is how DuckDB takes in millions of rows a second."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np

from harness.store.rows import as_json

Columns = Mapping[str, np.ndarray[Any, Any]]
_AS_FLOAT = ("DOUBLE", "FLOAT")
_AS_WHOLE = ("BIGINT", "INTEGER")
_REGISTERED = "columns_to_insert"


def columns_of(lists: Mapping[str, list[Any]], types: Mapping[str, str]) -> Columns:
    """Lists as columns, by the types of their table; a number that is not there, or not one, will be null."""
    return {column: _column(values, types[column]) for column, values in lists.items()}


def objects(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    """One column of Python objects: texts, or None. `np.array` would make a table of lists of equal length."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def insert_columns(
    con: duckdb.DuckDBPyConnection, table: str, columns: Columns, types: Mapping[str, str], replace: bool = False
) -> None:
    """Append columns of equal length to a table. Lists come as their JSON text, times as datetime64 in UTC.

    DuckDB reads numbers and texts straight from the arrays; a list of Python values it would convert one by one, thirty
    times slower.
    """
    # Else DuckDB guesses the type of a column of objects from a thousand of them, and fails where another is the first
    # that is not null. Without guessing they are texts, and each becomes what its column is.
    con.execute("SET pandas_analyze_sample = 0")
    con.register(_REGISTERED, dict(columns))
    try:
        taken = ", ".join(_taken(name, array, types[name]) for name, array in columns.items())
        verb = "INSERT OR REPLACE" if replace else "INSERT"
        con.execute(f"{verb} INTO {table} ({', '.join(columns)}) SELECT {taken} FROM {_REGISTERED}")
    finally:
        con.unregister(_REGISTERED)


def _taken(name: str, array: np.ndarray[Any, Any], kind: str) -> str:
    if array.dtype != object or kind in ("VARCHAR", "JSON"):
        return name
    return f"{name}::JSON::{kind}" if kind.endswith("[]") else f"{name}::{kind}"


def _column(values: list[Any], kind: str) -> np.ndarray[Any, Any]:
    if kind in _AS_FLOAT:
        return np.array(values, dtype=float)
    if kind.endswith("[]"):
        return objects([None if value is None else as_json(value) for value in values])
    if kind in _AS_WHOLE and None not in values:
        return np.array(values, dtype=np.int64)
    return objects(values)
