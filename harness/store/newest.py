"""Which Run holds the newest verified result of each Case, machine by machine."""

from pathlib import Path

from harness.store.database import open_for_reading
from harness.store.query import named_queries


def newest_points(path: Path) -> list[tuple[str, str]]:
    """(run_id, case_id). Raises UserMistake as `open_for_reading`."""
    latest = named_queries()["latest"].rstrip().removesuffix(";")
    with open_for_reading(path) as con:
        rows = con.execute(f"SELECT run_id, case_id FROM (\n{latest}\n) ORDER BY run_id, case_id").fetchall()
    return [(str(run_id), str(case_id)) for run_id, case_id in rows]
