"""Three questions to the same history, answered in four ways: DuckDB, the journal's JSON lines read as a whole, JSON
lines of the results, and SQLite with the results. All four have to give the same answers.

An answer is a mapping from text to number. The JSON ways hold all results in memory and share `answers`.
"""

import json
import math
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import orjson

from harness.core.statistics import mean

Answer = dict[str, float]
LATEST, PIVOT, SCALING = "newest latencies", "family × platform", "batch efficiency"
QUESTIONS = (LATEST, PIVOT, SCALING)
_AT_ONCE = 10_000


class Result(NamedTuple):
    """What the three questions need of an ok result."""

    machine_id: str
    run_id: str
    case_id: str
    model: str
    family: str
    platform: str
    precision: str
    batch: int
    latency_ms: float


def answers(results: Iterable[Result]) -> dict[str, tuple[Answer, float]]:
    """Question → its answer and the seconds it took. Runs' ids are in the order of time."""
    known = list(results)
    return {name: _timed(partial(ask, known)) for name, ask in _ASK.items()}


def _latest(results: list[Result]) -> Answer:
    newest: dict[tuple[str, str], Result] = {}
    for one in results:
        before = newest.get((one.machine_id, one.case_id))
        if before is None or before.run_id < one.run_id:
            newest[one.machine_id, one.case_id] = one
    return {f"{machine}|{case}": one.latency_ms for (machine, case), one in newest.items()}


def _pivot(results: list[Result]) -> Answer:
    rates: dict[tuple[str, str], list[float]] = {}
    for one in results:
        rates.setdefault((one.family, one.platform), []).append(1000 * one.batch / one.latency_ms)
    means = {key: mean(values) for key, values in rates.items()}
    found = {f"{family}|{platform}": value for (family, platform), value in means.items()}
    return found | {
        f"{family}|{platform}|speedup": value / means[family, "cpu"]
        for (family, platform), value in means.items()
        if (family, "cpu") in means
    }


def _scaling(results: list[Result]) -> Answer:
    alone = {(one.run_id, one.model, one.platform, one.precision): one.latency_ms for one in results if one.batch == 1}
    shares: dict[tuple[str, int], list[float]] = {}
    for one in results:
        first = alone.get((one.run_id, one.model, one.platform, one.precision))
        if first is not None:
            # throughput(b) / (b · throughput(1)): the batch sizes cancel out
            shares.setdefault((one.platform, one.batch), []).append(first / one.latency_ms)
    return {f"{platform}|{batch}": mean(values) for (platform, batch), values in shares.items()}


_ASK: dict[str, Callable[[list[Result]], Answer]] = {LATEST: _latest, PIVOT: _pivot, SCALING: _scaling}

_NEWEST = {
    "duckdb": """
        SELECT machine_id || '|' || case_id, max({'run_id': run_id, 'value': latency_median_ms}).value
        FROM performance_results_view GROUP BY machine_id, case_id""",
    # What SQLite says of its own max(): the other columns are of the row that has it.
    "sqlite": """
        SELECT key, latency_median_ms FROM (
            SELECT machine_id || '|' || case_id AS key, latency_median_ms, max(run_id)
            FROM performance_results_view GROUP BY machine_id, case_id)""",
}
_SAME_SQL = {
    PIVOT: """
        WITH means AS (
            SELECT model_family, hardware_type, avg(throughput_items_per_second) AS rate
            FROM performance_results_view GROUP BY model_family, hardware_type
        )
        SELECT model_family || '|' || hardware_type, rate FROM means
        UNION ALL
        SELECT here.model_family || '|' || here.hardware_type || '|speedup', here.rate / cpu.rate
        FROM means AS here JOIN means AS cpu ON cpu.model_family = here.model_family AND cpu.hardware_type = 'cpu'""",
    SCALING: """
        SELECT here.hardware_type || '|' || here.batch_size, avg(
            here.throughput_items_per_second / (here.batch_size * alone.throughput_items_per_second))
        FROM performance_results_view AS here JOIN performance_results_view AS alone
            ON alone.run_id = here.run_id AND alone.model_name = here.model_name AND alone.batch_size = 1
            AND alone.hardware_type = here.hardware_type AND alone.precision = here.precision
        GROUP BY here.hardware_type, here.batch_size""",
}


