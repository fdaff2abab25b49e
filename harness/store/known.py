"""What is known already: the results that a database holds of some Cases on one machine."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from harness.core.noise import was_quiet
from harness.core.nouns import Purpose
from harness.core.rounds import CaseResult, KnownResult
from harness.store.database import open_for_reading
from harness.store.results import read_results
from harness.store.rows import from_utc

# A result without Rounds was never measured: it was known by its Plan. `asked` has a Case once per Run.
_KNOWN = """
WITH asked AS (
    SELECT run_id, case_id, any_value(versions) AS versions FROM planned_cases
    WHERE reused_from IS NULL AND case_id IN (SELECT unnest(?::VARCHAR[])) GROUP BY run_id, case_id
), done AS (
    SELECT run_id, case_id, count(*) FILTER (WHERE outcome = 'ok') AS rounds_ok, min(started_at) AS measured_at,
        count(DISTINCT runtime::VARCHAR) FILTER (WHERE outcome = 'ok') AS runtimes
    FROM rounds WHERE purpose = ? GROUP BY run_id, case_id
)
SELECT asked.case_id, asked.run_id, results.outcome, done.rounds_ok, done.measured_at, runs.policy, asked.versions,
    done.runtimes, runs.machine
FROM asked JOIN runs USING (run_id) JOIN results USING (run_id, case_id) JOIN done USING (run_id, case_id)
WHERE runs.machine_id = ?
ORDER BY done.measured_at DESC, asked.run_id DESC
"""


def known_results(
    path: Path, case_ids: Collection[str], machine_id: str, purpose: Purpose = "timing"
) -> dict[str, list[KnownResult]]:
    """case_id → what Rounds of that purpose really came to on this machine, the newest first.

    Raises UserMistake as `open_for_reading`.
    """
    known: dict[str, list[KnownResult]] = {}
    with open_for_reading(path) as con:
        found = con.execute(_KNOWN, [list(case_ids), purpose, machine_id]).fetchall()
    for case_id, run_id, outcome, rounds_ok, measured_at, policy, versions, runtimes, machine in found:
        asked = json.loads(policy)
        known.setdefault(case_id, []).append(
            KnownResult(
                run_id=run_id,
                case_id=case_id,
                outcome=outcome,
                rounds_ok=rounds_ok,
                measured_at=from_utc(measured_at),
                rounds_planned=asked["rounds"],
                budget_ns=asked["budget_ns"],
                versions=None if versions is None else json.loads(versions),
                runtimes=runtimes,
                quiet=was_quiet(json.loads(machine)),
            )
        )
    return known


def stored_results(path: Path, wanted: Mapping[str, str]) -> dict[str, CaseResult]:
    """case_id → its result in the Run that `wanted` names for it; what is no longer there is left out."""
    with open_for_reading(path) as con:
        return read_results(con, wanted)
