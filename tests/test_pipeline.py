"""The whole walk on a fake executor: no process, no browser, under a second."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.core.events import Alive, Event, Failed, Hello, Refused, Samples
from harness.core.nouns import ArtifactRequest, Plan, PlannedCase, PlannedRound, Policy
from harness.core.rounds import CaseResult, Round
from harness.execute.executor import Assignment, FakeExecutor
from harness.export.request import digest_of_request, request_for
from harness.pipeline import Outcome, run_plan
from harness.show.as_json import run_as_json
from harness.steps.recording import rebuild
from harness.steps.workplace import Workplace
from harness.store.query import run_query
from harness.store.results import read_run
from tests.making import good_round, make_artifact, make_case, write_outputs

RIGHT = {"y": np.arange(6, dtype=np.float32).reshape(2, 3)}
VIEWS = ("performance_results_view", "performance_results_all_view")


class Silent:
    """A Watcher that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def started(self, run_id: str, plan: Plan) -> None:
        self.said.append("started")

    def exporting(self, request: ArtifactRequest, text: str) -> None:
        self.said.append(f"export {text}")

    def round_started(self, planned: PlannedRound, total: int) -> None:
        self.said.append(f"round {planned.number}")

    def heard(self, event: Event) -> None: ...

    def round_ended(self, round_: Round, result: CaseResult) -> None:
        self.said.append(f"{round_.outcome} {round_.code or ''}".strip())

    def warned(self, text: str) -> None:
        self.said.append(f"warned {text}")


def well(assignment: Assignment, factor: float = 1.0) -> list[Event]:
    outputs = [
        write_outputs(assignment.outputs_dir, name, {"y": RIGHT["y"] * np.float32(factor)})
        for name in ("first", "last")
    ]
    return good_round(outputs, [1_000_000 + 1000 * step for step in range(40)])


Script = Callable[[Assignment], Sequence[Event]]


def carry_out(
    tmp_path: Path, script: Script, cases: int = 2, rounds: int = 3, database: Path | None = None
) -> tuple[Outcome, Silent, FakeExecutor]:
    planned = tuple(PlannedCase(case=make_case(batch_size=size)) for size in range(1, cases + 1))
    for point in planned:
        folder = tmp_path / "artifacts" / digest_of_request(request_for(point.case))
        folder.mkdir(parents=True, exist_ok=True)
        make_artifact(folder, RIGHT)
    impossible = PlannedCase(case=make_case(batch_size=99), outcome="unsupported", reason="not here")
    plan = Plan(cases=(*planned, impossible), policy=Policy(rounds=rounds))
    watcher, executor = Silent(), FakeExecutor(script)
    place = Workplace(database or tmp_path / "t.duckdb", {"native": executor, "page": executor}, watcher)
    return asyncio.run(run_plan(plan, place, "harness run")), watcher, executor


def test_a_run_that_goes_well_is_ok_verified_and_stored(tmp_path: Path) -> None:
    outcome, watcher, executor = carry_out(tmp_path, well)
    assert [result.outcome for _, result in outcome.results] == ["ok", "ok", "unsupported"]
    assert len(executor.assignments) == 6
    assert [a.first_round for a in executor.assignments] == [True, True, False, False, False, False]
    case, result = outcome.results[0]
    assert result.correct is not None and result.correct.passed
    assert (result.rounds, result.metrics["samples"]) == (3, 120)
    # 40 durations in steps of 1 µs from 1 ms: the median of each Round lies half way between the 20th and the 21st
    assert result.metrics["latency_median_ms"] == pytest.approx(1.0195)
    assert result.metrics["throughput_items_per_second"] == pytest.approx(1000 / 1.0195)
    run, stored = read_run(tmp_path / "t.duckdb")
    assert run_as_json(run, stored) == run_as_json(outcome.run, outcome.results)
    assert not any(line.startswith(("export", "warned")) for line in watcher.said)
    assert case.case_id == stored[0][0].case_id


def test_every_point_asked_for_is_in_the_json(tmp_path: Path) -> None:
    outcome, _, _ = carry_out(tmp_path, well)
    told = json.loads(json.dumps(run_as_json(outcome.run, outcome.results)))
    assert [case["outcome"] for case in told["cases"]] == ["ok", "ok", "unsupported"]
    assert told["cases"][2]["reason"] == "not here"
    assert set(told["cases"][0]) >= {"case_id", "slug", "metrics", "correct", "clock", "doubts", "software", "options"}


