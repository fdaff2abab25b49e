"""anomalies and trends as a user types them, on databases of real and of scripted Rounds of `noop`."""

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from harness.cli import harness
from harness.core.events import Event, Failed, Hello
from harness.core.nouns import Plan, PlannedCase, Policy
from harness.core.rounds import Round
from harness.execute.executor import Assignment, FakeExecutor
from harness.export.request import digest_of_request, request_for
from harness.pipeline import Outcome, run_plan
from harness.processes.children import guarded
from harness.steps.workplace import RealExecutors, Workplace
from harness.store.results import run_ids
from tests.making import good_round, make_artifact, make_case, write_outputs
from tests.test_pipeline import RIGHT, Silent

CASE = make_case(options={"duration_us": "300"})
POLICY = Policy(rounds=3, budget_ns=600_000_000, quiet="off")
Script = Callable[[Assignment], list[Event]]


def said(*arguments: str, db: Path) -> Result:
    done = CliRunner().invoke(harness, [*arguments, "--db", str(db)], catch_exceptions=False, standalone_mode=False)
    assert done.return_value == 0, done.output
    return done


def told(*arguments: str, db: Path) -> Any:
    """The one JSON object on stdout."""
    return json.loads(said(*arguments, "--json", db=db).stdout)


def measure(db: Path, script: Script | None = None) -> Outcome:
    """A Run of the Case: by real workers, or as the script says."""
    folder = db.parent / "artifacts" / digest_of_request(request_for(CASE))
    if not folder.exists():
        folder.mkdir(parents=True)
        make_artifact(folder, RIGHT)
    fake = FakeExecutor(script) if script else None
    place = Workplace(db, {"native": fake} if fake else RealExecutors(), Silent())
    with guarded():
        return asyncio.run(run_plan(Plan(cases=(PlannedCase(case=CASE),), policy=POLICY), place, "harness run"))


def lasting(median_ms: float, like: Round | None = None, seed: int = 0, factor: float = 1.0) -> Script:
    """Rounds of 60 Samples around a median, that say they ran on what `like` ran on."""

    def script(assignment: Assignment) -> list[Event]:
        chance = np.random.default_rng(1000 * seed + assignment.number)
        durations = 1e6 * median_ms * np.exp(0.01 * chance.normal() + 0.02 * chance.normal(size=60))
        outputs = [
            write_outputs(assignment.outputs_dir, name, {"y": RIGHT["y"] * np.float32(factor)})
            for name in ("first", "last")
        ]
        events = good_round(outputs, [round(value) for value in durations])
        hello = events[0]
        assert isinstance(hello, Hello)
        return [hello if like is None else hello.model_copy(update={"runtime": like.runtime}), *events[1:]]

    return script


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Round]]:
    """A database with two Runs that real workers made, and one of their Rounds."""
    db = tmp_path_factory.mktemp("real") / "t.duckdb"
    outcomes = [measure(db) for _ in range(2)]
    yield db, outcomes[0].rounds[0]


def copied(db: Path, to: Path) -> Path:
    shutil.copytree(db.parent, to, dirs_exist_ok=True)
    return to / db.name


@pytest.mark.long
def test_what_was_the_moment_is_measured_again_and_not_confirmed(real: tuple[Path, Round], tmp_path: Path) -> None:
    db = copied(real[0], tmp_path)
    odd = measure(db, lasting(100, real[1]))  # three hundred times what it takes
    found = told("anomalies", "--rerun", db=db)
    assert found["run_id"] == odd.run.run_id and found["confidence"] == 0.95
    outliers = [one for one in found["anomalies"] if one["kind"] == "outlier"]
    assert [one["round"] for one in outliers] == [1, 2, 3]
    for one in outliers:
        assert one["case_id"] == CASE.case_id and one["value"] == pytest.approx(100, rel=0.05)
        assert one["expected"][1] < one["value"] and one["sentence"]
        # Whether a busy machine's new Rounds are near the old ones is another question; near 100 ms they are not.
        assert one["again"]["verdict"] in ("not_confirmed", "undecided") and one["again"]["reason"]
        assert one["again"]["doubts"] == []
    again = found["rerun"]["run_id"]
    kept = run_ids(db)
    assert again in kept and kept[0] == odd.run.run_id, "both are kept, and the last is the one that was asked for"
    shown = told("show", again, db=db)
    assert [(case["case_id"], case["outcome"], case["rounds"]) for case in shown["cases"]] == [(CASE.case_id, "ok", 3)]


@pytest.mark.long
def test_what_is_so_is_confirmed_by_real_rounds(real: tuple[Path, Round], tmp_path: Path) -> None:
    db = tmp_path / "t.duckdb"
    for seed in range(3):
        measure(db, lasting(100, real[1], seed))
    measure(db)
    found = told("anomalies", "--rerun", db=db)
    verdicts = [one["again"]["verdict"] for one in found["anomalies"] if one["kind"] == "outlier"]
    assert verdicts == ["confirmed"] * 3
    assert found["rerun"]["verdicts"]["confirmed"] >= 3


