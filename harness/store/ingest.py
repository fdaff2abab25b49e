"""Rows → tables. Writing the same thing twice is writing it once; each call is one transaction, all or nothing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb

from harness.core.nouns import Case, PlannedCase
from harness.core.rounds import CaseResult, Round, Run
from harness.store import rows
from harness.store.archived import archived_rounds
from harness.store.database import refresh_views
from harness.store.rows import Metrics, Row

Rows = dict[str, list[Row]]
_TYPES: dict[str, dict[str, str]] = {}


def write_run(con: duckdb.DuckDBPyConnection, run: Run) -> None:
    """The Run, its Machine and its Plan; called again at the end, for `ended_at` and `interrupted`."""
    with _transaction(con):
        _write_run(con, run)


def write_round(con: duckdb.DuckDBPyConnection, one: Round, metrics: Metrics) -> None:
    """One Round with its Samples, summaries and metrics."""
    with _transaction(con):
        _write_rounds(con, [(one, metrics)])


def write_done(con: duckdb.DuckDBPyConnection, one: Round, metrics: Metrics, case: Case, result: CaseResult) -> None:
    """A finished Round and what its Case has come to, together: `write_round` and `write_result` in one transaction."""
    with _transaction(con):
        _write_rounds(con, [(one, metrics)])
        _write_results(con, [(case, result)])


def write_result(con: duckdb.DuckDBPyConnection, case: Case, result: CaseResult) -> None:
    """What follows from a Case's Rounds so far. A Case that was not in the Plan (a schedule made it) is added to it."""
    with _transaction(con):
        _write_results(con, [(case, result)])


def write_points(
    con: duckdb.DuckDBPyConnection,
    run_id: str,
    points: Mapping[int, PlannedCase],
    results: Sequence[tuple[Case, CaseResult]],
) -> None:
    """Points of a Run's Plan as they are by now, by their places in it, and what they have come to."""
    with _transaction(con):
        planned = [rows.planned_row(run_id, position, one) for position, one in points.items()]
        _insert(con, "planned_cases", planned, replace=True)
        _write_results(con, results)


def ingest_run(
    con: duckdb.DuckDBPyConnection,
    run: Run,
    rounds_with_metrics: Sequence[tuple[Round, Metrics]],
    results: Sequence[tuple[Case, CaseResult]],
) -> None:
    """A whole Run at once, as `db rebuild` needs it: the same rows as the three calls above, in one transaction."""
    with _transaction(con):
        _write_run(con, run)
        _write_rounds(con, rounds_with_metrics)
        _write_results(con, results)


def forget_results(con: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """What an earlier sitting of the Run had come to: points that were decided then may be open now."""
    with _transaction(con):
        for table in ("results", "result_metrics"):
            con.execute(f"DELETE FROM {table} WHERE run_id = ?", [run_id])


@contextmanager
def _transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    con.execute("BEGIN")
    try:
        yield
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise


def _write_run(con: duckdb.DuckDBPyConnection, run: Run) -> None:
    planned = [rows.planned_row(run.run_id, position, one) for position, one in enumerate(run.plan.cases)]
    _insert(con, "machines", [rows.machine_row(run)], replace=True)
    _insert(con, "runs", [rows.run_row(run)], replace=True)
    _insert(con, "cases", _unique([rows.case_row(one.case) for one in run.plan.cases], "case_id"), replace=True)
    _insert(con, "planned_cases", planned, replace=True)


def _write_rounds(con: duckdb.DuckDBPyConnection, rounds: Sequence[tuple[Round, Metrics]]) -> None:
    by_id = {one.round_id: (one, metrics) for one, metrics in rounds}
    archived = archived_rounds(con, list(by_id))
    groups = [rows.round_rows(one, metrics) for one, metrics in by_id.values()]
    _rewrite(
        con,
        [_but_samples(each) if each["rounds"][0]["round_id"] in archived else each for each in groups],
        ("round_id",),
    )


def _but_samples(group: Rows) -> Rows:
    return {**group, "recent_samples": []}


def _write_results(con: duckdb.DuckDBPyConnection, results: Sequence[tuple[Case, CaseResult]]) -> None:
    for case, result in results:
        _plan_late(con, case, result.run_id)
    by_id = {(result.run_id, result.case_id): result for _, result in results}
    _rewrite(con, [rows.result_rows(result) for result in by_id.values()], ("run_id", "case_id"))
    names = {name for result in by_id.values() for name in result.metrics}
    if names - _view_columns(con):
        refresh_views(con, names)


def _plan_late(con: duckdb.DuckDBPyConnection, case: Case, run_id: str) -> None:
    known = con.execute(
        "SELECT count(*) FILTER (WHERE case_id = ?), coalesce(max(position) + 1, 0)"
        " FROM planned_cases WHERE run_id = ?",
        [case.case_id, run_id],
    ).fetchone()
    if known and not known[0]:
        _insert(con, "cases", [rows.case_row(case)], replace=True)
        _insert(con, "planned_cases", [rows.planned_row(run_id, known[1], PlannedCase(case=case))], replace=True)


def _view_columns(con: duckdb.DuckDBPyConnection) -> set[str]:
    described = con.execute("DESCRIBE performance_results_all_view").fetchall()
    return {str(row[0]) for row in described}


def _rewrite(con: duckdb.DuckDBPyConnection, groups: Sequence[Rows], key: tuple[str, ...]) -> None:
    """Replace everything that has the groups' keys, in all their tables."""
    together: dict[str, list[Row]] = {}
    for group in groups:
        for table, more in group.items():
            together.setdefault(table, []).extend(more)
    heads = next(iter(together.values()), [])
    keys = [[head[column] for head in heads] for column in key]
    unnested = ", ".join("unnest(?::VARCHAR[])" for _ in key)
    among = f"WHERE ({', '.join(key)}) IN (SELECT {unnested})"
    head = next(iter(together), None)
    # A new Round, which is the rule, has nothing to delete: seven statements saved.
    is_known = head is not None and con.execute(f"SELECT 1 FROM {head} {among} LIMIT 1", keys).fetchone() is not None
    for table, content in together.items():
        if is_known:
            con.execute(f"DELETE FROM {table} {among}", keys)
        _insert(con, table, content)


def _insert(con: duckdb.DuckDBPyConnection, table: str, content: Sequence[Row], replace: bool = False) -> None:
    """All rows in one statement: a list per column, unnested; a statement per row is thirty times slower."""
    if not content:
        return
    types = _types(con, table)
    columns = list(content[0])
    unnested = ", ".join(f"unnest(?::{types[column]}[])" for column in columns)
    verb = "INSERT OR REPLACE" if replace else "INSERT"
    con.execute(
        f"{verb} INTO {table} ({', '.join(columns)}) SELECT {unnested}",
        [[row[column] for row in content] for column in columns],
    )


def _types(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Column → type; asked once, since every database that is written to has the one newest schema."""
    if table not in _TYPES:  # a name from rows.py, never from outside
        described = con.execute(f"DESCRIBE {table}").fetchall()
        _TYPES[table] = {str(name): str(kind) for name, kind, *_ in described}
    return _TYPES[table]


def _unique(content: Sequence[Row], column: str) -> list[Row]:
    return list({row[column]: row for row in content}.values())
