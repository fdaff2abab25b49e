"""`harness db export`: what other programs read from the files is what the database holds, in its types."""

import json
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.ipc
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from harness.cli import harness
from harness.core.errors import UserMistake
from harness.core.nouns import PlannedCase
from harness.store.database import open_for_writing
from harness.store.export import exportable
from harness.store.ingest import ingest_run
from tests.store.made_up import case, round_of, run
from tests.store.made_up_results import ok

CPU, GPU = case(), case("webgpu")
FORMS = ("parquet", "arrow")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Two Runs, of two months, with 2 and 3 samples."""
    path = tmp_path / "it's a database.duckdb"
    with open_for_writing(path) as con:
        for month, sample_ms in ((1, (1.0, 2.0)), (2, (3.0, 4.0, 5.0))):
            run_id = f"2026-{month}"
            made = run(
                PlannedCase(case=CPU), PlannedCase(case=GPU), run_id=run_id, started_at=f"2026-0{month}-28T03:04:05"
            )
            one = round_of(CPU, month, sample_ms, run_id=run_id)
            results = [
                (of, result.model_copy(update={"run_id": run_id})) for of, result in (ok(CPU, 2.5), ok(GPU, None))
            ]
            ingest_run(con, made, [(one, {})], results)
    return path


def exported(database: Path, *arguments: str | Path) -> Any:
    words = [str(each) for each in arguments]
    ended = CliRunner().invoke(
        harness, ["db", "export", *words, "--json", "--db", str(database)], catch_exceptions=False
    )
    return json.loads(ended.stdout)["exported"]


def held(database: Path, table: str) -> list[tuple[Any, ...]]:
    """As the database has it; whole numbers beyond 64 bits as text, since neither format has them."""
    with duckdb.connect(str(database), read_only=True) as con:
        rows = con.execute(f"FROM {table}").fetchall()
    return [tuple(str(v) if isinstance(v, int) and v >= 2**64 else v for v in row) for row in rows]


def read_back(path: Path) -> pyarrow.Table:
    if path.suffix == ".parquet":
        return pyarrow.parquet.ParquetFile(path).read()
    with pyarrow.ipc.open_file(path) as file:
        return file.read_all()


def as_rows(table: pyarrow.Table) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in table.to_pylist()]


@pytest.mark.parametrize("form", FORMS)
def test_every_table_and_view_reads_back_as_it_is(database: Path, tmp_path: Path, form: str) -> None:
    folder = tmp_path / "out"
    told = exported(database, folder, "--all", "--format", form)
    assert [one["table"] for one in told] == exportable(database)
    for one in told:
        if one["table"] == "samples":
            continue
        read, rows = as_rows(read_back(Path(one["path"]))), held(database, one["table"])
        assert sorted(map(repr, read)) == sorted(map(repr, rows)), one["table"]
        assert one["rows"] == len(rows)
    types = {field.name: str(field.type) for field in read_back(folder / f"performance_results_all_view.{form}").schema}
    assert types["started_at"] == "timestamp[us]" and types["batch_size"] == "int32"
    assert types["latency_median_ms"] == "double" and types["doubts"].startswith("list<")


@pytest.mark.parametrize("form", FORMS)
def test_samples_lie_by_the_month_of_their_run(database: Path, tmp_path: Path, form: str) -> None:
    exported(database, tmp_path / "out", "--table", "samples", "--format", form)
    files = sorted((tmp_path / "out").rglob(f"*.{form}"))
    assert [file.parent.name for file in files] == ["month=2026-01", "month=2026-02"]
    assert [sorted(read_back(file)["duration_ns"].to_pylist()) for file in files] == [
        [1_000_000, 2_000_000],
        [3_000_000, 4_000_000, 5_000_000],
    ]


def test_duckdb_reads_the_partitions_with_their_month(database: Path, tmp_path: Path) -> None:
    exported(database, tmp_path / "out", "--table", "samples,runs")
    with duckdb.connect() as con:
        files = f"'{tmp_path}/out/samples/**/*.parquet'"
        found = con.execute(f"SELECT month, count(*) FROM {files} GROUP BY month ORDER BY month").fetchall()
        assert found == [("2026-01", 2), ("2026-02", 3)]
        assert con.execute(f"SELECT count(*) FROM '{tmp_path}/out/runs.parquet'").fetchall() == [(2,)]


def test_one_view_as_one_file_is_the_verified_results(database: Path, tmp_path: Path) -> None:
    (told,) = exported(database, tmp_path / "results.arrow")
    assert told["table"] == "performance_results_view"
    assert read_back(tmp_path / "results.arrow")["latency_median_ms"].to_pylist().count(2.5) == 2


def refused(database: Path, *arguments: str | Path) -> UserMistake:
    with pytest.raises(UserMistake) as caught:
        exported(database, *arguments)
    return caught.value


def test_what_is_there_stays_and_a_refusal_leaves_nothing(database: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "runs.parquet").write_text("mine")
    assert refused(database, folder, "--table", "machines,runs").code == "export_exists"
    assert (folder / "runs.parquet").read_text() == "mine" and len(list(folder.iterdir())) == 1
    assert not list(tmp_path.glob(".export-*"))


def test_a_wrong_wish_is_told(database: Path, tmp_path: Path) -> None:
    assert "did you mean samples" in (refused(database, tmp_path / "o", "--table", "sampels").hint or "")
    assert refused(database, tmp_path / "o.parquet", "--all").code == "bad_export"
    assert refused(database, tmp_path / "o.parquet", "--format", "arrow").code == "bad_export"
    assert refused(database, tmp_path / "o", "--table", "runs", "--all").code == "bad_export"
    assert refused(tmp_path / "none.duckdb", tmp_path / "o").code == "no_database"


def test_without_pyarrow_it_says_what_to_install(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # an import of it fails, as where it is not installed
    mistake = refused(database, tmp_path / "o.arrow")
    assert mistake.code == "needs_arrow" and "[arrow]" in (mistake.hint or "")
    exported(database, tmp_path / "o.parquet")