def test_versions_that_changed_meanwhile_are_a_doubt(
    real: tuple[Path, Round], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = copied(real[0], tmp_path)
    measure(db, lasting(100, real[1]))
    monkeypatch.setattr("harness.steps.versions.platform.python_version", lambda: "9.9.9")
    first = told("anomalies", "--rerun", db=db)["anomalies"][0]
    assert "9.9.9" in first["again"]["doubts"][0]
    assert first["again"]["doubts"][0].startswith("its versions changed meanwhile: python ")


def test_without_rerun_nothing_is_measured(tmp_path: Path) -> None:
    db = tmp_path / "t.duckdb"
    for seed in range(3):
        measure(db, lasting(10, seed=seed))
    quiet = told("anomalies", db=db)
    assert (quiet["anomalies"], quiet["not_judged"], quiet["rerun"]) == ([], [], None)
    assert (quiet["judged"]["cases"], quiet["judged"]["rounds"], quiet["judged"]["tests"]) == (1, 3, 9)
    assert told("anomalies", "--rerun", db=db)["rerun"] is None, "nothing is odd"
    assert len(run_ids(db)) == 3


def test_a_named_run_is_judged_by_all_others_and_options_are_heard(tmp_path: Path) -> None:
    db = tmp_path / "t.duckdb"
    odd = measure(db, lasting(11.5)).run.run_id
    for seed in range(1, 4):
        measure(db, lasting(10, seed=seed))
    assert told("anomalies", db=db)["anomalies"] == []
    found = told("anomalies", odd, db=db)
    assert [one["round"] for one in found["anomalies"]] == [1, 2, 3]
    assert told("anomalies", odd, "--min-samples", "12", db=db)["not_judged"][0]["reason"].startswith(
        "history too short: 11 of 12 other rounds"
    )
    assert told("anomalies", odd, "--confidence", "0.99999999999", db=db)["anomalies"] == []


def test_another_answer_and_a_failure_are_found_in_what_the_journal_and_the_database_hold(tmp_path: Path) -> None:
    db = tmp_path / "t.duckdb"
    measure(db, lasting(10))

    def failing(assignment: Assignment) -> list[Event]:
        if assignment.number == 3:
            return [Failed(code="crashed", reason="SIGSEGV")]
        return lasting(10, seed=5, factor=1.0005)(assignment)

    measure(db, failing)
    found = told("anomalies", db=db)["anomalies"]
    assert [(one["kind"], one["round"], one["also_rounds"]) for one in found] == [
        ("output_changed", 1, [2]), ("flaky", 3, [])
    ]  # fmt: skip
    assert found[0]["what"] == "max_abs" and found[0]["expected"] == [0.0, 0.0]
    assert found[0]["value"] == pytest.approx(5 * 0.0005, rel=0.01)  # the largest of 0 … 5
    table = said("anomalies", db=db).stdout
    assert "output changed" in table and "crashed: SIGSEGV" in table and "2 anomalies in 3 rounds" in table


def test_a_run_without_its_journal_is_a_users_mistake(tmp_path: Path) -> None:
    db = tmp_path / "t.duckdb"
    measure(db, lasting(10))
    shutil.rmtree(tmp_path / "t.journal")
    with pytest.raises(Exception, match="gone with its journal"):
        said("anomalies", db=db)


def test_trends_of_what_was_measured(tmp_path: Path) -> None:
    db = tmp_path / "t.duckdb"
    for seed in range(7):
        measure(db, lasting(10 if seed < 4 else 15, seed=seed))
    few = told("trends", db=db)["trends"][0]
    assert (few["verdict"], few["reason"], few["changes"]) == ("too_few_runs", "7 of 8 runs", [])
    measure(db, lasting(15, seed=7))
    found = told("trends", "noop", db=db)
    (trend,) = found["trends"]
    assert (trend["case_id"], trend["verdict"], len(trend["runs"])) == (CASE.case_id, "changed", 8)
    (change,) = trend["changes"]
    assert change["ratio"] == pytest.approx(1.5, rel=0.03) and change["p"] <= found["level"]
    assert [change["last_run_before"], change["first_run_after"]] == [trend["runs"][i]["run_id"] for i in (3, 4)]
    assert change["versions"] == []
    assert told("trends", "vit", db=db)["trends"] == []
    assert told("trends", "--since", "1", db=db)["trends"] == found["trends"]
    assert told("trends", "--since", "0.000000001", db=db)["trends"] == []
    table = said("trends", db=db).stdout
    assert "▁" in table and "█" in table
    # Where a line is folded hangs on the length of the runs' names.
    assert "no version that is known of changed" in " ".join(table.split())
