"""Maintaining gives space back and loses nothing, whatever ends it; the cache keeps what is used."""

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from harness.core.errors import UserMistake
from harness.core.nouns import PlannedCase
from harness.core.units import parse_days, parse_size
from harness.steps.maintaining import archive_old, maintain
from harness.store.compact import compact
from harness.store.database import open_for_reading, open_for_writing
from harness.store.ingest import ingest_run
from harness.store.journal import Journal, journal_path
from tests.store.made_up import case, round_of, run
from tests.store.test_ingest import everything

CASE = case()
LIMIT = 20_000_000_000
_DYING = """
import os, signal, sys
from pathlib import Path
from harness.store import compact
def dies(*given):
    if sys.argv[3] == "after":
        real(*given)
    os.kill(os.getpid(), signal.SIGKILL)
real = getattr(compact, sys.argv[2])
setattr(compact, sys.argv[2], dies)
compact.compact(Path(sys.argv[1]))
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Some 50 Rounds of an old Run and one that is newer."""
    path = tmp_path / "harness.duckdb"
    with open_for_writing(path) as con:
        for run_id, month, count in (("old", "2026-01", 50), ("new", "2026-06", 1)):
            started = f"{month}-02T00:00:00+00:00"
            rounds = [
                round_of(CASE, n, tuple(1 + i / 997 for i in range(997)), run_id=run_id, started_at=started)
                .model_copy(update={"round_id": f"{run_id}-{n}"})
                for n in range(1, count + 1)
            ]  # fmt: skip
            made = run(PlannedCase(case=CASE), run_id=run_id, started_at=started)
            ingest_run(con, made, [(one, {"samples": 997.0}) for one in rounds], [])
    return path


def count(path: Path, what: str = "samples") -> int:
    with open_for_reading(path) as con:
        found = con.execute(f"SELECT count(*) FROM {what}").fetchone()
    assert found is not None
    return int(found[0])


def test_archiving_makes_the_file_smaller(database: Path) -> None:
    with open_for_writing(database) as con:
        # As large as it takes for blocks to matter; random, so that they do not compress.
        con.execute("UPDATE recent_samples SET duration_ns = (1 + random() * 1e15)::BIGINT")
        con.execute(
            "INSERT INTO recent_samples SELECT round_id, position + 1000 * (1 + range), phase, clock,"
            " (1 + random() * 1e15)::BIGINT, runs FROM recent_samples, range(20)"
        )
    held = count(database)
    before = database.stat().st_size
    did = archive_old(database, datetime(2026, 5, 1), lambda _: None)
    assert did["samples"] == 50 * 997 * 21
    assert count(database) == held
    assert did["bytes_after"] == database.stat().st_size < before / 2
    assert did["archived_bytes"] > 8 * did["samples"] / 2  # the bytes are somewhere: the numbers are random


def test_a_compacted_database_is_the_same_but_smaller(database: Path) -> None:
    with open_for_writing(database) as con:
        con.execute("CREATE TABLE heap AS SELECT range AS n, random() AS x FROM range(2000000)")
        con.execute("CHECKPOINT")
        # What stays of it is written behind what goes, so that the hole is not at the end.
        con.execute("DELETE FROM heap WHERE n % 100 > 0")
        con.execute("CHECKPOINT")
    was, before = everything(database), database.stat().st_size
    done = compact(database)
    assert everything(database) == was
    assert done.rows["rounds"] == 51
    assert done.rows["recent_samples"] == 51 * 997
    assert done.rows["heap"] == 20_000
    assert (done.bytes_before, done.bytes_after) == (before, database.stat().st_size)
    assert done.bytes_after < before - 8_000_000
    assert not list(database.parent.glob(".compact-*"))
    with open_for_writing(database) as con:  # keys and all: it goes on as before
        assert con.execute("SELECT count(*) FROM performance_results_all_view").fetchone() == (2,)
        with pytest.raises(Exception, match="onstraint"):
            con.execute("INSERT INTO runs SELECT * FROM runs LIMIT 1")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize(
    ("step", "when"),
    [
        ("remake", "after"),
        pytest.param("_copied", "before", marks=pytest.mark.long),
        ("_copied", "after"),
        pytest.param("sync_folder", "before", marks=pytest.mark.long),
        pytest.param("size_of", "after", marks=pytest.mark.long),
    ],
)
def test_killed_it_is_the_old_one_or_the_new_one_and_what_is_left_is_cleared(
    database: Path, step: str, when: str
) -> None:
    was = everything(database)
    root = Path(__file__).parents[2]
    dying = subprocess.run([sys.executable, "-c", _DYING, str(database), step, when], cwd=root, check=False)
    assert dying.returncode == -signal.SIGKILL
    assert everything(database) == was
    left = [place.name for place in database.parent.glob(".compact-*")]
    did = maintain(database, LIMIT)
    assert not list(database.parent.glob(".compact-*"))
    assert set(did["leftovers"]) <= set(left)
    assert everything(database) == was


