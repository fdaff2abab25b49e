"""A small database as the harness that is on PYTHONPATH writes it: `python tests/store/old/write.py VERSION FILE`.

Each file of this folder was written with the code of the last commit that had that schema (1: c7e426d, 2: 05f32d6,
3: 1c6bd6b, 4: 49c5049), by DuckDB 2.0.0 (storage v2.0.0+), and one by DuckDB 1.4.0 (storage v1.0.0+), the oldest that
may be installed; then packed with gzip.
"""

import sys
from pathlib import Path

import duckdb

from harness import catalog
from harness.core.nouns import PlannedCase
from harness.measure.results import case_result
from harness.store.database import open_for_writing
from harness.store.ingest import ingest_run
from tests.store.made_up import case, round_of, run


def write(version: int, path: Path) -> None:
    """One Case that is ok in three Rounds, one that failed in one of two, one that is impossible."""
    computed = {name: metric.compute for name, metric in catalog.metrics().items()}
    good, bad = case(), case("wasm", batch_size=4)
    impossible = PlannedCase(case=case("cuda"), outcome="unsupported", reason="no CUDA device")
    made = run(PlannedCase(case=good), PlannedCase(case=bad), impossible, run_id=f"20260102-version-{version}")
    made = made.model_copy(update={"ended_at": "2026-01-02T03:05:00+00:00"})
    key = {"run_id": made.run_id}
    crash = {"outcome": "failed", "code": "crashed", "reason": "SIGSEGV in warm", "stopped_by": None, "verdict": None}
    each = [
        (good, [round_of(good, number, tuple(number + i / 8 for i in range(8)), **key) for number in (1, 2, 3)]),
        (bad, [round_of(bad, 1, (5.0, 6.0), **key), round_of(bad, 2, (), **key, **crash)]),
    ]
    with_metrics = [
        (one, {name: value for name, compute in computed.items() if (value := compute([one], of)) is not None})
        for of, rounds in each
        for one in rounds
    ]
    results = [(of, case_result(made.run_id, of, rounds, computed)) for of, rounds in each]
    with open_for_writing(path) as con:
        ingest_run(con, made, with_metrics, results)


if __name__ == "__main__":
    write(int(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.write(f"DuckDB {duckdb.__version__}\n")
