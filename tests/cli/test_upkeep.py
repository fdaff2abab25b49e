"""db archive, maintain and check as they are typed: exit codes, JSON, signals."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.core.nouns import PlannedCase
from harness.store.database import open_for_writing
from harness.store.ingest import ingest_run
from harness.store.journal import Journal, journal_path
from tests.store.made_up import case, round_of, run

ROOT = Path(__file__).parents[2]


def harness(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments, "--db", str(cwd / "harness.duckdb")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def told(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    with open_for_writing(tmp_path / "harness.duckdb") as con:
        ingest_run(con, run(PlannedCase(case=case())), [(round_of(case(), 1, (1.0, 2.0)), {})], [])
    return tmp_path


def test_archive_then_query_then_maintain_then_check(place: Path) -> None:
    young = told(harness("db", "archive", "--older-than", "99999w", "--json", cwd=place))
    assert (young["samples"], young["files"]) == (0, [])
    did = told(harness("db", "archive", "--older-than", "180d", "--json", cwd=place))
    assert (did["samples"], did["rounds"], len(did["files"])) == (2, 1, 1)
    assert (place / "harness.archive" / "samples" / did["files"][0]).is_file()
    asked = told(harness("query", "SELECT sum(duration_ns) FROM samples", "--json", cwd=place))
    assert asked["rows"] == [[3_000_000]]
    kept = told(harness("db", "maintain", "--cache-limit", "1GB", "--json", cwd=place))
    assert kept["rows"]["recent_samples"] == 0
    assert kept["archive"]["bytes"] == did["archived_bytes"]
    done = harness("db", "check", "--json", cwd=place)
    assert done.returncode == 0
    assert [one["wrong"] for one in told(done)["findings"]] == [False]  # it has no journal
    for verb in (("archive", "--older-than", "1d"), ("maintain",), ("check",)):
        words = harness("db", *verb, cwd=place)
        assert words.returncode == 0
        assert words.stdout
        assert "Traceback" not in words.stderr


def test_a_damaged_file_is_told_in_words_and_exit_1(place: Path) -> None:
    with (place / "harness.duckdb").open("rb+") as file:
        file.seek(3 * 4096 + 50)
        file.write(b"\xa5" * 200)
    done = harness("db", "check", cwd=place)
    assert done.returncode == 1
    assert "wrong: the file is damaged" in done.stdout
    assert "harness db rebuild" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("archive", "--older-than", "soon"), "bad_age"),
        (("maintain", "--cache-limit", "20"), "bad_size"),
        (("maintain", "--every", "never"), "bad_duration"),
        (("archive",), "usage"),
    ],
)
def test_mistakes(place: Path, arguments: tuple[str, ...], code: str) -> None:
    done = harness("db", *arguments, "--json", cwd=place)
    assert done.returncode == 2
    assert told(done)["error"]["code"] == code


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_init_makes_an_empty_database_once(tmp_path: Path) -> None:
    first, second = (told(harness("db", "init", "--json", cwd=tmp_path)) for _ in range(2))
    assert (first["made"], second["made"]) == (True, False)
    assert told(harness("query", "FROM performance_results_view", "--json", cwd=tmp_path))["rows"] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_every_goes_on_skips_while_measuring_and_ends_in_order(place: Path, number: signal.Signals) -> None:
    command = ["db", "maintain", "--every", "300ms", "--json", "--db", str(place / "harness.duckdb")]
    with subprocess.Popen(
        [sys.executable, "-m", "harness", *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    ) as staying:  # fmt: skip
        assert staying.stdout is not None
        first, second = (json.loads(staying.stdout.readline()) for _ in range(2))
        assert first["rows"] == second["rows"]
        with Journal(journal_path(place / "harness.duckdb", "20260102-going")):
            while "skipped" not in (line := json.loads(staying.stdout.readline())):
                pass
            assert line["code"] == "run_going"
            assert "20260102-going" in line["skipped"]
        while "rows" not in json.loads(staying.stdout.readline()):
            pass
        staying.send_signal(number)
        staying.stdout.read()
        assert staying.wait(60) == 0
    assert harness("db", "check", cwd=place).returncode == 0
