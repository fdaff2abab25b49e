"""Tables → the history of Cases: their Rounds in all Runs on a machine, and what they came to Run by Run."""

import json
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import duckdb

from harness.core.history import PastResult, PastRound
from harness.core.rounds import Verdict
from harness.core.units import ms
from harness.store.database import open_for_reading
from harness.store.rows import as_utc, from_utc

# A Plan names a Case once, but a schedule that made it may have named it late: `asked` has it once per Run.
_ASKED = """
asked AS (
    SELECT run_id, case_id, any_value(versions) AS versions, any_value(slug) AS slug FROM planned_cases
    WHERE reused_from IS NULL GROUP BY run_id, case_id
)
"""
_ROUNDS = f"""
WITH {_ASKED}
SELECT rounds.round_id, rounds.run_id, rounds.case_id, rounds.number, rounds.started_at, rounds.outcome, rounds.code,
    rounds.runtime, asked.versions, rounds.provenance
FROM rounds JOIN runs USING (run_id) LEFT JOIN asked USING (run_id, case_id)
WHERE runs.machine_id = ? AND rounds.run_id <> ? AND rounds.purpose = 'timing'
    AND rounds.case_id IN (SELECT unnest(?::VARCHAR[]))
ORDER BY rounds.started_at, rounds.round_id
"""
_OF_ROUNDS = "round_id IN (SELECT unnest(?::VARCHAR[]))"
_MEDIANS = f"SELECT round_id, clock, median_ns FROM summaries WHERE phase = 'sample' AND {_OF_ROUNDS}"
_VERDICTS = f"SELECT * FROM verdicts WHERE {_OF_ROUNDS}"
_RESULTS = f"""
WITH {_ASKED}
SELECT results.case_id, asked.slug, runs.machine_id, runs.run_id, runs.started_at, results.clock, value,
    asked.versions, results.runtime, results.browser_version
FROM results JOIN runs USING (run_id) JOIN asked USING (run_id, case_id)
    JOIN result_metrics ON result_metrics.run_id = results.run_id AND result_metrics.case_id = results.case_id
        AND metric = 'latency_median_ms'
WHERE results.outcome = 'ok' AND value > 0 AND coalesce(runs.policy->>'origin', 'asked') <> 'imported'
     AND (?::TIMESTAMP IS NULL OR runs.started_at >= ?::TIMESTAMP)
ORDER BY runs.started_at, runs.run_id, asked.slug
"""


def past_rounds(path: Path, case_ids: Collection[str], machine_id: str, but_run: str) -> list[PastRound]:
    """All Rounds that timed these Cases on that machine in other Runs than `but_run`, the oldest first.

    Raises UserMistake as `open_for_reading`.
    """
    with open_for_reading(path) as con:
        rows = con.execute(_ROUNDS, [machine_id, but_run, list(case_ids)]).fetchall()
        ids = [str(row[0]) for row in rows]
        medians: dict[str, dict[str, float]] = {}
        for round_id, clock, median_ns in con.execute(_MEDIANS, [ids]).fetchall():
            medians.setdefault(round_id, {})[clock] = ms(median_ns)
        verdicts = _verdicts(con, ids)
    return [
        PastRound(
            round_id=round_id,
            run_id=run_id,
            case_id=case_id,
            number=number,
            started_at=from_utc(started_at),
            outcome=outcome,
            code=code,
            runtime=json.loads(runtime),
            versions=None if versions is None else json.loads(versions),
            artifact=_artifact(provenance),
            verdict=verdicts.get(round_id),
            medians_ms=medians.get(round_id, {}),
        )
        for round_id, run_id, case_id, number, started_at, outcome, code, runtime, versions, provenance in rows
    ]


def past_results(path: Path, since: str | None = None) -> list[PastResult]:
    """Every ok result with a latency, the oldest Run first; `since`: ISO 8601, of Runs that began then or later.

    What a Run reused is not there twice: it was measured once. Raises UserMistake as `open_for_reading`.
    """
    after: datetime | None = None if since is None else as_utc(since)
    with open_for_reading(path) as con:
        rows = con.execute(_RESULTS, [after, after]).fetchall()
    return [
        PastResult(
            case_id=case_id,
            slug=slug,
            machine_id=machine_id,
            run_id=run_id,
            started_at=from_utc(started_at),
            clock=json.loads(clock).get("verdict"),
            latency_ms=value,
            versions=None if versions is None else json.loads(versions),
            runtime=runtime,
            browser_version=browser_version,
        )
        for case_id, slug, machine_id, run_id, started_at, clock, value, versions, runtime, browser_version in rows
    ]


def machine_of(path: Path, run_id: str) -> str:
    """The machine that the Run was made on, as the database calls it. Raises LookupError for an unknown Run."""
    with open_for_reading(path) as con:
        row = con.execute("SELECT machine_id FROM runs WHERE run_id = ?", [run_id]).fetchone()
    if row is None:
        raise LookupError(run_id)
    return str(row[0])


def _verdicts(con: duckdb.DuckDBPyConnection, round_ids: list[str]) -> dict[str, Verdict]:
    found = con.execute(_VERDICTS, [round_ids])
    columns = [str(column[0]) for column in found.description or ()]
    rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
    return {row.pop("round_id"): Verdict.model_validate(row) for row in rows}


def _artifact(provenance: str) -> str | None:
    artifact = json.loads(provenance).get("artifact")
    return artifact if isinstance(artifact, str) else None
