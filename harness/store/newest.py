"""Which Run holds the newest verified result of each Case, machine by machine."""

from pathlib import Path

from harness.store.database import open_for_reading

_NEWEST = """
SELECT run_id, case_id FROM performance_results_view
QUALIFY row_number() OVER (PARTITION BY machine_id, case_id ORDER BY started_at DESC, run_id DESC) = 1
ORDER BY run_id, case_id
"""


def newest_points(path: Path) -> list[tuple[str, str]]:
    """(run_id, case_id). Raises UserMistake as `open_for_reading`."""
    with open_for_reading(path) as con:
        return [(str(run_id), str(case_id)) for run_id, case_id in con.execute(_NEWEST).fetchall()]
