"""`harness ask`: the list, an answer in each form, and a mistake with the nearest name."""

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli import harness
from harness.core.errors import UserMistake
from harness.store.questions import questions
from tests.store.made_up_results import case_of, ok, put_run


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "harness.duckdb"
    cpu, page, gpu = case_of("bert"), case_of("bert", "wasm"), case_of("bert", "webgpu")
    put_run(path, "20260101-one", [ok(cpu, 30.0), ok(page, 15.0)])
    put_run(path, "20260102-two", [ok(cpu, 30.0), ok(page, 10.0), ok(gpu, 60.0, software=True)], day=2)
    return path


def asked(database: Path, *arguments: str) -> Result:
    return CliRunner().invoke(harness, ["ask", *arguments, "--db", str(database)])


def test_without_a_question_they_are_listed_and_no_database_is_needed(tmp_path: Path) -> None:
    lines = asked(tmp_path / "none.duckdb").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(questions())
    assert "batch 1 of the same Run" in lines[0]
    listed = json.loads(asked(tmp_path / "none.duckdb", "--json").stdout)["questions"]
    assert [one["name"] for one in listed] == list(questions())
    assert all(one["title"] and set(one) == {"name", "title", "details"} for one in listed)


def test_every_question_is_in_the_readme() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert [name for name in questions() if f"| `{name}` |" not in readme] == []


def test_an_answer_as_json_and_csv(database: Path) -> None:
    said = asked(database, "speedup_vs_cpu", "--json", "--run", "last", "--where", "software IS NULL")
    answer = json.loads(said.stdout)
    assert said.exit_code == 0 and answer["question"] == "speedup_vs_cpu"
    at = answer["columns"].index("speedup_vs_cpu")
    assert [row[at] for row in answer["rows"]] == [pytest.approx(3)]
    said = asked(database, "speedup_vs_cpu", "--format", "csv", "--hardware", "cpu,wasm", "--run", "20260101")
    rows = list(csv.DictReader(io.StringIO(said.stdout)))
    assert [(row["run_id"], float(row["speedup_vs_cpu"])) for row in rows] == [("20260101-one", 2.0)]


def test_a_table_says_once_what_is_the_same_in_all_rows(database: Path) -> None:
    said = asked(database, "speedup_vs_cpu", "--run", "20260102").stdout
    same, rest = said.split("\nempty: ")
    assert same.startswith("in all rows: run_id = 20260102-two, model_name = bert") and "length = 128" in same
    assert "cpu_latency_ci95_low_ms" in rest and "length" not in rest
    lines = rest.splitlines()
    head = next(line for line in lines if line.startswith("type"))  # of hardware_type, under its first half
    assert head.split()[:3] == ["type", "device", "software"]
    rows = [line for line in lines if line.startswith(("wasm", "webgpu"))]
    assert [line.split()[:2] for line in rows] == [["wasm", "wasm"], ["webgpu", "webgpu"]]
    assert "True" in rows[1] and "True" not in rows[0]


def test_nothing_is_left_out_where_it_is_narrow(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    slugs = {row.split(",")[0] for row in asked(database, "history", "--format", "csv").stdout.splitlines()[1:]}
    assert len(slugs) == 3
    assert all(slug in asked(database, "history").stdout for slug in slugs)


def test_one_row_stands_upright_and_none_is_said(database: Path) -> None:
    said = asked(database, "speedup_vs_cpu", "--run", "20260101", "--format", "table").stdout
    told = dict(line.split(None, 1) for line in said.splitlines() if len(line.split()) > 1)
    assert float(told["speedup_vs_cpu"]) == 2 and told["slug"].strip() == "bert/fp32/b1/l128/wasm/chromium"
    assert {line.split()[0] for line in said.splitlines()} >= {"software", "length", "run_id"}
    assert asked(database, "training_vs_inference").stdout == "no rows: nothing in the database answers it\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["speedup"], "unknown_question", "speedup_vs_cpu"),
        (["history", "--run", "20260102-twp"], "unknown_run", "20260102-two"),
        (["history", "--where", "latencyratio > 1"], "bad_sql", "latencyratio"),
        (["history", "--where", "true); DROP TABLE runs; SELECT (1"], "bad_sql", ""),
    ],
)
def test_a_mistake_is_told(database: Path, arguments: list[str], code: str, words: str) -> None:
    said = asked(database, *arguments)
    assert isinstance(said.exception, UserMistake)
    assert said.exception.code == code
    assert words in f"{said.exception.message} {said.exception.hint}"
