"""SQL from outside: read-only, no other file, no extension, no way to change that; bounded in time, memory and size.

What it may see is this database and DuckDB's settings, with the database's path: whoever may ask may know it.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from harness.core.errors import UserMistake
from harness.store.database import PATIENCE_S, open_for_reading

TIME_LIMIT_S = 30.0
MOST_ROWS = 1_000_000
MOST_BYTES = 64_000_000  # as JSON; Python objects and their text live side by side for a moment
MOST_SQL = 1_000_000  # characters
# DuckDB's own limit is 1 GB; the rest is Python, the answer, and what DuckDB does not count.
MEMORY_BYTES = 3_000_000_000
_GRACE_S = 2.0  # from the polite interrupt to the end of the process; also start-up and opening the file
_LOOK_EVERY_S = 0.05
_ROOT = Path(__file__).parents[2]
_QUERIES = Path(__file__).parent / "queries"
# Of our environment only what Python and its libraries need to start: tokens and the home folder stay here.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")


class Answer(NamedTuple):
    """Names and DuckDB's types of the columns, the rows, and what was asked, for eyes."""

    columns: list[str]
    types: list[str]
    rows: list[list[Any]]
    asked: str = ""


def run_query(path: Path, sql: str, time_limit_s: float = TIME_LIMIT_S) -> tuple[list[str], list[list[Any]]]:
    """(column names, rows) of one statement; see `answer_query`."""
    answer = answer_query(path, sql, time_limit_s)
    return answer.columns, answer.rows


def answer_query(path: Path, sql: str, time_limit_s: float = TIME_LIMIT_S, exact: bool = False) -> Answer:
    """One statement's answer; values are what JSON can hold, times as ISO 8601, in UTC.

    `exact`: for who makes the columns' types of them again: a decimal, an infinity, a BLOB are DuckDB's text of them,
    where they otherwise are a float, null, and Python's text.
    Raises UserMistake: bad_sql with DuckDB's words; query_time, query_memory, query_rows and query_size at a limit;
    query_crashed; and those of `open_for_reading`.
    """
    if len(sql) > MOST_SQL:
        raise UserMistake("bad_sql", f"more than {MOST_SQL:,} characters of SQL", "ask for less at a time")
    open_for_reading(path).close()  # here an older schema may be brought forward; the process below can write nothing
    request = {
        "path": str(path.absolute()), "sql": sql, "time_limit_s": time_limit_s,
        "exact": exact, "most_rows": MOST_ROWS, "most_bytes": MOST_BYTES, "memory_bytes": MEMORY_BYTES,
        "cpu_s": int(2 * time_limit_s + _GRACE_S) + 1,  # two threads; should we be killed, it does not live on
    }  # fmt: skip
    said = _ask(json.dumps(request).encode(), time_limit_s)
    if "error" in said:
        raise UserMistake(**said["error"])
    return Answer(said["columns"], said["types"], said["rows"], sql)


def named_queries() -> dict[str, str]:
    """Name → SQL of the queries that are shipped."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(_QUERIES.glob("*.sql"))}


def _ask(request: bytes, time_limit_s: float) -> dict[str, Any]:
    """What the query's process answers; it is ended when it takes too long or too much."""
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    # From a file: `communicate` with a timeout does not go on with what it had not sent when it is called again.
    with tempfile.TemporaryFile() as asking:
        asking.write(request)
        asking.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", "harness.store.query_process"], cwd=_ROOT, env={**environment, "TZ": "UTC"},
            stdin=asking, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in a terminal is for us alone
        )  # fmt: skip
    try:
        output = _wait(process, time_limit_s)
    finally:
        process.kill()
        process.communicate()
    try:
        said: dict[str, Any] = json.loads(output)
    except ValueError:
        raise _died(process.returncode, time_limit_s) from None
    return said


def _wait(process: subprocess.Popen[bytes], time_limit_s: float) -> bytes:
    """Its output; where the system sets no limit to its memory (macOS, Windows), this look at it is the limit."""
    deadline = time.monotonic() + time_limit_s + PATIENCE_S + _GRACE_S
    watched = psutil.Process(process.pid)
    while True:
        try:
            return process.communicate(timeout=_LOOK_EVERY_S)[0]
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                raise _too_long(time_limit_s) from None
            if _resident_bytes(watched) > MEMORY_BYTES:
                raise _too_large() from None


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it has ended
        return 0


def _died(code: int, time_limit_s: float) -> UserMistake:
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"exit code {code}"
    if name == "SIGXCPU":
        return _too_long(time_limit_s)
    return UserMistake("query_crashed", f"DuckDB crashed on it ({name})", "ask in a simpler way")


def _too_long(time_limit_s: float) -> UserMistake:
    return UserMistake("query_time", f"stopped after {time_limit_s:g} s", "ask for less")


def _too_large() -> UserMistake:
    return UserMistake("query_memory", "it needs more memory than a query may have", "ask for less at a time")
