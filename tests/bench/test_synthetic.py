"""The synthetic history says that it is one, and what is asked of it has one answer whichever way it is asked."""

from pathlib import Path

import duckdb
import pytest

from harness.core.errors import HarnessError
from harness.steps.recording import rebuild
from harness.store.journal import journal_path
from tests.bench import scale_process
from tests.bench.rivals import QUESTIONS
from tests.bench.sections.scale import check_same
from tests.bench.synthetic import ROUNDS_PER_RUN, Synthetic
from tests.bench.synthetic_journal import journal_lines

HISTORY = Synthetic(3 * ROUNDS_PER_RUN, seed=5)


@pytest.fixture(scope="module")
def bulk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synthetic") / "bulk.duckdb"
    HISTORY.write(path)
    return path


def test_it_is_labelled_and_never_joins_another_database(bulk: Path) -> None:
    with duckdb.connect(str(bulk), read_only=True) as con:
        told = con.execute("SELECT command, machine_id, machine->>'synthetic', run_id FROM runs").fetchall()
        assert con.execute("SELECT count(*) FROM rounds").fetchall() == [(HISTORY.rounds,)]
    assert len(told) == 3
    assert all(
        command.startswith("synthetic") and machine.startswith("synthetic") and flag == "true" and "synthetic" in run_id
        for command, machine, flag, run_id in told
    )
    with pytest.raises(FileExistsError):
        HISTORY.write(bulk)


def test_the_same_seed_makes_the_same_history(bulk: Path, tmp_path: Path) -> None:
    for name, seed in (("again", 5), ("other", 6)):
        Synthetic(HISTORY.rounds, seed).write(tmp_path / f"{name}.duckdb")
    with duckdb.connect(str(bulk), read_only=True) as con:
        for name, same in (("again", True), ("other", False)):
            con.execute(f"ATTACH '{tmp_path / name}.duckdb' AS {name} (READ_ONLY)")
            found = con.execute(f"SELECT count(*) FROM (FROM samples EXCEPT FROM {name}.samples)").fetchall()
            assert (found == [(0,)]) is same


def test_what_the_harness_computes_from_its_journal_is_what_it_holds(bulk: Path, tmp_path: Path) -> None:
    """The vectorised summaries against those of a real rebuild from the same Samples."""
    database = tmp_path / "h.duckdb"
    journal_path(database, "x").parent.mkdir()
    for run_id, lines in journal_lines(HISTORY):
        journal_path(database, run_id).write_bytes(b"\n".join(lines) + b"\n")
    assert rebuild(database, lambda text: pytest.fail(text)) == 3
    with duckdb.connect(str(bulk), read_only=True) as con:
        con.execute(f"ATTACH '{database}' AS real (READ_ONLY)")
        for table in ("samples", "rounds", "phases", "memory", "cases", "planned_cases", "runs"):
            columns = "* EXCLUDE (asked)" if table == "planned_cases" else "*"
            if table == "cases":  # the rebuilt one has those of its Runs only
                sql = "SELECT count(*) FROM (FROM real.cases EXCEPT FROM cases)"
            else:
                sql = f"SELECT count(*) FROM (SELECT {columns} FROM {table} EXCEPT SELECT {columns} FROM real.{table})"
            assert con.execute(sql).fetchall() == [(0,)], table
        far = con.execute(
            "SELECT max(abs(a.median_ns / b.median_ns - 1)), max(abs(a.mean_ns / b.mean_ns - 1)),"
            " max(abs(a.mad_ns / b.mad_ns - 1)), max(abs(a.p95_ns / b.p95_ns - 1)), count(*)"
            " FROM summaries AS a JOIN real.summaries AS b USING (round_id, phase, clock)"
        ).fetchall()[0]
        assert max(far[:4]) < 1e-12 and far[4] > 1000
        views = con.execute(
            "SELECT max(abs(a.latency_median_ms / b.latency_median_ms - 1)), count(*)"
            " FROM performance_results_view AS a JOIN real.performance_results_view AS b USING (run_id, case_id)"
            " WHERE a.slug = b.slug AND a.started_at = b.started_at"
        ).fetchall()[0]
        assert views[0] < 1e-12 and views[1] > 400


def test_four_ways_give_the_same_answers(bulk: Path, tmp_path: Path) -> None:
    raw, lines, lite = (str(tmp_path / name) for name in ("raw.jsonl", "results.jsonl", "h.sqlite"))
    scale_process.journal(str(HISTORY.rounds), "5", raw)
    scale_process.results(str(bulk), lines, lite)
    ours = scale_process.duckdb(str(bulk))["answers"]
    assert set(ours) == set(QUESTIONS)
    for way, found in (
        ("raw", scale_process.raw_json(raw)),
        ("summaries", scale_process.summaries_json(lines)),
        ("sqlite", scale_process.sqlite(lite)),
    ):
        check_same(way, ours, found["answers"])
    wrong = {**ours, QUESTIONS[1]: {**ours[QUESTIONS[1]], "audio|cpu": 1.0}}
    with pytest.raises(HarnessError, match="by raw"):
        check_same("raw", ours, wrong)
