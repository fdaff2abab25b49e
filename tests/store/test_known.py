"""What the database holds of a Case, for deciding; and the results that another Run shows."""

from pathlib import Path

import pytest

from harness import catalog
from harness.core.errors import UserMistake
from harness.core.nouns import UNKNOWN_VERSION, PlannedCase
from harness.core.rounds import Round, Run
from harness.measure.results import case_result
from harness.store.database import open_for_writing
from harness.store.ingest import ingest_run
from harness.store.known import known_results, stored_results
from harness.store.query import run_query
from harness.store.results import read_run
from tests.store.made_up import case, round_of, run

CASE, OTHER = case(), case("webgpu")
VERSIONS = {"torch": "2.13.0"}
METRICS = {name: metric.compute for name, metric in catalog.metrics().items()}


def planned_run(run_id: str, *points: PlannedCase, **changes: object) -> Run:
    return run(*points, run_id=run_id).model_copy(update=changes)


def write(path: Path, one: Run, *rounds: Round) -> None:
    mine = [
        each.model_copy(update={"run_id": one.run_id, "round_id": f"{one.run_id}-{each.round_id}"}) for each in rounds
    ]
    by_case = {point.case.case_id: point.case for point in one.plan.cases}
    results = [
        (of, case_result(one.run_id, of, here, METRICS))
        for case_id, of in by_case.items()
        if (here := [each for each in mine if each.case_id == case_id])
    ]
    with open_for_writing(path) as con:
        ingest_run(con, one, [(each, {}) for each in mine], results)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "harness.duckdb"
    stamped = PlannedCase(case=CASE, versions=VERSIONS)
    early = [round_of(CASE, n, (1.0,), started_at=f"2026-01-02T03:04:0{n}+00:00") for n in (1, 2)]
    write(path, planned_run("early", stamped, PlannedCase(case=OTHER, outcome="unsupported", reason="no")), *early)
    late = [
        round_of(CASE, 1, (2.0,), started_at="2026-01-03T00:00:00+00:00"),
        round_of(CASE, 2, (), started_at="2026-01-03T00:00:01+00:00", outcome="failed", code="crashed", verdict=None),
    ]
    write(path, planned_run("late", PlannedCase(case=CASE)), *late)
    elsewhere = planned_run("elsewhere", stamped, machine={"machine_id": "another"})
    write(path, elsewhere, round_of(CASE, 1, (3.0,)))
    again = PlannedCase(case=CASE, versions=VERSIONS, reused_from="early")
    write(path, planned_run("reusing", again, PlannedCase(case=OTHER)))
    return path


def test_every_measurement_on_this_machine_the_newest_first(database: Path) -> None:
    found = known_results(database, [CASE.case_id, OTHER.case_id], "made-up")
    assert found.keys() == {CASE.case_id}, "what was only planned, or impossible, was never measured"
    late, early = found[CASE.case_id]
    assert (late.run_id, late.outcome, late.rounds_ok, late.versions) == ("late", "failed", 1, None)
    assert (early.run_id, early.outcome, early.rounds_ok, early.versions) == ("early", "ok", 2, VERSIONS)
    assert early.measured_at == "2026-01-02T03:04:01+00:00", "when the first of its Rounds began"
    assert (early.rounds_planned, early.budget_ns, early.runtimes) == (3, 20_000_000_000, 1)


def test_nothing_is_known_of_other_machines_and_other_cases(database: Path) -> None:
    assert known_results(database, [CASE.case_id], "a third") == {}
    assert known_results(database, [case(batch_size=7).case_id], "made-up") == {}
    assert known_results(database, [], "made-up") == {}


def test_rounds_of_different_runtimes_are_told(tmp_path: Path) -> None:
    path = tmp_path / "harness.duckdb"
    mixed = [round_of(CASE, n, (1.0,), runtime={"torch": f"2.1{n}.0"}) for n in (1, 2)]
    write(path, planned_run("mixed", PlannedCase(case=CASE, versions=VERSIONS)), *mixed)
    assert known_results(path, [CASE.case_id], "made-up")[CASE.case_id][0].runtimes == 2


def test_no_database_and_no_result_are_told_apart(database: Path, tmp_path: Path) -> None:
    with pytest.raises(UserMistake) as caught:
        known_results(tmp_path / "none.duckdb", [CASE.case_id], "made-up")
    assert caught.value.code == "no_database"
    assert stored_results(database, {CASE.case_id: "gone"}) == {}


def test_a_run_shows_what_it_reuses_and_says_so(database: Path) -> None:
    early = {of.case_id: result for of, result in read_run(database, "early")[1]}[CASE.case_id]
    shown, pairs = read_run(database, "reusing")
    assert shown.plan.cases[0].reused_from == "early"
    assert pairs[0][1] == early.model_copy(update={"reused_from": "early"})
    assert pairs[0][1] == stored_results(database, {CASE.case_id: "early"})[CASE.case_id].reused(VERSIONS)
    assert pairs[1][1].code == "not_measured"


def test_nothing_is_counted_twice(database: Path) -> None:
    _, rows = run_query(database, f"select run_id from performance_results_all_view where case_id = '{CASE.case_id}'")
    assert sorted(rows) == [["early"], ["elsewhere"], ["late"]]
    _, results = run_query(database, "select run_id from results where run_id = 'reusing'")
    assert results == []


def test_a_result_that_is_there_no_more_has_failed_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "harness.duckdb"
    write(path, planned_run("reusing", PlannedCase(case=CASE, versions=VERSIONS, reused_from="gone")))
    result = read_run(path)[1][0][1]
    assert (result.outcome, result.code, result.reused_from) == ("failed", "reused_missing", "gone")
    assert "gone" in (result.reason or "")


def test_a_browser_that_cannot_be_compared_is_a_doubt(database: Path) -> None:
    point = PlannedCase(case=CASE, versions={"browser": UNKNOWN_VERSION}, reused_from="early")
    write(database, planned_run("doubting", point))
    assert any("browser's version" in doubt for doubt in read_run(database, "doubting")[1][0][1].doubts)
