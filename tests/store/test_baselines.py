"""Baselines: names beside the journal, files that can be committed; broken ones are the user's to mend, by name."""

import json
from pathlib import Path

import pytest

from harness.core.errors import UserMistake
from harness.store.baselines import read_baseline, read_names, set_name, write_baseline
from tests.analyse.made_runs import made_run, measured
from tests.store.made_up import case


def test_names_come_back_move_and_go(tmp_path: Path) -> None:
    database = tmp_path / "h.duckdb"
    assert read_names(database) == {}
    set_name(database, "main", "20260101T000000-aaaa")
    set_name(database, "nightly/linux", "20260102T000000-bbbb")
    set_name(database, "main", "20260103T000000-cccc")
    assert read_names(database) == {"main": "20260103T000000-cccc", "nightly/linux": "20260102T000000-bbbb"}
    set_name(database, "main", None)
    assert list(read_names(database)) == ["nightly/linux"]


@pytest.mark.parametrize("name", ["", "last", "20260103T000000-cccc", "a b", "../up", "-x", "a" * 90, "x\n"])
def test_what_could_be_taken_for_something_else_is_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserMistake) as caught:
        set_name(tmp_path / "h.duckdb", name, "r")
    assert caught.value.code == "bad_baseline_name"


def test_a_file_holds_all_that_a_check_needs_and_is_the_same_each_time(tmp_path: Path) -> None:
    run = made_run(measured(case("cpu"), (10, 10.1, 9.9)), measured(case("wasm"), ()))
    write_baseline(tmp_path / "a.json", run)
    write_baseline(tmp_path / "deep" / "b.json", run)
    assert read_baseline(tmp_path / "a.json") == run
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "deep" / "b.json").read_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.json"]  # nothing half-written is left


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "has format None"),
        ('{"format": 99}', "has format 99"),
        ('{"format": 1, "run_id": "r"}', "started_at"),
        ("\xff\xfe", ""),
        ("[" * 100_000, ""),
    ],
)
def test_a_broken_file_is_told_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserMistake) as caught:
        read_baseline(path)
    assert caught.value.code == "bad_baseline" and said in caught.value.message and "bad.json" in caught.value.message
    with pytest.raises(UserMistake):
        read_baseline(tmp_path / "absent.json")


def test_a_value_that_is_out_of_its_type_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_baseline(path, made_run(measured(case("cpu"), (10, 10, 10))))
    found = json.loads(path.read_text())
    found["cases"][0]["medians"][1]["value"] = "fast"
    path.write_text(json.dumps(found))
    with pytest.raises(UserMistake, match=r"cases\.0\.medians\.1\.value"):
        read_baseline(path)


def test_broken_names_are_told(tmp_path: Path) -> None:
    set_name(tmp_path / "h.duckdb", "main", "r")
    (tmp_path / "h.journal" / "baselines.json").write_text("[1")
    with pytest.raises(UserMistake, match="baselines"):
        read_names(tmp_path / "h.duckdb")
