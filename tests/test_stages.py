"""A run that decides as it goes: what is left out is in the answer, the database, the journal and a later sitting."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.core.events import Event, Failed, Note
from harness.core.nouns import Plan, PlannedCase, Policy
from harness.execute.executor import Assignment, FakeExecutor
from harness.export.request import digest_of_request, request_for
from harness.pipeline import Outcome, resume_run, run_plan
from harness.show.as_json import run_as_json
from harness.show.memory_limit import memory_limit_as_json, memory_limit_lines
from harness.steps.advancing import Advance
from harness.steps.recording import rebuild
from harness.steps.results import results_of
from harness.steps.workplace import Workplace
from harness.store.query import run_query
from harness.store.results import read_run
from tests.making import make_artifact, make_case, make_model
from tests.test_pipeline import RIGHT, Script, Silent, well

MB = 1_000_000
TABLES = ("runs", "planned_cases", "rounds", "results", "result_metrics")


def plan_of(tmp_path: Path, batches: Sequence[int], **policy: Any) -> Plan:
    """With an Artifact on disk for each, so that nothing is exported."""
    points = tuple(PlannedCase(case=make_case(batch_size=size)) for size in batches)
    for point in points:
        folder = tmp_path / "artifacts" / digest_of_request(request_for(point.case))
        folder.mkdir(parents=True, exist_ok=True)
        make_artifact(folder, RIGHT)
    return Plan(cases=points, policy=Policy(rounds=2, quiet="off", **policy))


def place_for(tmp_path: Path, script: Script) -> tuple[Workplace, FakeExecutor]:
    executor = FakeExecutor(script)
    return Workplace(tmp_path / "t.duckdb", {"native": executor, "page": executor}, Silent()), executor


def carry_out(tmp_path: Path, plan: Plan, script: Script) -> tuple[Outcome, FakeExecutor]:
    place, executor = place_for(tmp_path, script)
    return asyncio.run(run_plan(plan, place, "harness run")), executor


def batches(executor: FakeExecutor) -> list[int]:
    return [assignment.case.batch_size for assignment in executor.assignments]


def fails_from_four(assignment: Assignment) -> Sequence[Event]:
    if assignment.case.batch_size >= 4:
        return [Failed(code="out_of_memory", reason="Cannot allocate memory")]
    return well(assignment)


def with_peak(assignment: Assignment) -> list[Event]:
    """100 MB, and 10 for each item."""
    peak = (100 + 10 * assignment.case.batch_size) * MB
    events = well(assignment)
    told = Note(kind="memory", text="high-water mark", data={"peak_rss": peak})
    return [told if isinstance(event, Note) and event.kind == "memory" else event for event in events]


def agree(tmp_path: Path, outcome: Outcome) -> None:
    """The answer is what the database holds, and what the journal makes of it again."""
    database = tmp_path / "t.duckdb"
    run, stored = read_run(database, outcome.run.run_id)
    assert run_as_json(run, stored) == run_as_json(outcome.run, outcome.results)
    rows = [run_query(database, f"select * from {table} order by all") for table in TABLES]
    database.unlink()
    rebuild(database, lambda text: None)  # a Round that was cut off is dropped, and said so
    assert [run_query(database, f"select * from {table} order by all") for table in TABLES] == rows


def test_what_failed_small_is_not_tried_big_and_everywhere_says_so(tmp_path: Path) -> None:
    outcome, executor = carry_out(tmp_path, plan_of(tmp_path, (8, 1, 4, 2), schedule="progressive"), fails_from_four)
    assert batches(executor) == [1, 1, 2, 2, 4]
    found = {case.batch_size: result for case, result in outcome.results}
    assert [found[size].outcome for size in (1, 2, 4, 8)] == ["ok", "ok", "failed", "unsupported"]
    assert found[8].code == "not_tried"
    assert found[8].reason == "not tried: at batch 4, length 8 it failed: out_of_memory: Cannot allocate memory"
    agree(tmp_path, outcome)


def test_what_is_not_tried_is_not_exported(tmp_path: Path) -> None:
    """Its Artifact is the only one that is not there, and no exporter is asked for it."""
    plan = plan_of(tmp_path, (1, 4), schedule="progressive")
    later = PlannedCase(case=make_case(batch_size=8))
    outcome, _ = carry_out(tmp_path, plan.model_copy(update={"cases": (*plan.cases, later)}), fails_from_four)
    assert outcome.exported == 0 and outcome.results[2][1].code == "not_tried"
    assert not (tmp_path / "artifacts" / digest_of_request(request_for(later.case))).exists()


@pytest.mark.parametrize("kept", [1, 4])
def test_a_progressive_run_goes_on_by_the_same_schedule(tmp_path: Path, kept: int) -> None:
    def stops(assignment: Assignment) -> Sequence[Event]:
        if len(heard) == kept:
            raise KeyboardInterrupt
        heard.append(assignment.case.batch_size)
        return fails_from_four(assignment)

    heard: list[int] = []
    plan = plan_of(tmp_path, (8, 1, 4, 2), schedule="progressive")
    with pytest.raises(KeyboardInterrupt):
        carry_out(tmp_path, plan, stops)
    place, executor = place_for(tmp_path, fails_from_four)
    outcome = asyncio.run(resume_run("last", place))
    assert heard + batches(executor) == [1, 1, 2, 2, 4]
    found = {case.batch_size: result for case, result in outcome.results}
    assert (found[8].outcome, found[8].code) == ("unsupported", "not_tried")
    agree(tmp_path, outcome)


def stops(assignment: Assignment) -> Sequence[Event]:
    raise KeyboardInterrupt


def interrupted_where_one_had_no_room(tmp_path: Path) -> None:
    """A sitting that ended in its first Round; of batch 2 it was decided before that it has no room."""
    plan = plan_of(tmp_path, (1, 2))
    refused = plan.cases[1].model_copy(update={"outcome": "unsupported", "code": "no_room", "reason": "then"})
    with pytest.raises(KeyboardInterrupt):
        carry_out(tmp_path, plan.model_copy(update={"cases": (plan.cases[0], refused)}), stops)


def test_what_an_earlier_sitting_left_out_is_decided_again(tmp_path: Path) -> None:
    """It had no room then; now there is."""
    interrupted_where_one_had_no_room(tmp_path)
    place, executor = place_for(tmp_path, well)
    outcome = asyncio.run(resume_run("last", place))
    assert [result.outcome for _, result in outcome.results] == ["ok", "ok"]
    assert sorted(batches(executor)) == [1, 1, 2, 2]


def test_a_search_measures_up_to_the_limit_and_answers(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, [2**power for power in range(9)], schedule="memory_limit", memory_limit_bytes=400 * MB)
    outcome, executor = carry_out(tmp_path, plan, with_peak)
    assert sorted(set(batches(executor))) == [1, 2, 4, 8, 16, 32]
    told = memory_limit_as_json(outcome.run, outcome.results)["memory_limit"]
    assert told["limit_mb"] == 400
    (found,) = told["found"]
    assert (found["batch_size"], found["peak_memory_mb"]) == (16, 260.0)
    assert found["next"] == {"batch_size": 32, "peak_memory_mb": 420.0, "why": "measured: over the limit"}
    # Every batch took the same time here, so the largest that fits has the highest throughput.
    assert [best["batch_size"] for best in told["best"]] == [16]
    over = next(result for case, result in outcome.results if case.batch_size == 32)
    assert over.outcome == "ok", "what is over the limit is measured like any other"
    lines = memory_limit_lines(outcome.run, outcome.results)
    assert "batch 16, 260 MB" in lines[1] and "batch 32: 420 MB, measured: over the limit" in lines[1]
    assert "Best in bert" in lines[2]
    agree(tmp_path, outcome)


def test_wrong_answers_do_not_fit_and_where_nothing_fits_it_says_why(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, (1, 2), schedule="memory_limit", memory_limit_bytes=400 * MB)
    outcome, _ = carry_out(tmp_path, plan, lambda assignment: well(assignment, 1.03))
    told = memory_limit_as_json(outcome.run, outcome.results)["memory_limit"]
    assert told["best"] == []
    assert told["found"][0]["batch_size"] is None
    assert told["found"][0]["next"]["batch_size"] == 1


def test_a_run_without_a_limit_tells_of_none(tmp_path: Path) -> None:
    outcome, _ = carry_out(tmp_path, plan_of(tmp_path, (1,)), well)
    assert memory_limit_as_json(outcome.run, outcome.results) == {}
    assert memory_limit_lines(outcome.run, outcome.results) == []


def test_what_has_no_room_is_neither_exported_nor_started(tmp_path: Path) -> None:
    full = PlannedCase(case=make_case(model=make_model(scale="full"), backend="pytorch", platform="cpu"))
    place, _ = place_for(tmp_path, well)
    plan = Plan(cases=(full, *plan_of(tmp_path, (1,)).cases), policy=Policy())
    advance = Advance([], place, lambda: 100 * MB)
    left_out, admitted = asyncio.run(advance.prepared(plan)).cases
    assert (left_out.outcome, left_out.code) == ("unsupported", "no_room")
    assert str(left_out.reason).endswith("100.0 MB are available: not started")
    assert admitted.outcome is None, "whose size nobody knows is tried"
    assert advance.made == 0 and list(advance.artifacts) == [admitted.case.case_id]


def test_a_profile_without_its_timing_is_a_case_that_was_not_measured(tmp_path: Path) -> None:
    """A damaged journal can leave a profile alone: the rest is read all the same."""
    outcome, _ = carry_out(tmp_path, plan_of(tmp_path, (1, 2)), well)
    alone = outcome.rounds[0].model_copy(update={"purpose": "profile"})
    others = [one for one in outcome.rounds if one.case_id != alone.case_id]
    told = results_of(outcome.run, [alone, *others])
    assert [case.case_id for case, _ in told] == [others[0].case_id]


def test_what_is_open_again_keeps_no_result_of_an_earlier_sitting(tmp_path: Path) -> None:
    """Interrupted twice before its Round: the database that was fed live and the one made again agree."""
    interrupted_where_one_had_no_room(tmp_path)
    before = run_query(tmp_path / "t.duckdb", "select outcome, code from results")[1]
    assert [tuple(row) for row in before] == [("unsupported", "no_room")]
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(resume_run("last", place_for(tmp_path, stops)[0]))
    asked = "select case_id, outcome, code from performance_results_all_view order by case_id"
    live = run_query(tmp_path / "t.duckdb", asked)
    rebuild(tmp_path / "t.duckdb", lambda text: None)
    assert run_query(tmp_path / "t.duckdb", asked) == live
    assert {row[2] for row in live[1]} == {"not_measured"}
