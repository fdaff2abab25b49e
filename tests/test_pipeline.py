"""The whole walk on a fake executor: no process, no browser, under a second."""

import asyncio
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from harness.core.errors import UserMistake
from harness.core.events import Alive, Event, Failed, Hello, Refused, Samples
from harness.core.nouns import ArtifactRequest, LoopPolicy, Plan, PlannedCase, PlannedRound, Policy
from harness.core.rounds import CaseResult, Round
from harness.execute.executor import Assignment, FakeExecutor
from harness.export.request import digest_of_request, request_for
from harness.pipeline import Outcome, resume_run, run_plan
from harness.plan.selection import make_selection
from harness.show.as_json import run_as_json
from harness.steps.recording import rebuild
from harness.steps.reusing import reuse_known
from harness.steps.workplace import Workplace
from harness.store.database import open_for_reading
from harness.store.query import run_query
from harness.store.results import read_run
from tests.making import good_round, make_artifact, make_case, write_outputs

RIGHT = {"y": np.arange(6, dtype=np.float32).reshape(2, 3)}
VIEWS = ("performance_results_view", "performance_results_all_view")


class Silent:
    """A Watcher that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def started(self, run_id: str, plan: Plan, rounds_done: int) -> None:
        self.said.append("started")

    def fetching(self, text: str) -> None: ...
    def exporting(self, request: ArtifactRequest, text: str) -> None:
        self.said.append(f"export {text}")

    def round_started(self, planned: PlannedRound, total: int) -> None:
        self.said.append(f"round {planned.number}")

    def heard(self, event: Event) -> None: ...

    def round_ended(self, round_: Round, result: CaseResult) -> None:
        self.said.append(f"{round_.outcome} {round_.code or ''}".strip())

    def warned(self, text: str) -> None:
        self.said.append(f"warned {text}")

    def invited(self, device: str, urls: Sequence[str]) -> None:
        self.said.append(f"invited {device}")

    def arrived(self, device: str, who: str) -> None:
        self.said.append(f"arrived {device}")


def well(assignment: Assignment, factor: float = 1.0) -> list[Event]:
    outputs = [
        write_outputs(assignment.outputs_dir, name, {"y": RIGHT["y"] * np.float32(factor)})
        for name in ("first", "last")
    ]
    return good_round(outputs, [1_000_000 + 1000 * step for step in range(40)])


Script = Callable[[Assignment], Sequence[Event]]


def carry_out(
    tmp_path: Path,
    script: Script,
    cases: int = 2,
    rounds: int = 3,
    database: Path | None = None,
    reusing: dict[str, Any] | None = None,
    quiet: Literal["warn", "strict", "off"] = "off",
) -> tuple[Outcome, Silent, FakeExecutor]:
    """A run; with `reusing` (flags of SELECTION) what is known already is reused as they say."""
    planned = tuple(PlannedCase(case=make_case(batch_size=size)) for size in range(1, cases + 1))
    for point in planned:
        folder = tmp_path / "artifacts" / digest_of_request(request_for(point.case))
        folder.mkdir(parents=True, exist_ok=True)
        make_artifact(folder, RIGHT)
    impossible = PlannedCase(case=make_case(batch_size=99), outcome="unsupported", reason="not here")
    plan = Plan(cases=(*planned, impossible), policy=Policy(rounds=rounds, quiet=quiet))
    watcher, executor = Silent(), FakeExecutor(script)
    place = Workplace(database or tmp_path / "t.duckdb", {"native": executor, "page": executor}, watcher)
    if reusing is not None:
        plan = reuse_known(plan, make_selection(None, {"model": "bert", **reusing}), place.database).plan
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
    reusing, _, executor = carry_out(tmp_path, script, cases=3, reusing={"incremental": True})
    assert len(executor.assignments) == 4, "the first is known; the second failed and does so at once, the third is new"
    database = tmp_path / "t.duckdb"
    before = [run_query(database, f"select * from {view} order by all") for view in VIEWS]
    tables = (
        "runs",
        "planned_cases",
        "rounds",
        "samples",
        "phases",
        "verdicts",
        "results",
        "result_metrics",
        "round_metrics",
    )
    rows = [run_query(database, f"select * from {table} order by all") for table in tables]
    database.unlink()
    assert rebuild(database, lambda text: pytest.fail(text)) == 3
    assert [run_query(database, f"select * from {view} order by all") for view in VIEWS] == before
    assert [run_query(database, f"select * from {table} order by all") for table in tables] == rows
    run, stored = read_run(database, reusing.run.run_id)
    assert run_as_json(run, stored) == run_as_json(reusing.run, reusing.results)


def test_what_is_known_is_shown_and_neither_measured_nor_exported_nor_stored_again(tmp_path: Path) -> None:
    first, _, _ = carry_out(tmp_path, well)
    shutil.rmtree(tmp_path / "artifacts")
    plan = reuse_known(
        first.run.plan, make_selection(None, {"model": "bert", "incremental": True}), tmp_path / "t.duckdb"
    )
    assert [point.reused_from for point in plan.plan.cases] == [first.run.run_id, first.run.run_id, None]
    executor, watcher = FakeExecutor(well), Silent()
    place = Workplace(tmp_path / "t.duckdb", {"native": executor}, watcher)
    second = asyncio.run(run_plan(plan.plan, place, "harness run"))
    assert (executor.assignments, second.exported, watcher.said) == ([], 0, ["started"])
    assert not (tmp_path / "artifacts").exists()
    expected = [result.model_copy(update={"reused_from": first.run.run_id}) for _, result in first.results[:2]]
    assert [result for _, result in second.results[:2]] == expected
    told = run_as_json(second.run, second.results)["cases"]
    assert [case["reused_from"] for case in told] == [first.run.run_id, first.run.run_id, None]
    assert all(case["measured_at"] >= first.run.started_at for case in told[:2])
    for table, count in (("rounds", 6), ("results", 4), ("performance_results_view", 2)):
        assert run_query(tmp_path / "t.duckdb", f"select count(*) from {table}")[1] == [[count]], table
    # A third run names the run that measured, not the one that reused.
    third, _, _ = carry_out(tmp_path, well, reusing={"incremental": True})
    assert {point.reused_from for point in third.run.plan.cases} == {first.run.run_id, None}


def test_what_a_worker_called_unsupported_is_not_asked_again_unless_forced(tmp_path: Path) -> None:
    def script(assignment: Assignment) -> list[Event]:
        return [Refused(reason="no adapter")]

    carry_out(tmp_path, script, cases=1)
    again, _, executor = carry_out(tmp_path, well, cases=1, reusing={"incremental": True})
    assert executor.assignments == []
    assert (again.results[0][1].outcome, again.results[0][1].reason) == ("unsupported", "no adapter")
    forced, _, _ = carry_out(tmp_path, well, cases=1, reusing={"incremental": True, "force": True})
    assert (forced.results[0][1].outcome, forced.results[0][1].reused_from) == ("ok", None)


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


def test_a_resumed_run_shows_what_it_reuses_and_refuses_other_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopping(assignment: Assignment) -> list[Event]:
        if not assignment.first_round:
            raise KeyboardInterrupt
        return well(assignment)

    first, _, _ = carry_out(tmp_path, well, cases=1)
    with pytest.raises(KeyboardInterrupt):
        carry_out(tmp_path, stopping, reusing={"incremental": True})
    executor = FakeExecutor(well)
    place = Workplace(tmp_path / "t.duckdb", {"native": executor, "page": executor}, Silent())
    with monkeypatch.context() as changed:
        changed.setattr(Policy, "loop", lambda self: LoopPolicy(slice_ns=1, warm_least=99))
        with pytest.raises(UserMistake, match="the measuring code changed") as caught:
            asyncio.run(resume_run("last", place))
        assert caught.value.code == "other_versions"
    resumed = asyncio.run(resume_run("last", place))
    assert [(result.outcome, result.reused_from) for _, result in resumed.results] == [
        ("ok", first.run.run_id), ("ok", None), ("unsupported", None)
    ]  # fmt: skip
    assert {assignment.case.batch_size for assignment in executor.assignments} == {2}
    _, stored = read_run(tmp_path / "t.duckdb", resumed.run.run_id)
    assert [result for _, result in stored] == [result for _, result in resumed.results]


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


def test_noise_is_stored_with_the_run_told_and_rebuilt(tmp_path: Path) -> None:
    outcome, watcher, _ = carry_out(tmp_path, well, cases=1, rounds=1, quiet="warn")
    quiet = outcome.run.machine["quiet"]
    assert quiet["policy"] == "warn"
    assert quiet["readings"]["window_s"] >= 1 and quiet["end"]["readings"]["window_s"] > 0
    warned = [line for line in watcher.said if line.startswith("warned nois")]
    findings = [*quiet["findings"], *quiet["end"]["findings"]]
    assert [line.partition(": ")[2] for line in warned] == [each["text"] for each in findings]
    database = tmp_path / "t.duckdb"
    assert read_run(database)[0].machine["quiet"] == quiet
    database.unlink()
    assert rebuild(database, lambda text: pytest.fail(text)) == 1
    assert read_run(database)[0].machine["quiet"] == quiet


def test_nobody_looks_where_quiet_is_off(tmp_path: Path) -> None:
    outcome, _, _ = carry_out(tmp_path, well, cases=1, rounds=1)
    quiet = outcome.run.machine["quiet"]
    assert (quiet["policy"], quiet["readings"], quiet["findings"], quiet["end"]) == ("off", None, [], None)


@pytest.mark.long
def test_a_long_query_that_holds_the_database_costs_the_run_nothing(tmp_path: Path) -> None:
    """It is held from before the Run until its second Round; what waited goes in with the next Round."""
    database = tmp_path / "t.duckdb"
    carry_out(tmp_path, well, cases=1, rounds=1)
    held = open_for_reading(database)

    def script(assignment: Assignment) -> list[Event]:
        if not assignment.first_round:
            held.close()
        return well(assignment)

    outcome, watcher, _ = carry_out(tmp_path, script, cases=1, rounds=2)
    assert any(line.startswith("warned") and "measuring goes on" in line for line in watcher.said)
    run, stored = read_run(database, outcome.run.run_id)
    assert run_as_json(run, stored) == run_as_json(outcome.run, outcome.results)
    assert len(run_query(database, "SELECT * FROM runs")[1]) == 2
