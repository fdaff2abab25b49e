"""`harness query --format`: the same answer in every form; in Parquet with the types, within the limits."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from harness.cli import harness
from harness.core.errors import UserMistake
from tests.store.made_up_results import case_of, ok, put_run

SQL = "SELECT 1.5::DECIMAL(4, 2) AS d, TIMESTAMP '2026-01-02 03:04:05.000006' AS t, [1, NULL] AS l"
# SQL of a value, and what Python reads of it in a Parquet file.
VALUES: dict[str, Any] = {
    "123456789012345678.91::DECIMAL(38, 2)": Decimal("123456789012345678.91"),
    "9007199254740993::BIGINT": 2**53 + 1,
    "0.1::FLOAT": pytest.approx(0.1),
    "'-inf'::DOUBLE": float("-inf"),
    "true": True,
    "'it''s \"text\"'": 'it\'s "text"',
    "''": "",
    "DATE '2026-02-03'": date(2026, 2, 3),
    "TIMESTAMP '2026-01-02 03:04:05.000006'": datetime(2026, 1, 2, 3, 4, 5, 6),
    "'\\x00\\xFF'::BLOB": b"\x00\xff",
    "['a', NULL, '\"b\", c']": ["a", None, '"b", c'],
    "[1.25::DECIMAL(4, 2)]": [Decimal("1.25")],
    "[TIMESTAMP '2026-01-02 00:00:00']": [datetime(2026, 1, 2)],
    "['nan'::DOUBLE, 'inf'::DOUBLE]": [pytest.approx(float("nan"), nan_ok=True), float("inf")],
    "{'a': 1, 'b': ['x']}": {"a": 1, "b": ["x"]},
    "MAP {'k': 1.5::DOUBLE}": [("k", 1.5)],
    "'{\"a\": [1, 2]}'::JSON": '{"a": [1, 2]}',
    "['{\"a\": 1}'::JSON]": ['{"a": 1}'],
    "'a'::ENUM('a', 'b')": "a",
    "'00000000-0000-0000-0000-00000000002a'::UUID": UUID(int=42).bytes,
    "NULL": None,
    "NULL::DOUBLE[]": None,
}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "harness.duckdb"
    put_run(path, "20260101-one", [ok(case_of("bert"), 30.0), ok(case_of("bert", "wasm"), 15.0)])
    return path


def asked(database: Path, *words: str | Path, verb: str = "query") -> Result:
    typed = [verb, *(str(each) for each in words), "--db", str(database)]
    return CliRunner().invoke(harness, typed, catch_exceptions=False)


def test_table_csv_and_json_say_the_same(database: Path) -> None:
    assert "2026-01-02T03:04:05" in asked(database, SQL).stdout
    assert list(csv.reader(io.StringIO(asked(database, SQL, "--format", "csv").stdout))) == [
        ["d", "t", "l"],
        ["1.5", "2026-01-02T03:04:05.000006", "[1, None]"],
    ]
    told = {"columns": ["d", "t", "l"], "rows": [[1.5, "2026-01-02T03:04:05.000006", [1, None]]]}
    assert json.loads(asked(database, SQL, "--format", "json").stdout) == told
    assert json.loads(asked(database, SQL, "--json").stdout) == told


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_into_a_file_is_what_would_be_shown(database: Path, tmp_path: Path, form: str) -> None:
    shown = asked(database, SQL, "--format", form).stdout
    said = asked(database, SQL, "--format", form, "--out", tmp_path / "out")
    assert said.stdout == ""
    written = (tmp_path / "out").read_bytes().decode()
    assert [line.rstrip() for line in written.split("\n")] == [line.rstrip() for line in shown.split("\n")]


@pytest.mark.parametrize("sql", VALUES)
def test_parquet_has_the_type_and_the_value_that_duckdb_itself_writes(database: Path, tmp_path: Path, sql: str) -> None:
    asked(database, f"SELECT {sql} AS v", "--format", "parquet", "--out", tmp_path / "ours.parquet")
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT {sql} AS v) TO '{tmp_path}/its.parquet' (FORMAT parquet)")
    ours, its = (pyarrow.parquet.ParquetFile(tmp_path / f"{whose}.parquet").read() for whose in ("ours", "its"))
    assert ours.schema == its.schema
    (value,) = ours["v"].to_pylist()
    assert (value.bytes if isinstance(value, UUID) else value) == VALUES[sql]
    assert repr(ours["v"].to_pylist()) == repr(its["v"].to_pylist())


def test_many_rows_and_no_rows_keep_their_columns(database: Path, tmp_path: Path) -> None:
    for rows in (0, 25_001):
        sql = f"SELECT range AS n, range::VARCHAR AS t FROM range({rows}) ORDER BY n"
        asked(database, sql, "--format", "parquet", "--out", tmp_path / "n.parquet")
        read = pyarrow.parquet.ParquetFile(tmp_path / "n.parquet").read()
        assert read.schema.names == ["n", "t"]
        assert read["n"].to_pylist() == list(range(rows))


def test_a_views_answer_as_parquet_and_what_is_no_select(database: Path, tmp_path: Path) -> None:
    asked(database, "FROM performance_results_view", "--format", "parquet", "--out", tmp_path / "view.parquet")
    read = pyarrow.parquet.ParquetFile(tmp_path / "view.parquet").read()
    assert sorted(read["latency_median_ms"].to_pylist()) == [15.0, 30.0]
    assert str(read.schema.field("started_at").type) == "timestamp[us]"
    asked(database, "SHOW TABLES", "--format", "parquet", "--out", tmp_path / "names.parquet")
    assert "runs" in pyarrow.parquet.ParquetFile(tmp_path / "names.parquet").read()["name"].to_pylist()
    said = asked(database, "latest", "--format", "parquet", "--out", tmp_path / "ask.parquet", verb="ask")
    assert said.exit_code == 0 and pyarrow.parquet.ParquetFile(tmp_path / "ask.parquet").read().num_rows == 2


@pytest.mark.parametrize(("words", "code"), [
    (("SELECT 1 AS a, 2 AS A",), "bad_parquet"),
    (("SELECT TIMESTAMP_NS '2026-01-01 00:00:00.123456789' AS t",), "bad_parquet"),
    (("SELECT union_value(a := 1) AS u",), "bad_parquet"),
    (("COPY runs TO 'stolen.parquet'",), "bad_sql"),
    (("SELECT * FROM range(2000000)",), "query_rows"),
    (("SELECT 1", "--json"), "usage"),
])  # fmt: skip
def test_a_refusal_leaves_the_file_as_it_was(database: Path, tmp_path: Path, words: tuple[str, ...], code: str) -> None:
    (tmp_path / "out.parquet").write_text("mine")
    with pytest.raises(UserMistake) as caught:
        asked(database, *words, "--format", "parquet", "--out", tmp_path / "out.parquet")
    assert caught.value.code == code
    assert (tmp_path / "out.parquet").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_parquet_goes_down_a_pipe_and_onto_no_terminal(database: Path) -> None:
    command = [sys.executable, "-m", "harness", "query", SQL, "--format", "parquet", "--db", str(database)]
    piped = subprocess.run(command, capture_output=True, check=True)
    assert pyarrow.parquet.ParquetFile(io.BytesIO(piped.stdout)).read()["l"].to_pylist() == [[1, None]]
    ours, its = pty.openpty()
    try:
        refused = subprocess.run(command, stdout=its, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(its)
        os.close(ours)
    assert refused.returncode == 2 and "--out FILE.parquet" in refused.stderr
