"""Old samples in Parquet: still seen, exactly once, whatever ends the archiving; a missing file is an error."""

import shutil
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from harness.core.errors import UserMistake
from harness.core.nouns import PlannedCase
from harness.core.rounds import Round
from harness.store.archive import archive
from harness.store.archived import archive_folder
from harness.store.database import open_for_reading, open_for_writing
from harness.store.ingest import ingest_run, write_round
from harness.store.query import run_query
from harness.store.query_process import answer
from tests.store.made_up import case, round_of, run

CASE = case()
MONTHS = ("2026-01", "2026-03", "2026-06")
EACH = (1.0, 2.0, 4.0)
CUT = datetime(2026, 5, 1)
ALL = "SELECT round_id, position, phase, clock, duration_ns, runs FROM samples ORDER BY ALL"
# The steps of one month, in their order; `point_view` is inside the transaction.
STEPS = ("_write_aside", "_read_back", "_put_into_place", "_take_out", "point_view")
_DYING = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from harness.store import archive
database, step, when = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
real = getattr(archive, step)
def dies(*given):
    if when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    back = real(*given)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(archive, step, dies)
archive.archive(database, datetime(2026, 5, 1))
"""


def round_in(month: str, number: int = 1) -> Round:
    return round_of(
        CASE, number, EACH, round_id=f"{month}-{number}", run_id=f"{month}-run", started_at=f"{month}-02T03:04:05+00:00"
    )


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "place" / "harness.duckdb"
    with open_for_writing(path) as con:
        for month in MONTHS:
            made = run(PlannedCase(case=CASE), run_id=f"{month}-run", started_at=f"{month}-01T00:00:00+00:00")
            ingest_run(con, made, [(round_in(month, number), {}) for number in (1, 2)], [])
    return path


def seen(path: Path) -> list[tuple[object, ...]]:
    with open_for_reading(path) as con:
        return con.execute(ALL).fetchall()


def in_table(path: Path) -> int:
    with open_for_reading(path) as con:
        found = con.execute("SELECT count(*) FROM recent_samples").fetchone()
    assert found is not None
    return int(found[0])


def files(path: Path) -> list[Path]:
    return sorted(place for place in archive_folder(path).rglob("*") if place.is_file())


def test_old_rounds_go_by_their_month_and_are_seen_as_before(database: Path) -> None:
    before = seen(database)
    done = archive(database, CUT)
    assert (done.rounds, done.samples) == (4, 12)
    assert in_table(database) == 6
    assert seen(database) == before
    assert len(before) == 18
    folders = [place.parent.relative_to(archive_folder(database)).as_posix() for place in files(database)]
    assert folders == ["year=2026/month=01", "year=2026/month=03"]
    # The query's own process, and DuckDB alone, started elsewhere.
    assert run_query(database, "SELECT count(*), sum(duration_ns) FROM samples")[1] == [[18, 6 * 7_000_000]]
    with duckdb.connect(str(database), read_only=True) as con:
        assert con.execute(ALL).fetchall() == before
    with duckdb.connect() as con:
        place = f"{archive_folder(database)}/**/*.parquet"
        found = con.execute("SELECT month, count(*) FROM read_parquet(?) GROUP BY 1 ORDER BY 1", [place]).fetchall()
        assert [(int(month), n) for month, n in found] == [(1, 6), (3, 6)]
        assert con.execute("SELECT DISTINCT compression FROM parquet_metadata(?)", [place]).fetchall() == [("ZSTD",)]


def test_again_does_nothing_and_a_later_one_adds_a_file(database: Path) -> None:
    before = seen(database)
    archive(database, CUT)
    assert archive(database, CUT).files == ()
    late = round_in("2026-03", 3)
    with open_for_writing(database) as con:
        write_round(con, late, {})
    again = archive(database, CUT)
    assert (again.samples, len(again.files)) == (3, 1)
    assert len(files(database)) == 3
    assert [row for row in seen(database) if row[0] != late.round_id] == before
    assert len(seen(database)) == len(before) + 3


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_nothing_is_lost_or_doubled(database: Path, step: str, when: str) -> None:
    before = seen(database)
    root = Path(__file__).parents[2]
    dying = subprocess.run([sys.executable, "-c", _DYING, str(database), step, when], cwd=root, check=False)
    assert dying.returncode == -signal.SIGKILL
    assert seen(database) == before
    archive(database, CUT)
    assert seen(database) == before
    assert in_table(database) == 6
    with open_for_reading(database) as con:
        registered = con.execute("SELECT file FROM archived_files ORDER BY file").fetchall()
    assert [place.relative_to(archive_folder(database)).as_posix() for place in files(database)] == [
        file for (file,) in registered
    ]


def test_moved_with_its_archive_it_is_found_again(database: Path, tmp_path: Path) -> None:
    before = seen(database)
    archive(database, CUT)
    database.parent.rename(tmp_path / "elsewhere")
    moved = tmp_path / "elsewhere" / "harness.duckdb"
    assert seen(moved) == before
    with duckdb.connect(str(moved), read_only=True) as con:
        assert con.execute(ALL).fetchall() == before


def test_without_its_archive_samples_are_an_error_and_all_else_is_answered(database: Path) -> None:
    archive(database, CUT)
    shutil.rmtree(archive_folder(database))
    with pytest.raises(UserMistake, match="2 archived files") as caught:
        run_query(database, "SELECT count(*) FROM samples")
    assert caught.value.code == "archive_missing"
    assert "rebuild" in str(caught.value.hint)
    assert run_query(database, "SELECT count(*) FROM rounds")[1] == [[6]]
    with pytest.raises(UserMistake) as refused:
        archive(database, datetime(2026, 12, 1))
    assert refused.value.code == "archive_missing"
    assert in_table(database) == 6


def test_moved_without_its_archive_it_does_not_read_the_old_place(database: Path, tmp_path: Path) -> None:
    archive(database, CUT)
    alone = tmp_path / "alone" / "harness.duckdb"
    alone.parent.mkdir()
    shutil.copy(database, alone)
    with pytest.raises(UserMistake) as caught:
        run_query(alone, "SELECT count(*) FROM samples")
    assert caught.value.code == "archive_missing"


def test_a_round_that_is_written_again_is_not_there_twice(database: Path) -> None:
    before = seen(database)
    archive(database, CUT)
    with open_for_writing(database) as con:
        write_round(con, round_in("2026-01", 1), {})
    assert seen(database) == before


def test_what_the_table_lacks_is_never_removed(database: Path) -> None:
    """A file that nobody registered: after a rebuild whose journal lacks a Run it may be the only copy."""
    archive(database, CUT)
    with open_for_writing(database) as con:
        con.execute("DELETE FROM archived_files")
        con.execute("CREATE OR REPLACE VIEW samples AS FROM recent_samples")
        for number in (1, 2):
            write_round(con, round_in("2026-03", number), {})
    done = archive(database, datetime(2026, 2, 1))
    assert [name.split("/")[1] for name in done.cleared] == ["month=03"]
    assert [name.split("/")[1] for name in done.unknown] == ["month=01"]
    assert [place.parent.name for place in files(database)] == ["month=01"]


def test_a_disk_without_room_is_refused_before(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(database.parent)
    monkeypatch.setattr("harness.store.archive.shutil.disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(UserMistake) as caught:
        archive(database, CUT)
    assert caught.value.code == "disk_full"
    assert files(database) == []


@pytest.mark.skipif(sys.platform == "win32", reason="symlinks need a right there")
def test_no_other_file_can_be_read_or_written_through_the_archive(database: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.parquet"
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT 'the-secret-word' AS word) TO '{secret}'")
    archive(database, CUT)
    first, second = files(database)
    (first.parent / "link.parquet").symlink_to(secret)
    (first.parent / "beside.parquet").write_bytes(secret.read_bytes())
    (archive_folder(database) / "folder").symlink_to(tmp_path)
    # What was registered as a file of ours is now a way out.
    second.unlink()
    second.symlink_to(secret)
    up = "/".join([".."] * 4)
    untouched = {place: place.read_bytes() for place in (first, secret)}
    tried = [
        *(f"FROM {read}('{place}')" for read in ("read_parquet", "read_text", "read_blob", "parquet_metadata", "glob")
          for place in (secret, second, first.parent / "link.parquet", first.parent / "beside.parquet",
                        f"{archive_folder(database)}/folder/secret.parquet", f"{first.parent}/{up}/secret.parquet",
                        f"{first}/../beside.parquet", f"{first.parent}/*", f"{first.parent}/../**")),
        f"COPY (SELECT 1) TO '{first}'",
        f"COPY (SELECT 1) TO '{first.parent}/new.parquet' (USE_TMP_FILE false)",
        f"EXPLAIN ANALYZE COPY (SELECT 1) TO '{first.parent}/new.csv' (USE_TMP_FILE false)",
        f"EXPORT DATABASE '{first.parent}/new'",
        f"ATTACH '{first.parent}/new.duckdb' AS other",
        "SET allowed_paths = ['/']", "SET allowed_directories = ['/']", "RESET allowed_paths",
    ]  # fmt: skip
    limits = {"path": str(database), "time_limit_s": 60, "most_rows": 1000, "most_bytes": 100_000}
    for sql in tried:
        with pytest.raises(UserMistake) as caught:
            answer({"sql": sql, **limits})
        assert "the-secret-word" not in caught.value.message, sql
        with open_for_reading(database) as con, pytest.raises(duckdb.Error) as refused:
            con.execute(sql).fetchall()  # the connection's own lock, without the list of statements
        assert "the-secret-word" not in str(refused.value), sql
    assert {place: place.read_bytes() for place in (first, secret)} == untouched
    assert not list(first.parent.glob("new*"))
    with open_for_reading(database) as con:
        assert con.execute(f"SELECT count(*) FROM read_parquet('{first}')").fetchall() == [(6,)]


def test_a_copy_of_the_database_beside_it_takes_nothing_of_its_archive_away(database: Path) -> None:
    copy = database.with_suffix(".bak")
    shutil.copy(database, copy)
    before = seen(database)
    archive(database, CUT)
    done = archive(copy, datetime(2020, 1, 1))  # it still has all of them in its table
    assert done.cleared == ()
    assert seen(database) == before


def test_a_run_is_written_again_while_its_archive_is_away(database: Path, tmp_path: Path) -> None:
    """As --resume does; the samples stay where they are."""
    before = seen(database)
    archive(database, CUT)
    folder = archive_folder(database).parent
    folder.rename(tmp_path / "away")
    made = run(PlannedCase(case=CASE), run_id="2026-01-run", started_at="2026-01-01T00:00:00+00:00")
    with open_for_writing(database) as con:
        ingest_run(con, made, [(round_in("2026-01", number), {}) for number in (1, 2)], [])
    (tmp_path / "away").rename(folder)
    assert seen(database) == before
