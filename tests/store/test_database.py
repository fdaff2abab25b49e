"""One file, many processes: retry while it is locked, say so when it stays locked, refuse what is not ours."""

import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from harness.core.errors import UserMistake
from harness.store.database import ctrl_c, open_for_reading, open_for_writing

_HOLD = """
import duckdb, sys
con = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.readline()
con.close()
"""
_DIE = """
import os, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from harness.store.database import open_for_writing
from harness.store.ingest import write_run
from tests.store.made_up import run
con = open_for_writing(Path(sys.argv[1]))
con.execute("SET checkpoint_threshold = '1GB'")
write_run(con, run())
os._exit(9)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "deeper" / "harness.duckdb"
    open_for_writing(path).close()
    return path


def code_of(path: Path, writing: bool = False, patience_s: float = 0.1) -> str:
    with pytest.raises(UserMistake) as caught:
        (open_for_writing if writing else open_for_reading)(path, patience_s).close()
    assert caught.value.hint
    return caught.value.code


def _hold(path: Path) -> subprocess.Popen[str]:
    held = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert held.stdout is not None
    assert held.stdout.readline() == "held\n"
    return held


def test_locked_by_another_process_and_then_free(path: Path) -> None:
    with _hold(path) as held:
        assert code_of(path) == "database_locked"
        assert code_of(path, writing=True) == "database_locked"
        # The other one lets go while we wait: no error.
        assert held.stdin is not None
        held.stdin.write("\n")
        held.stdin.flush()
        open_for_reading(path, 30).close()
    open_for_writing(path, 30).close()


def test_a_reader_waits_for_a_writer_of_its_own_process(path: Path) -> None:
    with open_for_writing(path):
        assert code_of(path) == "database_locked"
    with open_for_reading(path), open_for_reading(path):
        assert code_of(path, writing=True) == "database_locked"


def test_a_killed_writer_leaves_nothing_half(path: Path) -> None:
    root = str(Path(__file__).parents[2])
    assert subprocess.run([sys.executable, "-c", _DIE, str(path), root], check=False).returncode == 9
    # What was committed is in the log beside the file; a locked-down reader must find it there.
    assert path.with_name(path.name + ".wal").exists()
    with open_for_reading(path) as con:
        assert con.execute("SELECT count(*) FROM runs").fetchall() == [(1,)]


def test_ctrl_c_during_a_statement_is_ctrl_c(path: Path) -> None:
    with open_for_writing(path) as con, pytest.raises(KeyboardInterrupt), ctrl_c():
        threading.Timer(0.3, con.interrupt).start()  # what DuckDB does to itself when it notices the signal
        con.execute("SELECT sum(a.range * b.range % 7) FROM range(10000000) a, range(10000000) b").fetchall()
    open_for_reading(path, 10).close()


def test_what_is_no_database(tmp_path: Path) -> None:
    text = tmp_path / "text.duckdb"
    text.write_text("not a database " * 500)
    other = tmp_path / "other.duckdb"
    with duckdb.connect(str(other)) as con:
        con.execute("CREATE TABLE theirs (x INTEGER)")
    assert code_of(tmp_path / "missing.duckdb") == "no_database"
    for writing in (False, True):
        assert code_of(text, writing) == "not_a_database"
        assert code_of(other, writing) == "not_a_database"
        assert code_of(tmp_path, writing) == "not_a_database"


def test_another_schema_version_is_refused(path: Path) -> None:
    with duckdb.connect(str(path)) as con:
        con.execute("UPDATE schema_version SET version = 99")
    assert code_of(path) == "database_version"
    assert code_of(path, writing=True) == "database_version"
