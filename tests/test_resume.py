"""A run that was cut off anywhere goes on: nothing finished is measured again, and the end is the same."""

import asyncio
import json
import resource
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.core.errors import UserMistake
from harness.core.events import Event
from harness.core.noise import noise_lines
from harness.execute.executor import Assignment, FakeExecutor
from harness.pipeline import Outcome, resume_run
from harness.steps.recording import rebuild
from harness.steps.workplace import Workplace
from harness.store.journal import Journal, read_journal
from harness.store.query import run_query
from harness.store.results import read_run
from tests.test_pipeline import Script, Silent, carry_out, well

ROUNDS = [(size, number) for number in (1, 2, 3) for size in (1, 2)]


def goes_on(tmp_path: Path, script: Script = well, asked: str = "last") -> tuple[Outcome, Silent, FakeExecutor]:
    watcher, executor = Silent(), FakeExecutor(script)
    place = Workplace(tmp_path / "t.duckdb", {"native": executor, "page": executor}, watcher)
    return asyncio.run(resume_run(asked, place)), watcher, executor


def journal(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "t.journal").glob("*.jsonl")
    return path


def unfinished(tmp_path: Path) -> Path:
    """The journal without its last word, as `kill -9` leaves it."""
    path = journal(tmp_path)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    return path


@pytest.mark.parametrize("every", [29, pytest.param(7, marks=pytest.mark.long)])
def test_cut_off_after_any_line_it_goes_on_to_the_same_end(tmp_path: Path, every: int) -> None:
    carry_out(tmp_path, well)
    path = journal(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    records = read_journal(path).records
    assert len(lines) == len(records)
    for kept in range(1, len(lines), every):
        path.write_bytes(b"".join(lines[:kept]) + lines[kept][: len(lines[kept]) // 2])
        (tmp_path / "t.duckdb").unlink(missing_ok=True)
        finished = sum(record["record"] == "round_end" for record in records[:kept])
        outcome, watcher, executor = goes_on(tmp_path)
        assert len(executor.assignments) == len(ROUNDS) - finished
        assert [(result.outcome, result.rounds) for _, result in outcome.results[:2]] == [("ok", 3), ("ok", 3)]
        assert not [line for line in watcher.said if line.startswith("warned")]
        _, rows = run_query(tmp_path / "t.duckdb", "select case_id, number, count(*) from rounds group by all")
        assert len(rows) == len(ROUNDS) and all(count == 1 for _, _, count in rows)


def test_an_interrupted_run_goes_on_under_its_own_name_and_says_so(tmp_path: Path) -> None:
    def script(assignment: Assignment) -> list[Event]:
        if len(heard) == 3:
            raise KeyboardInterrupt
        heard.append(assignment.round_id)
        return well(assignment)

    heard: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        carry_out(tmp_path, script)
    outcome, _, executor = goes_on(tmp_path, asked=journal(tmp_path).stem[:12])
    assert len(executor.assignments) == len(ROUNDS) - 3
    assert outcome.run.run_id == journal(tmp_path).stem
    assert len(outcome.run.resumed_at) == 1 and not outcome.run.interrupted
    run, stored = read_run(tmp_path / "t.duckdb")
    assert not run.interrupted and sum(result.rounds for _, result in stored) == len(ROUNDS)
    tables = [run_query(tmp_path / "t.duckdb", f"select * from {name} order by all") for name in ("runs", "rounds")]
    (tmp_path / "t.duckdb").unlink()
    rebuild(tmp_path / "t.duckdb", lambda text: None)
    assert [
        run_query(tmp_path / "t.duckdb", f"select * from {name} order by all") for name in ("runs", "rounds")
    ] == tables


def test_with_nothing_left_to_measure_it_only_ends(tmp_path: Path) -> None:
    carry_out(tmp_path, well)
    unfinished(tmp_path)
    outcome, _, executor = goes_on(tmp_path)
    assert executor.assignments == [] and outcome.results[2][1].outcome == "unsupported"


def test_a_complete_run_is_left_as_it_is(tmp_path: Path) -> None:
    carry_out(tmp_path, well, cases=1, rounds=1)
    before = journal(tmp_path).read_bytes()
    with pytest.raises(UserMistake) as mistake:
        goes_on(tmp_path)
    assert mistake.value.code == "run_complete" and journal(tmp_path).read_bytes() == before


def test_what_could_not_be_exported_is_tried_again_and_old_noise_stays(tmp_path: Path) -> None:
    carry_out(tmp_path, well)
    path = unfinished(tmp_path)
    records = read_journal(path).records
    noisy = {"policy": "warn", "findings": [{"code": "other_processes", "text": "somebody compiled"}]}
    point = {**records[0]["run"]["plan"]["cases"][0], "outcome": "failed", "code": "killed", "reason": "export: killed"}
    kept = [
        {**record, "quiet": noisy} if record["record"] == "quiet" else record
        for record in records
        if record["record"] in ("run", "quiet")
    ]
    kept.insert(1, {"record": "point", "point": point})
    path.write_text("".join(json.dumps(record) + "\n" for record in kept))
    (tmp_path / "t.duckdb").unlink()
    outcome, _, executor = goes_on(tmp_path)
    assert len(executor.assignments) == len(ROUNDS) and outcome.results[0][1].outcome == "ok"
    run, stored = read_run(tmp_path / "t.duckdb")
    assert [result.outcome for _, result in stored] == ["ok", "ok", "unsupported"]
    assert noise_lines(run.machine) == ["noisy machine: somebody compiled"]


@pytest.mark.parametrize(
    ("asked", "code"), [("none-like-it", "unknown_run"), ("", "unknown_run"), ("../t", "unknown_run")]
)
def test_a_run_that_is_not_there_is_a_mistake(tmp_path: Path, asked: str, code: str) -> None:
    carry_out(tmp_path, well, cases=1, rounds=1)
    with pytest.raises(UserMistake) as mistake:
        goes_on(tmp_path, asked=asked)
    assert mistake.value.code == code


def test_no_run_at_all_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserMistake) as mistake:
        goes_on(tmp_path)
    assert mistake.value.code == "no_runs"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('"machine_id":"', '"machine_id":"another', "other_machine"),
        ('"numpy":"', '"numpy":"0.1.', "other_versions"),
        ('"artifact":"', '"artifact":"another', "other_artifact"),
        ('"record":"run",', '"record":"rum",', "unreadable_journal"),
    ],
)
def test_what_cannot_be_one_run_is_refused(tmp_path: Path, old: str, new: str, code: str) -> None:
    carry_out(tmp_path, well, cases=1, rounds=2)
    path = unfinished(tmp_path)
    path.write_text(path.read_text().replace(old, new))
    before = path.read_text()
    with pytest.raises(UserMistake) as mistake:
        goes_on(tmp_path)
    assert mistake.value.code == code and mistake.value.hint
    assert path.read_text().startswith(before)


