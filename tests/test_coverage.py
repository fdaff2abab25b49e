"""Coverage on fake executors: models side by side, nothing timed, nothing lost."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

import pytest

from harness.core.errors import UserMistake
from harness.core.events import Event, Failed
from harness.core.nouns import Case, Plan, PlannedCase, Policy
from harness.core.rounds import CaseResult
from harness.coverage import Ways, cover, resume_coverage
from harness.execute.executor import Assignment
from harness.export.request import digest_of_request, request_for
from harness.pipeline import Outcome, resume_run
from harness.steps.recording import rebuild
from harness.steps.workplace import Workplace
from harness.store.query import run_query
from harness.store.results import read_run
from tests.making import make_artifact, make_case, make_model
from tests.test_pipeline import RIGHT, Silent, well

NAMES = ("ant", "bee", "cat", "dog")
Script = Callable[[Assignment], Sequence[Event]]


class Place:
    """Executors of one place of work; `busy` counts over all places who is at work, and remembers the most."""

    def __init__(self, script: Script, busy: dict[str, int]) -> None:
        self._script, self._busy, self.closed = script, busy, False

    async def execute(self, assignment: Assignment) -> AsyncGenerator[Event, None]:
        self._busy["now"] = self._busy.get("now", 0) + 1
        self._busy["most"] = max(self._busy.get("most", 0), self._busy["now"])
        try:
            for event in self._script(assignment):
                await asyncio.sleep(0.001)
                yield event
        finally:
            self._busy["now"] -= 1

    async def close(self) -> None:
        self._busy["closed"] = self._busy.get("closed", 0) + 1


def cases_of(tmp_path: Path) -> list[Case]:
    """Two Cases of each of four models, with an Artifact each."""
    cases = []
    for name in NAMES:
        for size in (1, 2):
            case = make_case(model=make_model(name=name, identity=name), batch_size=size)
            folder = tmp_path / "artifacts" / digest_of_request(request_for(case))
            folder.mkdir(parents=True, exist_ok=True)
            make_artifact(folder, RIGHT)
            cases.append(case)
    return cases


def find_out(
    tmp_path: Path, script: Script = well, jobs: int = 2, busy: dict[str, int] | None = None, resume: str | None = None
) -> tuple[Outcome, list[tuple[list[str], int]]]:
    """A coverage of the four models; and what was said when each of them was done."""
    plan = Plan(
        cases=tuple(PlannedCase(case=case) for case in cases_of(tmp_path)),
        policy=Policy(purpose="coverage", rounds=1, quiet="off"),
    )
    told: list[tuple[list[str], int]] = []

    def ended(results: Sequence[tuple[Case, CaseResult]], done: int, total: int) -> None:
        told.append(([result.outcome for _, result in results], done))

    def executors() -> dict[str, Place]:
        place = Place(script, {} if busy is None else busy)
        return {"native": place, "page": place}

    ways = Ways(jobs=jobs, executors=executors, ended=ended)
    place = Workplace(tmp_path / "t.duckdb", {}, Silent())
    going = cover(plan, place, "harness coverage", ways) if resume is None else resume_coverage(resume, place, ways)
    return asyncio.run(going), told


def test_all_models_are_answered_and_none_is_timed(tmp_path: Path) -> None:
    outcome, told = find_out(tmp_path)
    assert [result.outcome for _, result in outcome.results] == ["ok"] * 8
    assert all(result.metrics == {} and result.stage is None for _, result in outcome.results)
    assert {one.purpose for one in outcome.rounds} == {"coverage"}
    assert sorted(told, key=lambda each: each[1]) == [(["ok", "ok"], done) for done in (1, 2, 3, 4)]
    _, ranked = run_query(tmp_path / "t.duckdb", "select * from performance_results_view")
    _, everything = run_query(
        tmp_path / "t.duckdb", "select distinct purpose, count(*) over () from performance_results_all_view"
    )
    assert (ranked, everything) == ([], [["coverage", 8]])


@pytest.mark.parametrize("jobs", [1, 3])
def test_as_many_at_a_time_as_were_asked_for_and_all_are_closed(tmp_path: Path, jobs: int) -> None:
    busy: dict[str, int] = {}
    find_out(tmp_path, jobs=jobs, busy=busy)
    assert (busy["most"], busy["now"]) == (jobs, 0)
    assert busy["closed"] == 2 * jobs, "native and page of each place"


def test_the_journal_of_models_side_by_side_makes_the_same_database(tmp_path: Path) -> None:
    outcome, _ = find_out(tmp_path, jobs=3)
    _, before = read_run(tmp_path / "t.duckdb")
    rebuild(tmp_path / "t.duckdb", lambda warning: pytest.fail(warning))
    _, after = read_run(tmp_path / "t.duckdb")
    assert before == after == outcome.results


def fails_for_bee(assignment: Assignment) -> Sequence[Event]:
    if assignment.case.model.name == "bee":
        return [Failed(code="crashed", reason="SIGSEGV")]
    return well(assignment)


def test_a_model_that_fails_is_data_and_says_where_it_stopped(tmp_path: Path) -> None:
    outcome, _ = find_out(tmp_path, fails_for_bee)
    found = {(case.model.name, result.outcome, result.stage) for case, result in outcome.results}
    assert found == {(name, "ok", None) for name in NAMES if name != "bee"} | {("bee", "failed", "start")}
    _, rows = run_query(tmp_path / "t.duckdb", "select stage, count(*) from results group by 1 order by 2")
    assert rows == [["start", 2], [None, 6]]


@pytest.mark.long
def test_what_cannot_be_exported_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    for case in cases_of(tmp_path):
        if case.model.name == "cat":  # what is asked for again cannot be had: such an architecture there is not
            folder = tmp_path / "artifacts" / digest_of_request(request_for(case))
            (folder / "artifact.json").unlink()
    outcome = as_they_lie_there(tmp_path)
    found = {case.model.name: (result.outcome, result.reason) for case, result in outcome.results}
    assert found["dog"] == ("ok", None)
    assert found["cat"][0] == "failed" and "'cat'" in str(found["cat"][1])
    assert read_run(tmp_path / "t.duckdb")[1] == outcome.results


def as_they_lie_there(tmp_path: Path) -> Outcome:
    """As `find_out`, with one Case of each model and the Artifacts as they are."""
    models = [make_case(model=make_model(name=name, identity=name), batch_size=1) for name in NAMES]
    plan = Plan(
        cases=tuple(PlannedCase(case=case) for case in models),
        policy=Policy(purpose="coverage", rounds=1, quiet="off"),
    )
    ways = Ways(jobs=2, executors=lambda: dict.fromkeys(("native", "page"), Place(well, {})))
    return asyncio.run(cover(plan, Workplace(tmp_path / "t.duckdb", {}, Silent()), "harness coverage", ways))


def test_what_was_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    def interrupted_at_cat(assignment: Assignment) -> Sequence[Event]:
        if assignment.case.model.name == "cat":
            raise KeyboardInterrupt
        return well(assignment)

    with pytest.raises(KeyboardInterrupt):
        find_out(tmp_path, interrupted_at_cat, jobs=1)
    asked: list[str] = []

    def remembers(assignment: Assignment) -> Sequence[Event]:
        asked.append(assignment.case.model.name)
        return well(assignment)

    outcome, told = find_out(tmp_path, remembers, resume="last")
    assert sorted(asked) == ["cat", "cat", "dog", "dog"]
    assert [result.outcome for _, result in outcome.results] == ["ok"] * 8
    assert len(told) == 2


def test_the_two_kinds_of_runs_do_not_go_on_with_each_other(tmp_path: Path) -> None:
    def interrupted(assignment: Assignment) -> Sequence[Event]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_out(tmp_path, interrupted)
    with pytest.raises(UserMistake, match="is coverage"):
        asyncio.run(resume_run("last", Workplace(tmp_path / "t.duckdb", {}, Silent())))


def test_artifacts_are_dropped_when_asked(tmp_path: Path) -> None:
    plan = Plan(
        cases=tuple(PlannedCase(case=case) for case in cases_of(tmp_path)),
        policy=Policy(purpose="coverage", rounds=1, quiet="off"),
    )
    ways = Ways(keeps_artifacts=False, executors=lambda: dict.fromkeys(("native", "page"), Place(well, {})))
    asyncio.run(cover(plan, Workplace(tmp_path / "t.duckdb", {}, Silent()), "harness coverage", ways))
    assert list((tmp_path / "artifacts").iterdir()) == []


def test_a_mistake_in_one_place_ends_all_and_comes_out_as_it_is(tmp_path: Path) -> None:
    def full(assignment: Assignment) -> Sequence[Event]:
        raise UserMistake("disk_full", "the disk is full", None)

    busy: dict[str, int] = {}
    with pytest.raises(UserMistake, match="the disk is full"):
        find_out(tmp_path, full, busy=busy)
    assert busy["now"] == 0 and busy["closed"] == 4
    (journal,) = (tmp_path / "t.journal").glob("*.jsonl")
    assert json.loads(journal.read_text("utf-8").splitlines()[-1])["interrupted"] is True
