"""The history of Cases as it is read back from tables."""

from contextlib import closing
from pathlib import Path

import pytest

from harness.core.errors import UserMistake
from harness.core.nouns import PlannedCase
from harness.core.rounds import CaseResult, Round, Verdict
from harness.store.database import open_for_writing
from harness.store.history import machine_of, past_results, past_rounds
from harness.store.ingest import ingest_run
from tests.store.made_up import case, round_of, run, samples

CASE, OTHER = case(), case(batch_size=2)


def store(
    db: Path, day: int, rounds: list[Round], machine: str = "made-up", versions: dict[str, str] | None = None
) -> str:
    """A Run of a day, with its Rounds; the Case came to the latency of 10 ms a day."""
    run_id = f"run-{day}"
    points = [PlannedCase(case=one, versions=versions) for one in (CASE, OTHER)]
    made = run(*points, run_id=run_id, started_at=f"2026-01-{day:02}T00:00:00+00:00")
    made = made.model_copy(update={"machine": {**made.machine, "machine_id": machine}})
    mine = [
        one.model_copy(
            update={
                "run_id": run_id, "round_id": f"{run_id}-{one.case_id}-{one.number}-{one.purpose}",
                "started_at": f"2026-01-{day:02}T00:00:{one.number:02}+00:00",
            }
        )
        for one in rounds
    ]  # fmt: skip
    result = CaseResult(
        run_id=run_id, case_id=CASE.case_id, outcome="ok", rounds=3, runtime="torch@2.13.0",
        metrics={"latency_median_ms": 10.0 * day}, clock={"verdict": "perf_counter"},
    )  # fmt: skip
    failed = CaseResult(
        run_id=run_id, case_id=OTHER.case_id, outcome="failed", code="wrong_output",
        metrics={"latency_median_ms": 1.0}, clock={"verdict": "perf_counter"},
    )  # fmt: skip
    with closing(open_for_writing(db)) as con:
        ingest_run(con, made, [(one, {}) for one in mine], [(CASE, result), (OTHER, failed)])
    return run_id


def test_a_round_comes_back_with_its_medians_per_clock_its_versions_and_verdict(tmp_path: Path) -> None:
    db = tmp_path / "t.duckdb"
    verdict = Verdict(checked=True, passed=True, max_abs=0.5, cosine=0.75, agreement=1.0, tolerance=2.0)
    two_clocks = (samples(1, 2, 9, clock="await"), samples(8, 4, clock="await", runs=2), samples(3, clock="submit"))
    one = round_of(CASE, 1, samples=two_clocks, verdict=verdict, provenance={"artifact": "abc"})
    store(db, 1, [one], versions={"torch": "2.13.0"})
    (past,) = past_rounds(db, {CASE.case_id}, "made-up", "another")
    # Of 1, 2, 9 and 8, 4 ms per run the median is 4.
    assert past.medians_ms == {"await": 4.0, "submit": 3.0}
    assert (past.versions, past.runtime, past.artifact) == ({"torch": "2.13.0"}, {"torch": "2.13.0"}, "abc")
    assert past.verdict == verdict
    assert (past.started_at, past.outcome, past.number) == ("2026-01-01T00:00:01+00:00", "ok", 1)


def test_only_rounds_that_time_these_cases_on_this_machine_in_other_runs(tmp_path: Path) -> None:
    db = tmp_path / "t.duckdb"
    rounds = [
        round_of(CASE, 1, (1.0,)), round_of(CASE, 2, (1.0,), outcome="failed", code="x", verdict=None),
        round_of(CASE, 1, (1.0,), purpose="profile"), round_of(OTHER, 1, (1.0,)),
    ]  # fmt: skip
    for day in (3, 1, 2):
        store(db, day, rounds)
    store(db, 4, rounds, machine="another")
    found = past_rounds(db, {CASE.case_id}, "made-up", "run-2")
    assert [(one.run_id, one.number, one.outcome) for one in found] == [
        ("run-1", 1, "ok"), ("run-1", 2, "failed"), ("run-3", 1, "ok"), ("run-3", 2, "failed"),
    ]  # fmt: skip
    assert {one.case_id for one in found} == {CASE.case_id}
    assert all(one.versions is None and one.artifact is None for one in found)
    assert past_rounds(db, set(), "made-up", "run-2") == []


def test_results_are_those_that_were_ok_the_oldest_first(tmp_path: Path) -> None:
    db = tmp_path / "t.duckdb"
    for day in (2, 1, 3):
        store(db, day, [round_of(CASE, 1, (1.0,))], versions={"torch": str(day)})
    found = past_results(db)
    assert [(one.run_id, one.latency_ms, one.versions) for one in found] == [
        (f"run-{day}", 10.0 * day, {"torch": str(day)}) for day in (1, 2, 3)
    ]  # fmt: skip
    assert {(one.case_id, one.slug, one.machine_id, one.clock, one.runtime) for one in found} == {
        (CASE.case_id, CASE.slug, "made-up", "perf_counter", "torch@2.13.0")
    }
    assert [one.run_id for one in past_results(db, "2026-01-02T00:00:00+00:00")] == ["run-2", "run-3"]
    # An hour east of Greenwich midnight is the day before.
    assert len(past_results(db, "2026-01-02T00:30:00+01:00")) == 2


def test_the_machine_of_a_run(tmp_path: Path) -> None:
    db = tmp_path / "t.duckdb"
    run_id = store(db, 1, [], machine="here")
    assert machine_of(db, run_id) == "here"
    with pytest.raises(LookupError):
        machine_of(db, "nowhere")
    with pytest.raises(UserMistake) as caught:
        past_results(tmp_path / "none.duckdb")
    assert caught.value.code == "no_database"
