"""A database that an older harness wrote is brought forward in place: nothing is lost, and it equals a new one."""

from pathlib import Path

import duckdb
import pytest

from harness import catalog
from harness.core.errors import UserMistake
from harness.core.nouns import PlannedCase
from harness.measure.results import case_result
from harness.store.database import open_for_reading, open_for_writing
from harness.store.ingest import ingest_run
from harness.store.known import known_results
from harness.store.migrations import MIGRATIONS, SCHEMA_VERSION
from harness.store.query import run_query
from harness.store.results import read_run
from tests.store.made_up import case, round_of, run
from tests.store.test_ingest import everything

CASE, OTHER = case(), case("webgpu", network="50mbit", runtime="onnxruntime-web@1.29.0", browser_version="147.0.2")
RUN = run(PlannedCase(case=CASE), PlannedCase(case=OTHER))
METRICS = {name: metric.compute for name, metric in catalog.metrics().items()}
FIRST_SCHEMA = (Path(__file__).parent / "version_1.sql").read_text(encoding="utf-8")
# Depends on the table that is changed, as the first views did.
FIRST_VIEW = """CREATE VIEW performance_results_all_view AS SELECT asked.*, results.* EXCLUDE (run_id, case_id, outcome,
    reason) FROM planned_cases AS asked LEFT JOIN results USING (run_id, case_id)"""


def write_new(path: Path) -> None:
    rounds = [round_of(CASE, number, (1.0 + number, 2.0)) for number in (1, 2)]
    with open_for_writing(path) as con:
        ingest_run(con, RUN, [(one, {"samples": 2.0}) for one in rounds], [
            (CASE, case_result(RUN.run_id, CASE, rounds, METRICS))
        ])  # fmt: skip


def write_version_1(path: Path, like: Path) -> None:
    """The first schema as it was, with the rows of another database as the first harness would have written them."""
    with duckdb.connect(str(path)) as con:
        con.execute(FIRST_SCHEMA)
        con.execute("INSERT INTO schema_version VALUES (1)")
        con.execute(FIRST_VIEW)
        con.execute(f"ATTACH '{like}' AS newer (READ_ONLY)")
        names = con.execute("SELECT table_name FROM duckdb_tables() WHERE database_name <> 'newer'").fetchall()
        for (name,) in names:
            if name != "schema_version":
                columns = ", ".join(row[0] for row in con.execute(f"DESCRIBE {name}").fetchall())
                con.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM newer.{name}")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    write_new(tmp_path / "new.duckdb")
    write_version_1(tmp_path / "old.duckdb", tmp_path / "new.duckdb")
    return tmp_path / "old.duckdb"


@pytest.mark.parametrize("how", [open_for_writing, open_for_reading])
def test_an_old_database_becomes_what_a_new_one_would_be(old: Path, how: object) -> None:
    (open_for_writing if how is open_for_writing else open_for_reading)(old).close()
    migrated, fresh = everything(old), everything(old.with_name("new.duckdb"))
    assert migrated.keys() == fresh.keys()
    assert migrated["schema_version"][1] == [(SCHEMA_VERSION,)]
    for name in fresh:
        assert migrated[name] == fresh[name], name
    assert len(migrated["samples"][1]) == 4


def test_its_results_are_shown_and_their_versions_are_unknown(old: Path) -> None:
    shown, pairs = read_run(old)
    assert shown == RUN
    assert pairs[0][1].metrics["samples"] == 4
    (known,) = known_results(old, [CASE.case_id, OTHER.case_id], "made-up")[CASE.case_id]
    assert (known.versions, known.rounds_ok) == (None, 2)


def test_a_step_that_fails_leaves_the_database_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as changed:
        changed.setitem(MIGRATIONS, 2, (*MIGRATIONS[2], "ALTER TABLE nowhere ADD COLUMN x INTEGER"))
        with pytest.raises(UserMistake, match="cannot be brought to") as caught:
            open_for_writing(old)
        assert caught.value.code == "database_version"
    with duckdb.connect(str(old), read_only=True) as con:
        assert con.execute("FROM schema_version").fetchall() == [(1,)]
        assert "reused_from" not in {row[0] for row in con.execute("DESCRIBE planned_cases").fetchall()}
    open_for_writing(old).close()
    assert everything(old)["schema_version"][1] == [(SCHEMA_VERSION,)]


def test_the_steps_are_one_after_the_other() -> None:
    assert list(MIGRATIONS) == list(range(2, SCHEMA_VERSION + 1))


def test_a_query_brings_an_old_database_forward(old: Path) -> None:
    columns, rows = run_query(old, "SELECT max(version) AS version FROM schema_version")
    assert (columns, rows) == (["version"], [[SCHEMA_VERSION]])
