"""What follows from the tables and is kept: the points, `performance_results` and the views on it."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import duckdb

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
    "model_size_mb",
    "rms_error_share",
)
# Where performance_results.sql begins with the metrics.
_LAST_BUT_METRICS = "imported_from"
_FOLDER = Path(__file__).parent
_ALL = "true"
_OF_RUNS = "run_id IN (SELECT unnest(?::VARCHAR[]))"
_OF_CASES = "case_id IN (SELECT unnest(?::VARCHAR[]))"


def remake(con: duckdb.DuckDBPyConnection) -> None:
    """All of it again, from whatever the tables hold."""
    con.execute(_text("derived.sql"))
    con.execute(_text("points.sql").replace("{wanted}", _ALL))
    remake_results(con)


def remake_results(con: duckdb.DuckDBPyConnection) -> None:
    """`performance_results` again, with a column for every metric in the database, and the views."""
    found = [str(row[0]) for row in con.execute("SELECT DISTINCT metric FROM result_metrics").fetchall()]
    metrics = (*METRICS_ALWAYS, *sorted({*found} - set(METRICS_ALWAYS)))
    rows = f"{_results(metrics, _ALL)} ORDER BY asked.run_id, asked.position"
    con.execute(f"CREATE OR REPLACE TABLE performance_results AS {rows}")
    _remake_views(con)


def keep_points(con: duckdb.DuckDBPyConnection, run_ids: Sequence[str]) -> None:
    """The points of Cases that these Runs planned."""
    con.execute(_text("points.sql").replace("{wanted}", _OF_RUNS), [list(run_ids)])


def keep_results(con: duckdb.DuckDBPyConnection, run_ids: Sequence[str], case_ids: Sequence[str] | None = None) -> None:
    """The rows of these Runs, or of these Cases in them, as the other tables say it by now."""
    wanted, values = _OF_RUNS, [list(run_ids)]
    if case_ids is not None:
        wanted, values = f"{_OF_RUNS} AND {_OF_CASES}", [list(run_ids), list(case_ids)]
    told = con.execute(f"SELECT DISTINCT metric FROM result_metrics WHERE {wanted}", values).fetchall()
    new = {str(row[0]) for row in told}
    metrics = {*METRICS_ALWAYS, *filter(_is_name, new)}
    if missing := metrics - set(_columns(con)):
        for name in sorted(missing):  # nothing that is there already has it
            con.execute(f'ALTER TABLE performance_results ADD COLUMN "{name}" DOUBLE')
        _remake_views(con)
    con.execute(f"DELETE FROM performance_results WHERE {wanted}", values)
    # Once for each of the three tables that rows are taken from.
    con.execute(f"INSERT INTO performance_results BY NAME {_results(sorted(metrics), wanted)}", values * 3)


def not_in_step(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, str | None]]:
    """Table → (how many of it are not what the other tables come to, one of them): rows of `performance_results`, Cases
    that have no point."""
    columns = _columns(con)
    told = {str(row[0]) for row in con.execute("SELECT DISTINCT metric FROM result_metrics").fetchall()}
    metrics = {*columns[columns.index(_LAST_BUT_METRICS) + 1 :], *filter(_is_name, told)}
    lacking = "".join(f', NULL::DOUBLE AS "{name}"' for name in sorted(metrics - set(columns)))
    names = ", ".join(f'"{name}"' for name in (*columns, *sorted(metrics - set(columns))))
    anew = f"SELECT {names} FROM ({_results(sorted(metrics), _ALL)})"
    held = f"SELECT {names} FROM (SELECT *{lacking} FROM performance_results)"
    here, there = (
        f"SELECT run_id || ' ' || case_id AS place, hash(one) AS content FROM ({rows}) AS one" for rows in (anew, held)
    )
    asked = {
        "performance_results": "SELECT count(*), min(place) FROM"
        f" (({here} EXCEPT ALL {there}) UNION ALL ({there} EXCEPT ALL {here}))",
        "points": "SELECT count(DISTINCT case_id), min(case_id) FROM planned_cases"
        " WHERE case_id NOT IN (SELECT case_id FROM points)",
    }
    found = {table: con.execute(sql).fetchone() for table, sql in asked.items()}
    return {table: (int(row[0]), row[1]) for table, row in found.items() if row and row[0]}


def _remake_views(con: duckdb.DuckDBPyConnection) -> None:
    columns = _columns(con)
    metrics_at, end = columns.index("reason") + 1, columns.index(_LAST_BUT_METRICS) + 1
    metrics = (*METRICS_ALWAYS, *sorted(set(columns[end:]) - set(METRICS_ALWAYS)))
    ordered = (*columns[:metrics_at], *metrics, *columns[metrics_at:end])
    con.execute(_text("views.sql").replace("{columns}", ", ".join(f'"{name}"' for name in ordered)))


def _columns(con: duckdb.DuckDBPyConnection) -> list[str]:
    return [str(column[0]) for column in con.execute("FROM performance_results LIMIT 0").description or ()]


def _results(metrics: Iterable[str], wanted: str) -> str:
    columns = ",\n        ".join(
        f"max(value) FILTER (WHERE metric = '{name}') AS \"{name}\"" for name in metrics if _is_name(name)
    )
    text = _text("performance_results.sql").replace("{wanted}", wanted).replace("{not_measured}", NOT_MEASURED)
    return text.replace("{metrics}", columns)


def _is_name(name: str) -> bool:
    return re.fullmatch(r"[a-z][a-z0-9_]*", name) is not None


@cache
def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
