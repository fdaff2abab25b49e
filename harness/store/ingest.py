"""Rows → tables. Writing the same thing twice is writing it once; each call is one transaction, all or nothing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb

from harness.core.nouns import Case, PlannedCase
from harness.core.rounds import CaseResult, Round, Run
from harness.store import rows
from harness.store.archived import archived_rounds
from harness.store.derived import keep_points, keep_results
from harness.store.rows import Metrics, Row

if TYPE_CHECKING:
    from harness.store.columns import Columns

Rows = dict[str, list[Row]]
_TYPES: dict[str, dict[str, str]] = {}
# From here on numpy columns are the faster way (measured: equal at 300 rows, six times faster at 30,000).
_MANY = 1000


def write_run(con: duckdb.DuckDBPyConnection, run: Run) -> None:
    """The Run, its Machine and its Plan; called again at the end, for `ended_at` and `interrupted`."""
    with _transaction(con):
        _write_run(con, run)
        keep_results(con, [run.run_id])


def write_round(con: duckdb.DuckDBPyConnection, one: Round, metrics: Metrics) -> None:
    """One Round with its Samples, summaries and metrics."""
    with _transaction(con):
        _write_rounds(con, [(one, metrics)])


def write_done(con: duckdb.DuckDBPyConnection, one: Round, metrics: Metrics, case: Case, result: CaseResult) -> None:
    """A finished Round and what its Case has come to, together: `write_round` and `write_result` in one transaction."""
    with _transaction(con):
        _write_rounds(con, [(one, metrics)])
        _write_results(con, [(case, result)])
        keep_results(con, [result.run_id], [result.case_id])


def write_result(con: duckdb.DuckDBPyConnection, case: Case, result: CaseResult) -> None:
    """What follows from a Case's Rounds so far. A Case that was not in the Plan (a schedule made it) is added to it."""
    with _transaction(con):
        _write_results(con, [(case, result)])
        keep_results(con, [result.run_id], [result.case_id])


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
        keep_points(con, [run_id])
        _write_results(con, results)
        keep_results(con, [run_id])


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
        keep_results(con, [run.run_id])


def append_columns(
    con: duckdb.DuckDBPyConnection, tables: "Mapping[str, Columns | Sequence[Row]]", run_ids: Sequence[str]
) -> None:
    """Whole tables as they will stand, as columns (or, small ones, as rows), of Runs that are not there yet.

    For a history that comes in bulk: nothing is looked up or replaced, so a key that is there already is an error. What
    is derived from results, Plans and Runs is added here.
    """
    from harness.store.columns import insert_columns

    with _transaction(con):
        for table, content in tables.items():
            if isinstance(content, Mapping):
                insert_columns(con, table, content, _types(con, table))
            else:
                _insert(con, table, content)
        keep_points(con, run_ids)
        keep_results(con, run_ids)


def forget_results(con: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """What an earlier sitting of the Run had come to: points that were decided then may be open now."""
    with _transaction(con):
        for table in ("results", "result_metrics"):
            con.execute(f"DELETE FROM {table} WHERE run_id = ?", [run_id])
        keep_results(con, [run_id])


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
    keep_points(con, [run.run_id])


def _write_rounds(con: duckdb.DuckDBPyConnection, rounds: Sequence[tuple[Round, Metrics]]) -> None:
    by_id = {one.round_id: (one, metrics) for one, metrics in rounds}
    archived = archived_rounds(con, list(by_id))  # asked before their summaries are taken away
    _rewrite(con, [rows.round_rows(one, metrics) for one, metrics in by_id.values()], ("round_id",))
    recent = [one for round_id, (one, _) in by_id.items() if round_id not in archived]
    _insert_lists(con, "recent_samples", rows.sample_columns(recent))


def _write_results(con: duckdb.DuckDBPyConnection, results: Sequence[tuple[Case, CaseResult]]) -> None:
    _plan_late(con, results)
    by_id = {(result.run_id, result.case_id): result for _, result in results}
    _rewrite(con, [rows.result_rows(result) for result in by_id.values()], ("run_id", "case_id"))


def _plan_late(con: duckdb.DuckDBPyConnection, results: Sequence[tuple[Case, CaseResult]]) -> None:
    """Cases that their Run did not plan, at the end of its Plan, in the order of their results."""
    keys = [[result.run_id for _, result in results], [result.case_id for _, result in results]]
    among = "(run_id, case_id) IN (SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]))"
    known = set(con.execute(f"SELECT run_id, case_id FROM planned_cases WHERE {among}", keys).fetchall())
    late = {
        (result.run_id, result.case_id): case
        for case, result in results
        if (result.run_id, result.case_id) not in known
    }
    for (run_id, _), case in late.items():
        last = con.execute("SELECT max(position) FROM planned_cases WHERE run_id = ?", [run_id]).fetchone()
        position = 0 if last is None or last[0] is None else last[0] + 1
        _insert(con, "cases", [rows.case_row(case)], replace=True)
        _insert(con, "planned_cases", [rows.planned_row(run_id, position, PlannedCase(case=case))], replace=True)
        keep_points(con, [run_id])


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
    if content:
        _insert_lists(con, table, {column: [row[column] for row in content] for column in content[0]}, replace)


def _insert_lists(
    con: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, list[Any]], replace: bool = False
) -> None:
    """All rows in one statement: a list per column, unnested; a statement per row is thirty times slower."""
    count = len(next(iter(columns.values())))
    if not count:
        return
    types = _types(con, table)
    if count >= _MANY:
        from harness.store.columns import columns_of, insert_columns  # here: numpy takes a while to import

        insert_columns(con, table, columns_of(columns, types), types, replace)
        return
    unnested = ", ".join(f"unnest(?::{types[column]}[])" for column in columns)
    verb = "INSERT OR REPLACE" if replace else "INSERT"
    con.execute(f"{verb} INTO {table} ({', '.join(columns)}) SELECT {unnested}", list(columns.values()))


def _types(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Column → type; asked once, since every database that is written to has the one newest schema."""
    if table not in _TYPES:  # a name from rows.py, never from outside
        described = con.execute(f"DESCRIBE {table}").fetchall()
        _TYPES[table] = {str(name): str(kind) for name, kind, *_ in described}
    return _TYPES[table]


def _unique(content: Sequence[Row], column: str) -> list[Row]:
    return list({row[column]: row for row in content}.values())