def from_sql(con: Any, kind: str) -> dict[str, tuple[Answer, float]]:
    """As `answers`; `kind` is duckdb or sqlite. Each is asked twice, the second time counts: both are warm then."""
    found = {}
    for name, sql in {LATEST: _NEWEST[kind], **_SAME_SQL}.items():
        for _ in range(2):
            found[name] = _timed(partial(_rows, con, sql))
    return found


def _rows(con: Any, sql: str) -> Answer:
    return dict(con.execute(sql).fetchall())


def from_journal(lines: Iterable[bytes]) -> Iterator[Result]:
    """Results of what Runs left as lines, one after the other: the medians of all Samples are computed here.

    The n-th Case that has a Round is the n-th of the Plan, as it is in the synthetic history: cheaper for this way than
    the digest, which is what really tells them apart.
    """
    run: Any = None
    case: Any = None
    case_id: str | None = None
    medians: list[float] = []
    for line in lines:
        record = orjson.loads(line)
        kind = record["record"]
        if kind == "run":
            run, planned, case_id = record["run"], iter(record["run"]["plan"]["cases"]), None
        elif kind == "round" and record["case_id"] != case_id:
            yield from _result(run, case, case_id, medians)
            case_id, case, medians = record["case_id"], next(planned)["case"], []
        elif kind == "event" and record["event"]["event"] == "samples":
            medians.append(float(np.median(record["event"]["durations_ns"])) / 1e6)
        elif kind == "run_end":
            yield from _result(run, case, case_id, medians)


def _result(run: Any, case: Any, case_id: str | None, medians_ms: list[float]) -> Iterator[Result]:
    if case_id is not None and medians_ms:
        latency = math.exp(mean([math.log(value) for value in medians_ms]))
        yield Result(
            run["machine"]["machine_id"], run["run_id"], case_id, case["model"]["name"], case["model"]["family"],
            case["platform"], case["precision"], case["batch_size"], latency,
        )  # fmt: skip


def from_summaries(lines: Iterable[bytes]) -> Iterator[Result]:
    """Results of lines that hold `performance_results_all_view`, one row each."""
    for line in lines:
        row = orjson.loads(line)
        if row["outcome"] == "ok" and row["checked"] and row["passed"] and row["purpose"] == "timing":
            yield Result(
                row["machine_id"], row["run_id"], row["case_id"], row["model_name"], row["model_family"],
                row["hardware_type"], row["precision"], row["batch_size"], row["latency_median_ms"],
            )  # fmt: skip


def write_summaries(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    place = str(path).replace("'", "''")
    con.execute(f"COPY (FROM performance_results_all_view) TO '{place}' (FORMAT json)")


def write_sqlite(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """The view's rows as a table of the same columns, its narrower sister, and the indexes that the questions want."""
    found = con.execute("FROM performance_results_all_view")
    columns = [str(column[0]) for column in found.description or ()]
    with sqlite3.connect(path) as lite:
        lite.execute(f"CREATE TABLE results ({', '.join(columns)})")
        while rows := found.fetchmany(_AT_ONCE):
            lite.executemany(
                f"INSERT INTO results VALUES ({', '.join('?' * len(columns))})",
                [[_plain(value) for value in row] for row in rows],
            )
        lite.execute(
            "CREATE VIEW performance_results_view AS SELECT * FROM results"
            " WHERE outcome = 'ok' AND checked AND passed AND purpose = 'timing'"
        )
        lite.execute("CREATE INDEX newest ON results (machine_id, case_id, run_id)")
        lite.execute("CREATE INDEX families ON results (model_family, hardware_type)")
        lite.execute("CREATE INDEX batches ON results (run_id, model_name, hardware_type, precision, batch_size)")
        lite.execute("ANALYZE")


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value)
    return value if isinstance(value, int | float | str | None) else str(value)


def _timed(ask: Callable[[], Answer]) -> tuple[Answer, float]:
    began = time.perf_counter()
    found = ask()
    return found, time.perf_counter() - began
