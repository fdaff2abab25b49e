"""SQL from outside can read and nothing else."""

from pathlib import Path

import pytest

from harness.core.errors import UserMistake
from harness.core.nouns import PlannedCase
from harness.measure.results import case_result
from harness.metrics import latency_median_ms
from harness.store.database import open_for_writing
from harness.store.ingest import ingest_run
from harness.store.query import named_queries, run_query
from tests.store.made_up import case, round_of, run

CPU, GPU = case(), case("webgpu")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "harness.duckdb"
    metrics = {"latency_median_ms": latency_median_ms.compute}
    results = [
        (of, case_result("20260102-made-up", of, [round_of(of, 1, (latency,))], metrics))
        for of, latency in ((CPU, 30.0), (GPU, 10.0))
    ]
    with open_for_writing(path) as con:
        ingest_run(con, run(PlannedCase(case=CPU), PlannedCase(case=GPU)), [], results)
    return path


def test_columns_and_rows_that_json_can_hold(database: Path) -> None:
    columns, rows = run_query(
        database,
        "SELECT started_at, 1.5::DECIMAL(4, 2) AS d, [1, 2] AS l, {'a': DATE '2026-01-02'} AS s, 'inf'::DOUBLE AS i"
        " FROM runs",
    )
    assert columns == ["started_at", "d", "l", "s", "i"]
    assert rows == [["2026-01-02T03:04:05", 1.5, [1, 2], {"a": "2026-01-02"}, None]]


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE runs",
        "INSERT INTO schema_version VALUES (2)",
        "UPDATE runs SET command = ''",
        "COPY runs TO '{folder}/stolen.csv'",
        "EXPORT DATABASE '{folder}/stolen'",
        "ATTACH '{folder}/other.duckdb' AS other",
        "ATTACH ':memory:' AS other",
        "SELECT * FROM read_csv('{folder}/secret.csv')",
        "SELECT * FROM read_text('{folder}/secret.csv')",
        "SELECT * FROM '{folder}/secret.csv'",
        "SELECT * FROM glob('{folder}/*')",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET memory_limit = '100GB'",
        "RESET threads",
        "SELECT 1; SELECT 2",
        "",
        "SELEC 1",
        "SELECT nothing FROM runs",
    ],
)
def test_locked_down(database: Path, sql: str) -> None:
    folder = database.parent
    (folder / "secret.csv").write_text("a,b\n1,2\n")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserMistake) as caught:
        run_query(database, sql.format(folder=folder))
    assert caught.value.code == "bad_sql"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_duckdb_words_are_kept(database: Path) -> None:
    with pytest.raises(UserMistake, match="nothing"):
        run_query(database, "SELECT nothing FROM runs")


def test_a_query_without_end_is_stopped(database: Path) -> None:
    endless = "SELECT sum(a.range * b.range % 7) FROM range(10000000) a, range(10000000) b"
    with pytest.raises(UserMistake) as caught:
        run_query(database, endless, time_limit_s=0.2)
    assert caught.value.code == "query_time"
    assert run_query(database, "SELECT 1")[1] == [[1]]


def test_too_many_rows_are_refused(database: Path) -> None:
    with pytest.raises(UserMistake) as caught:
        run_query(database, "SELECT * FROM range(1000001)")
    assert caught.value.code == "query_rows"


def test_named_queries_run(database: Path) -> None:
    found = {name: run_query(database, sql) for name, sql in named_queries().items()}
    assert set(found) >= {"latest", "speedup_vs_cpu"}
    assert len(found["latest"][1]) == 2
    columns, rows = found["speedup_vs_cpu"]
    # 30 ms on the CPU, 10 ms here.
    assert [row[columns.index("speedup_vs_cpu")] for row in rows] == [pytest.approx(3)]
    assert [row[columns.index("hardware_type")] for row in rows] == ["webgpu"]
