"""Tables → a Run and what came of each of its Cases, also of the impossible ones."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from harness.core.noise import noise_lines
from harness.core.nouns import Case, Plan, PlannedCase
from harness.core.rounds import CaseResult, Run, Verdict, reused_result
from harness.store.database import open_for_reading
from harness.store.derived import NOT_MEASURED
from harness.store.naming import pick_run
from harness.store.rows import from_utc

_OURS = ("machine", "checked", "passed", "latency_ci95_low_ms", "latency_ci95_high_ms")


def read_run(path: Path, run_id: str | None = None) -> tuple[Run, list[tuple[Case, CaseResult]]]:
    """A Run by its id or an unambiguous beginning of it (None or `last`: the newest), and one result per planned Case.

    A Case that is impossible by the Plan is `unsupported`; one that the Run never got to is `failed: not_measured`.
    One that reused another Run's result has that result, and says so.
    Raises UserMistake: no_runs, unknown_run (with the nearest), ambiguous_run, and those of `open_for_reading`.
    """
    with open_for_reading(path) as con:
        full_id = pick_run(_ids(con), run_id)
        results, metrics = _results(con, full_id), _metrics(con, full_id)
        planned = [
            (
                PlannedCase(
                    case=Case.model_validate_json(asked),
                    outcome=outcome,
                    reason=reason,
                    versions=None if versions is None else json.loads(versions),
                    reused_from=reused_from,
                ),
                case_id,
            )
            for asked, case_id, outcome, reason, versions, reused_from in con.execute(
                "SELECT asked, case_id, outcome, reason, versions, reused_from"
                " FROM planned_cases WHERE run_id = ? ORDER BY position",
                [full_id],
            ).fetchall()
        ]
        run = _run(con, full_id, tuple(one for one, _ in planned))
        elsewhere = read_results(con, {case_id: one.reused_from for one, case_id in planned if one.reused_from})
    pairs = []
    for one, case_id in planned:
        if one.reused_from is not None:
            pairs.append((one.case, reused_result(full_id, one, elsewhere.get(case_id))))
            continue
        row = results.get(case_id)
        found = _without_rounds(full_id, one, case_id) if row is None else _result(row, metrics.get(case_id, {}))
        pairs.append((one.case, found))
    return run, pairs


def read_results(con: duckdb.DuckDBPyConnection, wanted: Mapping[str, str]) -> dict[str, CaseResult]:
    """case_id → its result in the Run that `wanted` names for it; what is not there is left out."""
    found: dict[str, CaseResult] = {}
    for run_id in sorted(set(wanted.values())):
        results, metrics = _results(con, run_id), _metrics(con, run_id)
        for case_id, row in results.items():
            if wanted.get(case_id) == run_id:
                result = _result(row, metrics.get(case_id, {}))
                noise = (f"in run {run_id}, {line}" for line in noise_lines(json.loads(row["machine"])))
                found[case_id] = result.model_copy(update={"doubts": (*result.doubts, *noise)})
    return found


def run_ids(path: Path) -> list[str]:
    """All Runs of the database, the newest first; those that a verb made by itself, or imported, come last."""
    with open_for_reading(path) as con:
        return _ids(con)


def known_run_ids(path: Path) -> set[str]:
    """The same where there may be no database yet: then there are none."""
    return set(run_ids(path)) if path.is_file() else set()


def imported_as(con: duckdb.DuckDBPyConnection, sha256: str) -> list[str]:
    """The imported Runs that were read from files of this content."""
    found = con.execute(
        "SELECT run_id FROM runs WHERE (policy->>'origin') = 'imported' AND (machine->'imported'->>'sha256') = ?"
        " ORDER BY run_id",
        [sha256],
    ).fetchall()
    return [str(row[0]) for row in found]


def _ids(con: duckdb.DuckDBPyConnection) -> list[str]:
    found = con.execute(
        "SELECT run_id FROM runs ORDER BY coalesce(policy->>'origin', 'asked') <> 'asked', started_at DESC, run_id DESC"
    ).fetchall()
    return [str(row[0]) for row in found]


def _run(con: duckdb.DuckDBPyConnection, run_id: str, cases: tuple[PlannedCase, ...]) -> Run:
    row = con.execute(
        "SELECT started_at, ended_at, command, machine, policy, interrupted, resumed_at FROM runs WHERE run_id = ?",
        [run_id],
    ).fetchone()
    if row is None:
        raise LookupError(run_id)
    started_at, ended_at, command, machine, policy, interrupted, resumed_at = row
    return Run(
        run_id=run_id,
        started_at=from_utc(started_at),
        ended_at=from_utc(ended_at) if ended_at else None,
        command=command,
        machine=json.loads(machine),
        plan=Plan.model_validate({"cases": cases, "policy": json.loads(policy)}),
        interrupted=interrupted,
        resumed_at=tuple(resumed_at or ()),
    )


def _results(con: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, dict[str, Any]]:
    found = con.execute(
        "SELECT results.*, began.measured_at, runs.machine FROM results JOIN runs USING (run_id) LEFT JOIN ("
        " SELECT case_id, min(started_at) AS measured_at FROM rounds WHERE run_id = ? GROUP BY case_id"
        ") AS began USING (case_id) WHERE results.run_id = ?",
        [run_id, run_id],
    )
    columns = [str(column[0]) for column in found.description or ()]
    rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
    return {row["case_id"]: row for row in rows}


def _metrics(con: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, dict[str, float | None]]:
    table: dict[str, dict[str, float | None]] = {}
    found = con.execute(
        "SELECT case_id, metric, value FROM result_metrics WHERE run_id = ? ORDER BY case_id, metric", [run_id]
    )
    for case_id, metric, value in found.fetchall():
        table.setdefault(case_id, {})[metric] = value
    return table


def _result(row: dict[str, Any], metrics: dict[str, float | None]) -> CaseResult:
    low, high = row["latency_ci95_low_ms"], row["latency_ci95_high_ms"]
    fields = {
        **{key: value for key, value in row.items() if key not in _OURS},
        "latency_ci95_ms": None if low is None else (low, high),
        "correct": Verdict.model_validate_json(row["correct"]) if row["correct"] else None,
        "clock": json.loads(row["clock"]),
        "measured_at": from_utc(row["measured_at"]) if row["measured_at"] else None,
        "metrics": metrics,
    }
    return CaseResult.model_validate(fields)


def _without_rounds(run_id: str, planned: PlannedCase, case_id: str) -> CaseResult:
    if planned.outcome:
        return CaseResult(run_id=run_id, case_id=case_id, outcome=planned.outcome, reason=planned.reason)
    return CaseResult(run_id=run_id, case_id=case_id, outcome="failed", code="not_measured", reason=NOT_MEASURED)