@pytest.mark.skipif(sys.platform == "win32", reason="symlinks need a right there")
def test_a_link_stays_a_link_and_what_it_leads_to_is_compacted(database: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "harness.duckdb"
    link.parent.mkdir()
    link.symlink_to(database)
    before, was = everything(database), database.stat().st_ino
    maintain(link, LIMIT)
    assert link.is_symlink()
    assert database.stat().st_ino != was
    assert everything(database) == before


def test_a_killed_process_leaves_no_empty_table_behind_a_view(database: Path) -> None:
    """Right after the first of the statements that make the points again."""
    dying = _DYING.replace("from harness.store import compact", "from harness.store import compact, derived")
    dying = dying.replace("setattr(compact, sys.argv[2], dies)", "setattr(derived, sys.argv[2], dies)")
    dying = dying.replace("getattr(compact", "getattr(derived")
    root = Path(__file__).parents[2]
    gone = subprocess.run(
        [sys.executable, "-c", dying, str(database), "remake_results", "before"], cwd=root, check=False
    )
    assert gone.returncode == -signal.SIGKILL
    assert count(database, "points") == 1


def test_numbers_of_what_it_did(database: Path) -> None:
    journal_path(database, "old").parent.mkdir()
    journal_path(database, "old").write_bytes(b"12345")
    theirs = database.parent / ".rebuild-other"
    theirs.mkdir()
    (theirs / "other.duckdb").touch()
    ours = database.parent / ".rebuild-ours"
    ours.mkdir()
    (ours / "harness.duckdb").touch()
    spilt = database.with_name("harness.duckdb.tmp")
    spilt.mkdir()
    did = maintain(database, LIMIT)
    assert not spilt.exists()
    assert did["rows"]["recent_samples"] == 51 * 997
    assert did["journal"] == {"bytes": 5, "runs": 1}
    assert did["leftovers"] == [".rebuild-ours", "harness.duckdb.tmp"]
    assert theirs.exists()
    assert did["bytes_after"] == database.stat().st_size


def artifact(database: Path, name: str, size: int, used_days_ago: float) -> Path:
    place = database.parent / "artifacts" / name
    (place / "onnx").mkdir(parents=True)
    (place / "onnx" / "model.onnx").write_bytes(b"x" * size)
    then = time.time() - used_days_ago * 24 * 3600
    for one in (place / "onnx" / "model.onnx", place / "onnx", place):
        os.utime(one, (then, then))
    return place


def test_the_least_recently_used_go_first(database: Path) -> None:
    made = {days: artifact(database, f"used-{days}", 1000, days) for days in (1, 9, 5)}
    killed = artifact(database, ".digest-x1", 10, 3)
    working = artifact(database, ".digest-x2", 10, 0.1)
    did = maintain(database, 2500)
    assert {days: place.exists() for days, place in made.items()} == {1: True, 5: True, 9: False}
    assert did["artifacts"] == {"removed": 1, "removed_bytes": 1000, "kept": 2, "kept_bytes": 2000, "limit_bytes": 2500}
    assert did["leftovers"] == ["artifacts/.digest-x1"]
    assert not killed.exists()
    assert working.exists()
    assert maintain(database, 0)["artifacts"]["kept"] == 0


def test_what_was_used_lately_stays_however_small_the_limit(database: Path) -> None:
    lately = artifact(database, "lately", 1000, 0.01)
    artifact(database, "once", 1000, 2)
    assert maintain(database, 0)["artifacts"]["kept"] == 1
    assert lately.exists()


def test_nothing_is_done_while_a_run_is_measuring_beside_it(database: Path) -> None:
    kept = artifact(database, "in-use", 1000, 30)
    size = database.stat().st_size
    with Journal(journal_path(database.parent / "other.duckdb", "20260102-going")):
        with pytest.raises(UserMistake, match="20260102-going"):
            maintain(database, 0)
        with pytest.raises(UserMistake, match="20260102-going") as caught:
            archive_old(database, datetime(2026, 5, 1), print)
        assert caught.value.code == "run_going"
    assert kept.exists()
    assert database.stat().st_size == size
    assert count(database, "recent_samples") == 51 * 997


def test_a_disk_without_room_is_refused_before(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(database.parent)
    monkeypatch.setattr("harness.store.archive.shutil.disk_usage", lambda _: usage._replace(free=1000))
    was = database.read_bytes()
    with pytest.raises(UserMistake) as caught:
        maintain(database, LIMIT)
    assert caught.value.code == "disk_full"
    assert database.read_bytes() == was


def test_what_people_write() -> None:
    assert (parse_days("180d"), parse_days("2w"), parse_days("0")) == (180, 14, 0)
    assert (parse_size("20GB"), parse_size("1.5 mb"), parse_size("0B")) == (20_000_000_000, 1_500_000, 0)
    for text in ("-1d", "soon", "1y"):
        with pytest.raises(UserMistake):
            parse_days(text)
    for text in ("20", "20 GiB", "-1GB"):
        with pytest.raises(UserMistake):
            parse_size(text)