def test_fast_but_wrong_has_failed_and_is_in_no_ranking(tmp_path: Path) -> None:
    outcome, _, _ = carry_out(tmp_path, lambda a: well(a, 1.03), cases=1)
    result = outcome.results[0][1]
    assert (result.outcome, result.code) == ("failed", "wrong_output")
    assert result.metrics["latency_median_ms"] is not None, "its timings are kept"
    _, ranked = run_query(tmp_path / "t.duckdb", "select * from performance_results_view")
    _, everything = run_query(tmp_path / "t.duckdb", "select * from performance_results_all_view")
    assert (len(ranked), len(everything)) == (0, 2)


@pytest.mark.parametrize(
    ("script", "outcome", "code"),
    [
        (lambda a: [Failed(code="crashed", reason="SIGSEGV")], "failed", "crashed"),
        (lambda a: [Refused(reason="no adapter")], "unsupported", None),
        (lambda a: [Alive(), *well(a)], "failed", "protocol"),
        (lambda a: [*well(a)[:1], *well(a)[:1]], "failed", "protocol"),
    ],
)
def test_a_bad_end_is_an_outcome_with_its_reason(
    tmp_path: Path, script: Script, outcome: str, code: str | None
) -> None:
    result = carry_out(tmp_path, script, cases=1)[0].results[0][1]
    assert (result.outcome, result.code, result.rounds) == (outcome, code, 1)
    assert result.reason


def test_rebuilding_from_the_journal_gives_the_same_rows(tmp_path: Path) -> None:
    def script(assignment: Assignment) -> list[Event]:
        return well(assignment, 1.03) if assignment.case.batch_size == 2 else well(assignment)

    carry_out(tmp_path, script)
    carry_out(tmp_path, well, cases=1)
    database = tmp_path / "t.duckdb"
    before = [run_query(database, f"select * from {view} order by all") for view in VIEWS]
    tables = ("runs", "rounds", "samples", "phases", "verdicts", "results", "result_metrics", "round_metrics")
    rows = [run_query(database, f"select * from {table} order by all") for table in tables]
    database.unlink()
    assert rebuild(database, lambda text: pytest.fail(text)) == 2
    assert [run_query(database, f"select * from {view} order by all") for view in VIEWS] == before
    assert [run_query(database, f"select * from {table} order by all") for table in tables] == rows


def test_an_interrupted_run_keeps_what_it_measured(tmp_path: Path) -> None:
    def script(assignment: Assignment) -> list[Event]:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(assignment.round_id)
        return well(assignment)

    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        carry_out(tmp_path, script)
    run, results = read_run(tmp_path / "t.duckdb")
    assert run.interrupted
    assert sum(result.rounds for _, result in results) == 2


def test_samples_in_batches_are_divided(tmp_path: Path) -> None:
    def script(assignment: Assignment) -> list[Event]:
        events = well(assignment)
        batch = Samples(phase="sample", clock="perf_counter", runs_per_sample=10, durations_ns=(50_000_000,) * 12)
        return [batch if isinstance(event, Samples) else event for event in events]

    result = carry_out(tmp_path, script, cases=1)[0].results[0][1]
    assert result.metrics["latency_median_ms"] == pytest.approx(5.0)


def test_a_software_adapter_is_called_software_everywhere(tmp_path: Path) -> None:
    def script(assignment: Assignment) -> list[Event]:
        hello, *rest = well(assignment)
        assert isinstance(hello, Hello)
        gpu = {"software": True, "description": "SwiftShader Device"}
        return [hello.model_copy(update={"provenance": {**hello.provenance, "webgpu": gpu}}), *rest]

    outcome, _, _ = carry_out(tmp_path, script, cases=1)
    result = outcome.results[0][1]
    assert result.software is True
    assert any("software" in doubt and "SwiftShader" in doubt for doubt in result.doubts)
    columns, rows = run_query(tmp_path / "t.duckdb", "select software from performance_results_view")
    assert (columns, rows) == (["software"], [[True]])
