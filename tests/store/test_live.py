"""The database while a run is under way: what keeps it from being fed stops nothing and loses nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.events import Event
from harness.execute.executor import Assignment
from harness.steps.recording import rebuild
from harness.store.query import run_query
from tests.test_pipeline import carry_out, well

_HOLD = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def rounds(database: Path) -> int:
    return int(run_query(database, "select count(*) from rounds")[1][0][0])


@pytest.mark.long
def test_a_database_that_somebody_keeps_is_fed_when_it_is_free(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"
    carry_out(tmp_path, well, cases=1, rounds=1)
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        outcome, watcher, _ = carry_out(tmp_path, well, cases=1, rounds=2)
        holder.communicate()
    assert [result.outcome for _, result in outcome.results] == ["ok", "unsupported"]
    warned = [line for line in watcher.said if line.startswith("warned")]
    assert len(warned) == 2 and "another process" in warned[0] and "db rebuild" in warned[1]
    assert rounds(database) == 1
    rebuild(database, lambda text: pytest.fail(text))
    assert rounds(database) == 3


def test_a_database_that_is_damaged_meanwhile_stops_nothing(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"

    def script(assignment: Assignment) -> list[Event]:
        if not damaged:
            damaged.append(database.write_bytes(b"not a database any more" * 1000))
        return well(assignment)

    damaged: list[int] = []
    outcome, watcher, _ = carry_out(tmp_path, script)
    assert [result.rounds for _, result in outcome.results] == [3, 3, 0]
    assert any("the journal has everything" in line for line in watcher.said)
    rebuild(database, lambda text: pytest.fail(text))
    assert rounds(database) == 6


@pytest.mark.parametrize("name", ["it's.duckdb", "sqlite:of.duckdb", "a b.duckdb"])
def test_other_processes_read_a_run_between_its_rounds(tmp_path: Path, name: str) -> None:
    """The file is let go of each time, whatever it is called; what the query sees is whole Rounds."""
    database = tmp_path / name
    seen: list[int] = []

    def script(assignment: Assignment) -> list[Event]:
        seen.append(rounds(database))  # in a process of its own
        return well(assignment)

    carry_out(tmp_path, script, cases=1, database=database)
    assert seen == [0, 1, 2]
    assert [path.name for path in database.parent.glob("*duckdb*")] == [database.name]