def test_a_run_that_goes_on_elsewhere_is_left_alone(tmp_path: Path) -> None:
    carry_out(tmp_path, well, cases=1, rounds=1)
    with Journal(unfinished(tmp_path)), pytest.raises(UserMistake) as mistake:
        goes_on(tmp_path)
    assert mistake.value.code == "run_going"
    assert goes_on(tmp_path)[0].results


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
@pytest.mark.parametrize(
    "room_bytes", [7_000, *(pytest.param(each, marks=pytest.mark.long) for each in (4_000, 11_000, 14_000))]
)
def test_a_disk_that_fills_up_ends_the_run_in_order_and_it_goes_on_with_room(tmp_path: Path, room_bytes: int) -> None:
    """A limit on the size of files is a full disk that needs no disk of its own: the kernel refuses the write."""
    carry_out(tmp_path, well, cases=1, rounds=1)  # so that there is a database, which can then not grow either
    journal(tmp_path).unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, hard))
    try:
        with pytest.raises(UserMistake) as mistake:
            carry_out(tmp_path, well)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert mistake.value.code == "disk_full"
    assert f"--resume {journal(tmp_path).stem}" in (mistake.value.hint or "")
    reading = read_journal(journal(tmp_path))
    assert (reading.torn, reading.corrupt) == (None, ()), "what could not be written whole was taken back"
    finished = sum(record["record"] == "round_end" for record in reading.records)
    outcome, _, executor = goes_on(tmp_path)
    assert len(executor.assignments) == len(ROUNDS) - finished
    _, rows = run_query(tmp_path / "t.duckdb", f"select * from rounds where run_id = '{outcome.run.run_id}'")
    assert len(rows) == len(ROUNDS)


def test_a_disk_without_room_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(total=1, used=1, free=5_000_000))
    with pytest.raises(UserMistake) as mistake:
        carry_out(tmp_path, lambda assignment: pytest.fail("nothing may run"))
    assert mistake.value.code == "disk_full" and "5.0 MB" in mistake.value.message
