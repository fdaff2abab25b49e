"""The same selection every night, as a user types it, on the known-duration backend; what runs, really runs."""

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result

from harness import catalog
from harness.cli import harness
from harness.core.errors import UserMistake
from harness.core.nouns import Artifact
from tests.test_cli import harness as harness_process
from tests.test_cli import told as told_by_process

SELECTION = ("--model", "bert", "--scale", "tiny", "--length", "16", "--hardware", "noop,onnxruntime")
# Not looked around: on a busy machine what is reused would say so, and the numbers are compared as a whole.
POLICY = ("--rounds", "2", "--budget", "200ms", "--quiet", "off")
NIGHTLY = (*SELECTION, *POLICY, "--precision", "fp32,fp16", "--limit", "3")


def type_in(*arguments: str) -> Result:
    """In this process, since a test types many commands; workers and exporters are processes as ever."""
    done = CliRunner().invoke(harness, arguments, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done


def told(*arguments: str) -> Any:
    """The one JSON object on stdout."""
    return json.loads(type_in(*arguments, "--json").stdout)


@pytest.fixture(scope="module")
def first(
    tiny_bert: tuple[Artifact, Path], artifacts: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Any]:
    """A folder in which one run was made, and what it said; the session's Artifact saves an export."""
    folder = tmp_path_factory.mktemp("nightly")
    shutil.copytree(artifacts / tiny_bert[0].digest, folder / "results" / "artifacts" / tiny_bert[0].digest)
    done = harness_process("run", *NIGHTLY, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, told_by_process(done)


@pytest.fixture
def place(first: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder, for one test alone, in which commands are typed."""
    shutil.copytree(first[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def count(table: str) -> int:
    (row,) = told("query", f"select count(*) from {table}")["rows"]
    return int(row[0])


def planned(*flags: str) -> dict[str, tuple[str | None, str | None]]:
    """Platform → the run it is reused from and why it is measured again, as `harness plan` says."""
    return {
        case["platform"]: (case["reused_from"], case["measured_again"])
        for case in told("plan", *SELECTION, *flags)["cases"]
    }


def test_the_first_run_reuses_nothing_and_says_when_it_measured(first: tuple[Path, Any]) -> None:
    cases = first[1]["cases"]
    assert [(case["platform"], case["outcome"], case["reused_from"]) for case in cases] == [
        ("noop", "ok", None), ("noop", "unsupported", None), ("onnxruntime", "ok", None)
    ]  # fmt: skip
    assert cases[0]["measured_at"] >= first[1]["started_at"] and cases[2]["measured_at"] >= first[1]["started_at"]
    assert cases[1]["measured_at"] is None


def test_the_second_measures_nothing_and_has_the_same_numbers(first: tuple[Path, Any], place: Path) -> None:
    shutil.rmtree(place / "results" / "artifacts")
    done = harness_process("run", *NIGHTLY, "--incremental", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    second, run_id = told_by_process(done), first[1]["run_id"]
    assert second["exported"] == 0 and not (place / "results" / "artifacts").exists()
    before = first[1]["cases"]
    assert second["cases"] == [before[0] | {"reused_from": run_id}, before[1], before[2] | {"reused_from": run_id}]
    assert (count("rounds"), count("results")) == (4, 4)
    assert count("planned_cases where reused_from is not null") == 2
    assert told("show")["cases"] == second["cases"]
    shown = " ".join(type_in("show").stdout.split())
    assert f"reused: measured on {first[1]['started_at'][:10]} in run {run_id}" in shown
    # The database made again from the journal says the same.
    (place / "results" / "harness.duckdb").unlink()
    type_in("db", "rebuild")
    assert told("show")["cases"] == second["cases"]


def test_plan_says_what_would_be_done_and_does_nothing(first: tuple[Path, Any], place: Path) -> None:
    date, run_id = first[1]["started_at"][:10], first[1]["run_id"]
    said = type_in("plan", *NIGHTLY, "--incremental")
    lines = said.stdout.splitlines()
    assert lines[0] == f"= bert/tiny/fp32/b1/l16/noop  (measured on {date} in run {run_id})"
    assert lines[1].startswith("- bert/tiny/fp16/b1/l16/noop  (")
    assert lines[2].startswith("= ")
    assert "0 of 3 cases can be tried" in said.stderr and "2 are known" in said.stderr
    assert count("runs") == 1
    assert told("plan", *NIGHTLY)["cases"][0]["reused_from"] is None


def test_export_makes_nothing_for_what_is_known(place: Path) -> None:
    shutil.rmtree(place / "results" / "artifacts")
    exported = told("export", *NIGHTLY, "--incremental")
    assert (exported["exported"], exported["cases"][0]["artifact"]) == (0, None)
    assert exported["cases"][0]["reused_from"] is not None


def test_force_measures_again_also_against_a_spec(first: tuple[Path, Any], place: Path) -> None:
    type_in("plan", *NIGHTLY, "--incremental", "--out", "nightly.toml")
    assert "incremental = true" in (place / "nightly.toml").read_text()
    assert told("plan", "nightly.toml")["cases"][0]["reused_from"] is not None
    forced = told("run", "nightly.toml", "--force")
    assert [case["reused_from"] for case in forced["cases"]] == [None, None, None]
    assert count("rounds") == 8
    assert forced["cases"][0]["measured_at"] > first[1]["cases"][0]["measured_at"]


def test_a_changed_policy_or_case_is_measured_again_and_a_smaller_one_is_not(place: Path) -> None:
    def noop(*flags: str) -> tuple[bool, str | None]:
        run_id, again = planned(*flags, "--incremental")["noop"]
        return run_id is not None, again

    assert noop(*POLICY) == (True, None)
    assert noop("--rounds", "1", "--budget", "100ms") == (True, None)
    assert noop("--rounds", "3", "--budget", "200ms") == (False, "it has 2 of 3 rounds")
    assert noop("--rounds", "2", "--budget", "201ms") == (False, "it had a smaller budget")
    assert noop(*POLICY, "--batch-size", "2") == (False, None)
    assert noop(*POLICY, "--hardware", "noop", "--option", "duration_us=1") == (False, None)


def test_an_upgraded_package_is_measured_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer package comes first on the path, as after an upgrade; only its metadata is read."""
    here = catalog.installed_version("onnxruntime")
    (place / "site" / "onnxruntime-99.0.dist-info").mkdir(parents=True)
    text = "Metadata-Version: 2.1\nName: onnxruntime\nVersion: 99.0\n"
    (place / "site" / "onnxruntime-99.0.dist-info" / "METADATA").write_text(text)
    monkeypatch.syspath_prepend(place / "site")
    found = planned(*POLICY, "--incremental")
    assert found["onnxruntime"] == (None, f"onnxruntime {here} → 99.0")
    assert found["noop"][0] is not None, "neither its backend nor its artifact has to do with that package"


def test_age_and_a_clock_that_jumped(place: Path) -> None:
    def move(how: str) -> None:
        with duckdb.connect(str(place / "results" / "harness.duckdb")) as con:
            con.execute(f"UPDATE rounds SET started_at = started_at {how}")

    move("- INTERVAL 36 HOURS")
    assert planned(*POLICY, "--refresh-older-than", "2")["noop"][0] is not None
    assert planned(*POLICY, "--refresh-older-than", "1.25")["noop"] == (None, "it is older than 1.25 days")
    assert planned(*POLICY, "--refresh-older-than", "1.25", "--force")["noop"] == (None, None)
    move("+ INTERVAL 10 DAYS")
    done = type_in("run", *NIGHTLY, "--incremental", "--json")
    assert "measured again, 2 cases" in done.stderr and "in the future" in done.stderr
    assert [case["reused_from"] for case in json.loads(done.stdout)["cases"]] == [None, None, None]


def test_no_database_means_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert planned("--incremental")["noop"] == (None, None)
    assert not (tmp_path / "results").exists()


@pytest.mark.long
def test_a_database_that_is_kept_by_another_process_is_exit_2(place: Path) -> None:
    with duckdb.connect(str(place / "results" / "harness.duckdb")):
        done = harness_process("run", *NIGHTLY, "--incremental", "--json", cwd=place)
    assert done.returncode == 2
    assert told_by_process(done)["error"]["code"] == "database_locked"
    assert count("runs") == 1


@pytest.mark.parametrize("days", ["0", "-1", "nan", "inf"])
def test_an_age_that_is_none_is_the_users_mistake(days: str) -> None:
    with pytest.raises(UserMistake, match="--refresh-older-than") as caught:
        type_in("plan", *NIGHTLY, "--refresh-older-than", days)
    assert caught.value.code == "bad_value"
