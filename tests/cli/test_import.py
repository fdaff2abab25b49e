"""`harness db import`: apart from what was measured here, once, back after a rebuild, or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli import harness
from harness.core.errors import UserMistake
from harness.store.query import run_query
from tests.store.made_up_results import case_of, ok, put_run

OPTIMUM = Path(__file__).parents[1] / "imports" / "fixtures" / "optimum-benchmark"
REPORT = OPTIMUM / "bert-inference" / "benchmark_report.json"
SUITE = {"Fill Mask": {"setupTime": 1, "disposeTime": 1, "stats": {"Default": {"mean": 2.5, "median": 2.25}}}}
ALL = "SELECT run_id, origin, imported_from, checked, batch_size, threads, latency_median_ms, samples, doubts"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """One Run that was measured here, of the day after every import that can be."""
    path = tmp_path / "harness.duckdb"
    put_run(path, "20990101T000000-here", [ok(case_of("bert"), 30.0)])
    return path


def said(*arguments: str | Path) -> Any:
    ended = CliRunner().invoke(harness, [str(each) for each in arguments], catch_exceptions=False)
    assert ended.exit_code == 0
    return json.loads(ended.stdout)


def imported(database: Path, *arguments: str | Path) -> Any:
    return said("db", "import", *arguments, "--db", database, "--json")["imports"]


def rows(database: Path, sql: str) -> list[dict[str, Any]]:
    columns, found = run_query(database, sql)
    return [dict(zip(columns, row, strict=True)) for row in found]


def everything(database: Path) -> list[dict[str, Any]]:
    return rows(database, f"{ALL} FROM performance_results_all_view ORDER BY run_id")


def test_an_imported_run_is_seen_and_never_taken_for_a_measured_one(database: Path) -> None:
    (told,) = imported(database, REPORT)
    here, foreign = everything(database)
    assert (here["origin"], here["imported_from"], foreign["origin"]) == ("asked", "", "imported")
    assert foreign["imported_from"] == "optimum-benchmark 0.6.0"
    assert foreign["doubts"][0].startswith("imported from optimum-benchmark 0.6.0: not measured by this harness")
    assert foreign["checked"] is False
    # The file's own p50 is 0.0003953944979002699 s.
    assert foreign["latency_median_ms"] == pytest.approx(0.3953944979, rel=1e-5)
    assert foreign["samples"] == 8
    assert [row["run_id"] for row in rows(database, "FROM performance_results_view")] == ["20990101T000000-here"]
    (run,) = rows(database, "FROM runs WHERE run_id LIKE 'imported-%'")
    assert run["machine_id"] == told["machine_id"]
    assert told["machine_id"].startswith("imported-")
    assert said("show", "--db", database, "--json")["run_id"] == "20990101T000000-here"
    assert said("show", "imported-", "--db", database, "--json")["run_id"] == told["run_id"]
    trends = json.dumps(said("trends", "--db", database, "--json"))
    assert "20990101T000000-here" in trends and "imported" not in trends


def test_a_named_question_sees_it_only_where_its_run_is_named(database: Path) -> None:
    (told,) = imported(database, REPORT)
    answer = said("ask", "latest", "--db", database, "--json")
    at = answer["columns"].index("run_id")
    assert [row[at] for row in answer["rows"]] == ["20990101T000000-here"]
    (row,) = said("ask", "latest", "--run", told["run_id"], "--db", database, "--json")["rows"]
    assert row[at] == told["run_id"]
    assert row[answer["columns"].index("doubts")][0].startswith("imported from optimum-benchmark")


def test_last_is_never_an_imported_run(tmp_path: Path) -> None:
    database = tmp_path / "harness.duckdb"
    imported(database, REPORT)
    for verb in (["show"], ["ask", "latest", "--run", "last"]):
        with pytest.raises(UserMistake) as caught:
            CliRunner().invoke(harness, [*verb, "--db", str(database)], catch_exceptions=False)
        assert caught.value.code == "no_runs" and "imported" in str(caught.value)


def test_the_same_file_twice_is_once_and_other_statements_are_another_run(database: Path, tmp_path: Path) -> None:
    file = tmp_path / "suite.json"
    file.write_text(json.dumps(SUITE))
    (first,) = imported(database, file)
    (again,) = imported(database, file)
    assert (first["already_there"], again["already_there"]) == (False, True)
    assert first["run_id"] == again["run_id"]
    assert len(everything(database)) == 2
    (other,) = imported(database, file, "--state", "platform=webgpu,browser=chrome,batch_size=32")
    assert other["run_id"] != first["run_id"]
    typed = ["db", "import", str(file), "--db", str(database)]
    assert "is here 2 times, read in different ways" in CliRunner().invoke(harness, typed).stderr
    found = {row["run_id"]: row for row in everything(database)}
    assert (found[first["run_id"]]["batch_size"], found[other["run_id"]]["batch_size"]) == (None, 32)
    assert any("stated by whoever imported it" in doubt for doubt in found[other["run_id"]]["doubts"])
    assert found[first["run_id"]]["threads"] is None


def test_a_summary_makes_no_samples(database: Path, tmp_path: Path) -> None:
    file = tmp_path / "suite.json"
    file.write_text(json.dumps(SUITE))
    imported(database, file)
    (row,) = [row for row in everything(database) if row["origin"] == "imported"]
    assert (row["latency_median_ms"], row["samples"]) == (2.25, 0)
    assert rows(database, "SELECT count(*) AS n FROM samples")[0]["n"] == 0
    columns = "throughput_items_per_second, latency_ci95_low_ms"
    (row,) = rows(database, f"SELECT {columns} FROM performance_results_all_view WHERE origin = 'imported'")
    assert set(row.values()) == {None}


def test_what_is_not_known_is_null_and_not_a_number(database: Path, tmp_path: Path) -> None:
    file = tmp_path / "suite.jsonl"
    file.write_text("".join(json.dumps({"name": name, "result": told}) + "\n" for name, told in SUITE.items()))
    (told,) = imported(database, file)
    (case,) = said("show", told["run_id"], "--db", database, "--json")["cases"]
    unknown = ("platform", "device", "browser", "precision", "weights", "task")
    assert {case[key] for key in unknown} == {"unknown"}
    assert (case["batch_size"], case["threads"], case["length"]) == (None, None, None)
    assert "b?" in case["slug"]
    shown = CliRunner().invoke(harness, ["show", told["run_id"], "--db", str(database)], catch_exceptions=False)
    assert shown.exit_code == 0 and "not measured by this harness" in " ".join(shown.stdout.split())


def test_a_rebuild_brings_it_back(tmp_path: Path) -> None:
    database = tmp_path / "harness.duckdb"
    imported(database, REPORT, OPTIMUM / "gpt2-generation" / "benchmark.json")
    before = everything(database)
    phases = rows(database, "FROM summaries ORDER BY ALL")
    assert said("db", "rebuild", "--db", database, "--json")["runs"] == 2
    assert everything(database) == before
    assert rows(database, "FROM summaries ORDER BY ALL") == phases and len(phases) == 5


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    database = tmp_path / "none" / "harness.duckdb"
    (told,) = imported(database, REPORT, "--dry-run")
    assert told["samples"] == 8 and told["not_told"] == ["precision", "revision"]
    assert not database.parent.exists()
    shown = CliRunner().invoke(harness, ["db", "import", str(REPORT), "--dry-run", "--db", str(database)])
    assert "nothing was written" in shown.stdout and "8 samples" in shown.stdout


def refused(database: Path, file: Path, *arguments: str) -> UserMistake:
    with pytest.raises(UserMistake) as caught:
        CliRunner().invoke(
            harness, ["db", "import", str(REPORT), str(file), *arguments, "--db", str(database)], catch_exceptions=False
        )
    return caught.value


@pytest.mark.parametrize(("text", "words"), [
    ("", "is no JSON"),
    ("{", "is no JSON"),
    ('{"a": NaN}', "NaN is no number of JSON"),
    ("[" * 100_000, "nested too deep"),
    ('{"a": 1, "a": 2}', "the key 'a' twice"),
    ('{"a": 1}', "nobody knows what"),
    (json.dumps({"x": {"setupTime": -1, "disposeTime": 1, "stats": {}}}), "$.x.setupTime: is negative"),
    (json.dumps({"x": {"setupTime": 1, "disposeTime": 1, "stats": {"D": {"mean": 1e308, "median": 1}}}}), "no finite"),
    (json.dumps({"x": {"setupTime": 1, "disposeTime": 1, "stats": {"D": {}}}}), "has no mean or no median"),
])  # fmt: skip
def test_what_cannot_be_read_leaves_nothing_behind(tmp_path: Path, text: str, words: str) -> None:
    """Not even of the good file that was named before it."""
    database, file = tmp_path / "harness.duckdb", tmp_path / "broken.json"
    file.write_text(text)
    mistake = refused(database, file)
    assert words in mistake.message and "broken.json" in mistake.message
    assert not database.exists() and list(tmp_path.iterdir()) == [file]


def test_a_wrong_name_or_statement_is_told(tmp_path: Path) -> None:
    database = tmp_path / "harness.duckdb"
    assert "did you mean optimum-benchmark" in (refused(database, REPORT, "--from", "optimum-bench").hint or "")
    assert "is not one object" in refused(database, REPORT, "--from", "harness").message
    assert "the file says platform=cpu" in refused(database, REPORT, "--state", "platform=webgpu").message
    assert refused(database, REPORT, "--state", "speed=9").code == "unknown_state"
    assert refused(database, tmp_path / "none.json").code == "bad_import"


def test_a_mapping_with_rows_of_one_case_is_so_many_rounds(database: Path, tmp_path: Path) -> None:
    mapping, file = tmp_path / "map.toml", tmp_path / "runs.jsonl"
    mapping.write_text(
        '[tool]\nname = "my-bench"\n[rows]\nformat = "jsonl"\n[point]\nmodel = "m"\n'
        '[state]\nmode = "inference"\nplatform = "npu"\nbrowser = "none"\n[latency]\nunit = "ms"\nsamples = "t"\n'
    )
    file.write_text('{"m": "bert", "t": [1, 2, 3]}\n{"m": "bert", "t": [4, 5, 6]}\n')
    (told,) = imported(database, file, "--from", mapping)
    assert (told["points"], len(told["cases"]), told["tool"]) == (2, 1, "my-bench")
    numbers = rows(database, "SELECT number, median_ns FROM rounds JOIN summaries USING (round_id) ORDER BY number")
    assert [tuple(row.values()) for row in numbers] == [(1, 2e6), (2, 5e6)]


def test_what_this_harness_printed_elsewhere_comes_in_but_not_twice_over(database: Path, tmp_path: Path) -> None:
    file = tmp_path / "show.json"
    file.write_text(json.dumps(said("show", "--db", database, "--json")))
    with pytest.raises(UserMistake, match=r"is in .* already: as measured"):
        CliRunner().invoke(harness, ["db", "import", str(file), "--db", str(database)], catch_exceptions=False)
    elsewhere = tmp_path / "other.duckdb"
    strange = tmp_path / "strange.json"
    strange.write_text(json.dumps({**json.loads(file.read_text()), "machine": {"quiet": {"findings": [1]}}}))
    with pytest.raises(UserMistake, match="in a form that nobody can read"):
        CliRunner().invoke(harness, ["db", "import", str(strange), "--db", str(elsewhere)], catch_exceptions=False)
    (told,) = imported(elsewhere, file)
    assert told["format"] == "harness" and told["measured_at"] == "2026-01-01T00:00:00+00:00"
    (row,) = everything(elsewhere)
    assert (row["latency_median_ms"], row["checked"], row["samples"]) == (30.0, False, 0)


def test_two_runs_by_name_are_compared_and_say_where_one_is_from(database: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder, factor in ((first, 1), (second, 2)):
        folder.mkdir()
        report = json.loads(REPORT.read_text("utf-8"))
        report["forward"]["latency"]["values"] = [value * factor for value in report["forward"]["latency"]["values"]]
        (folder / REPORT.name).write_text(json.dumps(report))
        (folder / "benchmark_config.json").write_text((REPORT.parent / "benchmark_config.json").read_text("utf-8"))
    ids = [imported(database, folder / REPORT.name)[0]["run_id"] for folder in (first, second)]
    (found,) = said("compare", *ids, "--db", database, "--json")["comparisons"]
    assert found["ratio"] == pytest.approx(2, rel=1e-4)
    assert any(doubt.startswith(f"{ids[0]} was imported from optimum-benchmark") for doubt in found["doubts"])
