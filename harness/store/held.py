"""What a database holds of each Run, in a form that can be laid beside its journal."""

from datetime import datetime
from typing import NamedTuple

import duckdb

from harness.core.rounds import Round
from harness.store.rows import as_utc

_PER_ROUND = """
CREATE TEMP TABLE samples_per_round AS
SELECT round_id, count(*) AS n, sum(duration_ns) AS duration_ns FROM {samples} GROUP BY round_id
"""
_ROUNDS = """
SELECT rounds.round_id, outcome, number, rounds.started_at, coalesce(n, 0), coalesce(duration_ns, 0),
    coalesce(phased.phases, 0), coalesce(phased.total, 0)
FROM rounds LEFT JOIN samples_per_round USING (round_id) LEFT JOIN (
    SELECT round_id, count(*) AS phases, sum(duration_ns) AS total FROM phases GROUP BY round_id
) AS phased USING (round_id)
WHERE run_id = ?
"""


class Counted(NamedTuple):
    """A Round in numbers: what two that are not the same hardly have in common."""

    outcome: str
    number: int
    started_at: datetime
    samples: int
    samples_ns: int
    phases: int
    phases_ns: int


class Held:
    """A database that is open for reading; counts the samples of every Round once."""

    def __init__(self, con: duckdb.DuckDBPyConnection, with_samples: bool) -> None:
        """Where the archive cannot be read, only the table is counted, and samples are not to be compared."""
        self._con = con
        self.with_samples = with_samples
        con.execute(_PER_ROUND.format(samples="samples" if with_samples else "recent_samples"))

    def run_ids(self) -> set[str]:
        return {str(row[0]) for row in self._con.execute("SELECT run_id FROM runs").fetchall()}

    def rounds(self, run_id: str) -> dict[str, Counted]:
        """round_id → its numbers."""
        rows = self._con.execute(_ROUNDS, [run_id]).fetchall()
        return {str(row[0]): self.comparable(Counted(*row[1:])) for row in rows}

    def end(self, run_id: str) -> tuple[datetime | None, bool] | None:
        """When the Run ended, and whether it was interrupted."""
        row = self._con.execute("SELECT ended_at, interrupted FROM runs WHERE run_id = ?", [run_id]).fetchone()
        return None if row is None else (row[0], bool(row[1]))

    def round_metrics(self, run_id: str) -> dict[str, dict[str, float]]:
        rows = self._con.execute(
            "SELECT round_id, metric, value FROM round_metrics JOIN rounds USING (round_id) WHERE run_id = ?", [run_id]
        ).fetchall()
        found: dict[str, dict[str, float]] = {}
        for round_id, metric, value in rows:
            found.setdefault(round_id, {})[metric] = value
        return found

    def comparable(self, one: Counted) -> Counted:
        return one if self.with_samples else one._replace(samples=0, samples_ns=0)


def counted(one: Round) -> Counted:
    """A Round as its journal tells it."""
    durations = [duration for batch in one.samples for duration in batch.durations_ns]
    return Counted(
        outcome=one.outcome, number=one.number, started_at=as_utc(one.started_at), samples=len(durations),
        samples_ns=sum(durations), phases=len(one.phases), phases_ns=sum(one.phases.values()),
    )  # fmt: skip
