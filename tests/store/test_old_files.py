"""Databases that the harness of each schema really wrote (see old/write.py): each is brought forward, same answers."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from harness.core.errors import UserMistake
from harness.steps.checking import check_database
from harness.store.archive import archive
from harness.store.database import open_for_writing
from harness.store.ingest import ingest_run
from harness.store.migrations import MIGRATIONS, SCHEMA_VERSION
from harness.store.query import run_query
from harness.store.results import read_run
from harness.store.rows import as_utc
from tests.store.made_up import case, round_of, run

FILES = sorted((Path(__file__).parent / "old").glob("*.duckdb.gz"))
RESULTS = """SELECT hardware_type, outcome, code, reason, latency_median_ms, samples, load_ms, batch_size, rounds,
    rounds_failed, slug FROM performance_results_all_view ORDER BY hardware_type"""
# What was written: medians of 1.4375, 2.4375 and 3.4375 ms; rounds of 8 samples each, one of 2.
MEDIAN_MS = (1.4375 * 2.4375 * 3.4375) ** (1 / 3)
DURATIONS_NS = (8 * (1 + 2 + 3) + 3 * 28 / 8 + 5 + 6) * 1_000_000
READING = """
import sys
from pathlib import Path
from harness.store.results import read_run
print(read_run(Path(sys.argv[1]))[0].run_id)
"""


@pytest.fixture(
    params=[  # from the oldest on, every step is taken
        pytest.param(file, marks=[pytest.mark.long] * (file not in (FILES[0], FILES[-1])), id=file.name)
        for file in FILES
    ]
)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "harness.duckdb"
    path.write_bytes(gzip.decompress(request.param.read_bytes()))
    return path


def version_of(file: Path) -> int:
    return int(file.name.split("_")[1][0])


def plain(path: Path, sql: str) -> list[tuple[object, ...]]:
    """As DuckDB alone tells it."""
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(sql).fetchall()


def test_every_released_version_has_a_file_that_is_what_it_is_called(tmp_path: Path) -> None:
    assert {version_of(file) for file in FILES} >= set(range(1, 5))
    for file in FILES:
        path = tmp_path / file.stem
        path.write_bytes(gzip.decompress(file.read_bytes()))
        assert plain(path, "FROM schema_version") == [(version_of(file),)]


def test_a_query_finds_the_same_answers(old: Path) -> None:
    _, rows = run_query(old, RESULTS)
    cpu, cuda, wasm = rows
    assert cpu[:4] == ["cpu", "ok", None, None]
    assert cpu[4:10] == [pytest.approx(MEDIAN_MS), 24, 5, 1, 3, 0]
    assert cuda[:5] == ["cuda", "unsupported", None, "no CUDA device", None]
    assert wasm[:4] == ["wasm", "failed", "crashed", "SIGSEGV in warm"]
    assert wasm[4:10] == [5.5, 2, 5, 4, 2, 1]
    assert run_query(old, "SELECT count(*), sum(duration_ns) FROM samples")[1] == [[26, DURATIONS_NS]]
    assert run_query(old, "SELECT max(version) FROM schema_version")[1] == [[SCHEMA_VERSION]]


def test_show_reads_it_and_it_agrees_with_itself(old: Path) -> None:
    run, pairs = read_run(old, "last")
    assert run.run_id.startswith("20260102-version-")
    assert run.ended_at == "2026-01-02T03:05:00+00:00"
    assert [result.outcome for _, result in pairs] == ["ok", "failed", "unsupported"]
    assert pairs[0][1].metrics["latency_median_ms"] == pytest.approx(MEDIAN_MS)
    findings = check_database(old, everything=True)["findings"]
    assert [one for one in findings if one["wrong"]] == []


def test_it_has_the_tables_and_views_of_a_new_one(old: Path, tmp_path: Path) -> None:
    columns = """SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns()
        WHERE NOT internal ORDER BY ALL"""
    new = tmp_path / "new.duckdb"
    open_for_writing(new).close()
    open_for_writing(old).close()
    # A database that holds measurements has a column for each metric that occurs.
    views = "performance_results"  # what they all begin with
    told, expected = plain(old, columns), plain(new, columns)
    assert [row for row in told if not str(row[0]).startswith(views)] == [
        row for row in expected if not str(row[0]).startswith(views)
    ]
    assert {row for row in expected if str(row[0]).startswith(views)} <= set(told)


def test_it_goes_on_being_written_and_archived(old: Path) -> None:
    one = round_of(case(), 9, (7.0,), run_id="new")
    with open_for_writing(old) as con:
        ingest_run(con, run(run_id="new"), [(one, {"samples": 1.0})], [])
    assert archive(old, as_utc("2026-02-01")).samples == 27
    assert run_query(old, "SELECT count(*), sum(duration_ns) FROM samples")[1] == [[27, DURATIONS_NS + 7_000_000]]


def test_a_step_that_fails_half_way_leaves_it_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = "SELECT table_name, sql FROM duckdb_tables() ORDER BY ALL"
    version, before = plain(old, "FROM schema_version"), plain(old, tables)
    view = plain(old, "FROM performance_results_all_view ORDER BY ALL")
    last = (*MIGRATIONS[SCHEMA_VERSION], "ALTER TABLE nowhere ADD COLUMN x INTEGER")
    with monkeypatch.context() as changed:
        changed.setitem(MIGRATIONS, SCHEMA_VERSION, last)
        with pytest.raises(UserMistake) as caught:
            run_query(old, RESULTS)
    assert caught.value.code == "database_version"
    assert (plain(old, "FROM schema_version"), plain(old, tables)) == (version, before)
    assert plain(old, "FROM performance_results_all_view ORDER BY ALL") == view
    assert len(run_query(old, RESULTS)[1]) == 3


def test_one_of_the_future_is_refused_and_left_alone(old: Path) -> None:
    with duckdb.connect(str(old)) as con:
        con.execute("UPDATE schema_version SET version = ?", [SCHEMA_VERSION + 1])
    before = old.read_bytes()
    for act in (lambda: run_query(old, RESULTS), lambda: open_for_writing(old).close()):
        with pytest.raises(UserMistake) as caught:
            act()
        assert caught.value.code == "database_version"
        assert str(SCHEMA_VERSION + 1) in caught.value.message
    assert old.read_bytes() == before


def test_two_that_open_it_at_once_both_read_it(old: Path) -> None:
    """One of them brings it forward; the other waits for that."""
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    asking = [
        subprocess.Popen([sys.executable, "-c", READING, str(old)], env=here, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=60)[0] for process in asking]
    assert [process.returncode for process in asking] == [0, 0]
    assert told[0] == told[1] != ""
