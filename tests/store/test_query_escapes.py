"""Whatever SQL tries from outside: no file, network, setting or object of ours is reached, nor the machine taken.

Each row is tried twice: as the process of a query answers it (here in our own, where there is more to reach), and on
the locked-down connection alone, without the list of allowed statements, so that each lock holds by itself.
"""

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import psutil
import pytest

from harness.core.errors import UserMistake
from harness.core.nouns import PlannedCase
from harness.store.database import open_for_reading, open_for_writing
from harness.store.ingest import write_run
from harness.store.query import MEMORY_BYTES, MOST_SQL, run_query
from harness.store.query_process import answer
from tests.store.made_up import case, run

SECRET = "the-secret-word"
# {f} is a folder that holds files with the secret word, {n} a port of this machine that listens.
READS = """
SELECT * FROM read_csv('{f}/secret.csv')
SELECT * FROM read_csv_auto('{f}/secret.csv')
SELECT * FROM read_text('{f}/secret.csv')
SELECT * FROM read_blob('{f}/secret.csv')
SELECT * FROM read_json('{f}/secret.json')
SELECT * FROM read_parquet('{f}/secret.parquet')
SELECT * FROM parquet_metadata('{f}/secret.parquet')
SELECT * FROM read_duckdb('{f}/secret.duckdb', table_name='t')
SELECT * FROM glob('{f}/*')
SELECT * FROM sniff_csv('{f}/secret.csv')
FROM '{f}/secret.csv'
FROM '{f}/secret.parquet'
FROM '{f}/secret.duckdb'
FROM "file://{f}/secret.csv"
FROM 'http://127.0.0.1:{n}/secret.csv'
SELECT * FROM read_csv('http://127.0.0.1:{n}/secret.csv')
SELECT * FROM query('SELECT * FROM read_text(''{f}/secret.csv'')')
SELECT * FROM query_table('{f}/secret.csv')
SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_text(''{f}/secret.csv'')'))
PRAGMA json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_text(''{f}/secret.csv'')'))
WITH a AS MATERIALIZED (FROM read_text('{f}/secret.csv')) FROM a
EXPLAIN ANALYZE SELECT * FROM read_text('{f}/secret.csv')
DESCRIBE SELECT * FROM read_csv('{f}/secret.csv')
SUMMARIZE FROM '{f}/secret.csv'
PIVOT '{f}/secret.csv' ON word USING count(*)
/* */ SELECT 1 UNION ALL FROM read_text('{f}/secret.csv') -- ;
ATTACH '{f}/secret.duckdb' AS other
ATTACH ':memory:' AS other
IMPORT DATABASE '{f}'
COPY runs FROM '{f}/secret.csv'
PREPARE p AS SELECT * FROM read_text('{f}/secret.csv')
SELECT getenv('THE_SECRET')
FROM word_in_python
FROM frame_of_a_caller
SELECT * FROM query_table('word_in_python')
SELECT * FROM pandas_scan(0)
SELECT * FROM arrow_scan(0, 0, 0)
SELECT 1; SELECT * FROM read_text('{f}/secret.csv')
""".strip().splitlines()
WRITES = """
COPY runs TO '{f}/new.csv'
COPY (SELECT 1) TO '{f}/new.parquet' (FORMAT parquet)
COPY runs TO '/dev/stdout'
EXPLAIN ANALYZE CREATE TEMP TABLE new_table AS SELECT 1
EXPLAIN ANALYZE COPY runs TO '{f}/new.csv'
EXPORT DATABASE '{f}/new'
ATTACH '{f}/new.duckdb' AS other
CREATE TABLE new_table (x INTEGER)
CREATE TABLE new_table AS SELECT 1
CREATE VIEW new_view AS SELECT 1
CREATE SCHEMA new_schema
CREATE SEQUENCE new_sequence
CREATE TYPE new_type AS ENUM ('a')
CREATE MACRO new_macro() AS 1
CREATE INDEX new_index ON runs (command)
CREATE SECRET new_secret (TYPE http)
CREATE PERSISTENT SECRET new_secret (TYPE http)
ALTER TABLE runs RENAME TO new_name
DROP TABLE runs
DROP VIEW performance_results_view
TRUNCATE runs
DELETE FROM runs
INSERT INTO schema_version VALUES (2)
UPDATE runs SET command = ''
MERGE INTO runs USING runs AS other ON false WHEN NOT MATCHED THEN INSERT
WITH gone AS (DELETE FROM runs RETURNING *) SELECT * FROM gone
EXPLAIN ANALYZE DELETE FROM runs
COMMENT ON TABLE runs IS 'new'
BEGIN; DROP TABLE runs; COMMIT
SELECT 1; DROP TABLE runs
SELECT 1 /* ; -- */ ; DROP TABLE runs
INSTALL httpfs
FORCE INSTALL spatial FROM community
LOAD httpfs
LOAD '{f}/new.duckdb_extension'
UPDATE EXTENSIONS
SET memory_limit = '100GB'
PRAGMA memory_limit = '100GB'
RESET memory_limit
SET GLOBAL threads = 64
SET temp_directory = '{f}/new'
SET max_temp_directory_size = '1TB'
SET lock_configuration = false
SET enable_external_access = true
SET allowed_directories = ['/']
SET allowed_paths = ['{f}/secret.csv']
SET python_enable_replacements = true
SET python_scan_all_frames = true
SET custom_extension_repository = 'http://127.0.0.1:{n}'
SET autoinstall_known_extensions = true
SET allow_unsigned_extensions = true
SET secret_directory = '{f}/new'
SET home_directory = '{f}/new'
SET log_query_path = '{f}/new.log'
SET profiling_output = '{f}/new.json'
SET http_proxy = '127.0.0.1:{n}'
PRAGMA enable_profiling = 'json'
PRAGMA profiling_output = '{f}/new.json'
CALL enable_logging(storage = 'file', storage_path = '{f}/new')
CALL force_checkpoint()
""".strip().splitlines()
# The database that is open is a file that the connection may reach: there only the list of statements stands before it.
ITSELF = """
COPY (SELECT 1) TO '{f}/harness.duckdb' (USE_TMP_FILE false)
EXPLAIN ANALYZE COPY (SELECT 1) TO '{f}/harness.duckdb' (USE_TMP_FILE false)
EXPLAIN (ANALYZE) COPY (SELECT 1) TO '{f}/harness.duckdb' (USE_TMP_FILE false)
explain/**/analyze/**/copy(select 1) to '{f}/harness.duckdb' (use_tmp_file false)
EXPLAIN ANALYZE COPY runs TO '{f}/harness.duckdb' (FORMAT parquet, USE_TMP_FILE false)
COPY (PIVOT (SELECT 1 AS a, 2 AS b) ON a USING sum(b)) TO '{f}/harness.duckdb' (USE_TMP_FILE false)
EXPLAIN ANALYZE COPY (PIVOT (SELECT 1 AS a, 2 AS b) ON a USING sum(b)) TO '{f}/harness.duckdb' (USE_TMP_FILE false)
EXPLAIN ANALYZE COPY (SELECT 1) TO '{f}/harness.duckdb.wal' (USE_TMP_FILE false)
""".strip().splitlines()
# Let through or not, these change nothing that outlives the question.
HARMLESS = """
SELECT write_log('new')
FROM duckdb_secrets()
SELECT 1 /* ; */ ; -- ; DROP TABLE runs
FROM checkpoint()
SELECT current_setting('memory_limit'), * FROM duckdb_databases()
FROM read_duckdb('{f}/harness.duckdb', table_name='runs')
CREATE TEMP TABLE new_table AS SELECT 1
CREATE TEMP MACRO new_macro() AS 1
CHECKPOINT
VACUUM
BEGIN
PREPARE p AS SELECT 1
SET VARIABLE new = 1
SET search_path = 'main'
CALL truncate_duckdb_logs()
DEALLOCATE p
""".strip().splitlines()


class Place(NamedTuple):
    """A database, what lies beside it, and a port that tells whether anybody came."""

    database: Path
    files: dict[str, bytes]
    listening: socket.socket

    def spell(self, sql: str) -> str:
        return sql.replace("{f}", str(self.database.parent)).replace("{n}", str(self.listening.getsockname()[1]))

    def check_untouched(self) -> None:
        folder = self.database.parent
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == self.files
        with pytest.raises(BlockingIOError):
            self.listening.accept()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    with open_for_writing(folder / "harness.duckdb") as con:
        write_run(con, run(PlannedCase(case=case())))
    (folder / "secret.csv").write_text(f"number,word\n1,{SECRET}\n")
    (folder / "secret.json").write_text(f'{{"word": "{SECRET}"}}')
    with duckdb.connect(str(folder / "secret.duckdb")) as con:
        con.execute(f"CREATE TABLE t AS SELECT '{SECRET}' AS word")
        con.execute(f"COPY t TO '{folder}/secret.parquet'")
        # The files are what they are called: the secret can be read by whoever may.
        assert con.execute(f"SELECT word FROM '{folder}/secret.parquet'").fetchall() == [(SECRET,)]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        yield Place(folder / "harness.duckdb", files, listening)


@pytest.fixture(autouse=True)
def _a_secret_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_SECRET", SECRET)


def asked(place: Place, sql: str) -> str:
    """Everything that comes back, refusals too."""
    frame_of_a_caller = {"word": np.array([SECRET])}
    limits = {"time_limit_s": 60, "most_rows": 1000, "most_bytes": 100_000}
    try:
        return answer({"path": str(place.database), "sql": sql, **limits})
    except UserMistake as mistake:
        assert mistake.code == "bad_sql"
        assert "Traceback" not in mistake.message
        return f"refused: {mistake.message} {mistake.hint}"
    finally:
        del frame_of_a_caller


def on_the_connection(place: Place, sql: str) -> tuple[str, list[Any], list[Any]]:
    """What comes back, and all settings before and after."""
    word_in_python = {"word": np.array([SECRET])}
    settings = "SELECT name, value FROM duckdb_settings() ORDER BY ALL"
    with open_for_reading(place.database) as con:
        before = con.execute(settings).fetchall()
        try:
            back = str(con.execute(sql).fetchmany(100))
        except duckdb.Error as error:
            back = str(error)
        with contextlib.suppress(duckdb.Error):
            con.execute("ROLLBACK")  # where the row began a transaction
        after = con.execute(settings).fetchall()
    del word_in_python
    return back, before, after


@pytest.mark.parametrize("sql", [*READS, *WRITES, *ITSELF])
def test_refused_and_nothing_happened(place: Place, sql: str) -> None:
    back = asked(place, place.spell(sql))
    assert back.startswith("refused")
    assert SECRET not in back
    place.check_untouched()


@pytest.mark.parametrize("sql", [READS[2], READS[10], READS[14], WRITES[0], WRITES[5], "FROM word_in_python"])
def test_refused_through_the_process_too(place: Place, sql: str) -> None:
    word_in_python = {"word": np.array([SECRET])}
    with pytest.raises(UserMistake) as caught:
        run_query(place.database, place.spell(sql))
    assert caught.value.code == "bad_sql"
    assert str(word_in_python["word"][0]) not in caught.value.message
    place.check_untouched()


@pytest.mark.parametrize("sql", HARMLESS)
def test_harmless_whether_refused_or_not(place: Place, sql: str) -> None:
    assert SECRET not in asked(place, place.spell(sql))
    place.check_untouched()
    new_tables = asked(place, "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'new%'")
    assert json.loads(new_tables)["rows"] == [[0]]


@pytest.mark.parametrize("sql", [*READS, *WRITES, *HARMLESS])
def test_the_locked_down_connection_alone_holds(place: Place, sql: str) -> None:
    back, before, after = on_the_connection(place, place.spell(sql))
    assert SECRET not in back
    harmless = {"search_path", "schema"}  # of this connection
    assert [row for row in after if row[0] not in harmless] == [row for row in before if row[0] not in harmless]
    place.check_untouched()


def test_the_locks_are_what_holds(place: Place) -> None:
    """Without them the same SQL does read Python's variables and files: the rows above try what is possible."""
    word_in_python = {"word": np.array([SECRET])}
    with duckdb.connect() as con:
        assert con.execute("FROM word_in_python").fetchall() == [(SECRET,)] == [tuple(word_in_python["word"])]
        assert SECRET in str(con.execute(place.spell("FROM '{f}/secret.csv'")).fetchall())


DEEP = 40_000
BOMBS = {
    "a sum over 1e14 rows": ("SELECT sum(a.range * b.range % 7) FROM range(10000000) a, range(10000000) b", "time"),
    "a recursion without end": (
        "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT count(*) FROM t",
        "time",
    ),
    "EXPLAIN ANALYZE": ("EXPLAIN ANALYZE SELECT count(*) FROM range(10000000) a, range(10000000) b, range(9)", "time"),
    "one long string": ("SELECT repeat('x', 4000000000)", "memory"),
    "long strings": ("SELECT repeat('x', 1000000) FROM range(1000000)", "memory"),
    "many middling strings": ("SELECT repeat('x', 10000) FROM range(1000000)", "size"),
    "one long list": ("SELECT range(1000000000)", "memory"),
    "a list of everything": ("SELECT list(range) FROM range(1000000000)", "memory"),
    "distinct": ("SELECT count(DISTINCT range) FROM range(10000000000)", "memory time"),
    "a sort": ("SELECT * FROM range(10000000000) ORDER BY hash(range) LIMIT 1 OFFSET 1000000000", "memory time"),
    "rows": ("FROM range(1000000000)", "rows"),
    "what cannot be interrupted": ("SELECT lpad('x', 2000000000, 'y')", "time memory"),
    "parentheses": (f"SELECT {'(' * DEEP}1{')' * DEEP}", "sql crashed"),
    "subqueries": (f"FROM {'(FROM ' * DEEP}runs{')' * DEEP}", "sql crashed"),
    "operators": (f"SELECT 1{'+1' * DEEP}", "sql crashed"),
    "negations": (f"SELECT {'NOT ' * DEEP}true", "sql crashed"),
    "brackets": (f"SELECT {'[' * DEEP}1{']' * DEEP}", "sql crashed"),
    "types": (f"SELECT NULL::INTEGER{'[]' * DEEP}", "sql crashed"),
    "JSON": ("SELECT json_contains(repeat('[', 500000) || repeat(']', 500000), '1')", "crashed sql"),
    "joins": (
        "SELECT 1 FROM runs AS r0"
        + "".join(f" JOIN runs AS r{i} ON r{i}.run_id = r{i - 1}.run_id" for i in range(1, 300)),
        "time",
    ),
    "text": (f"SELECT 1{' ' * MOST_SQL}", "sql"),
}


OFTEN = {"a recursion without end", "long strings", "many middling strings", "rows", "parentheses", "JSON", "text"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.long] * (name not in OFTEN)) for name in BOMBS])
def test_a_bomb_is_stopped_and_leaves_us_standing(place: Place, name: str) -> None:
    sql, ends = BOMBS[name]
    with pytest.raises(UserMistake) as caught:
        run_query(place.database, sql, time_limit_s=1 if "time" in ends else 60)
    assert caught.value.code in {"bad_sql" if end == "sql" else f"query_{end}" for end in ends.split()}
    assert len(caught.value.message) < 2000
    assert psutil.Process().children() == []
    place.check_untouched()
    if sys.platform != "win32":
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit <= MEMORY_BYTES * 1.2
    with open_for_writing(place.database):
        pass  # and the file is free


def test_a_killed_asker_leaves_nothing_that_runs_on(place: Place) -> None:
    """The process of the query has limits of its own, so that it ends when nobody watches it any more."""
    sql = "SELECT sum(a.range * b.range % 7) FROM range(10000000) a, range(10000000) b"
    code = "import sys, pathlib, harness.store.query as q; q.run_query(pathlib.Path(sys.argv[1]), sys.argv[2], 1)"
    asker = subprocess.Popen([sys.executable, "-c", code, str(place.database), sql], cwd=Path(__file__).parents[2])
    watched = psutil.Process(asker.pid)
    while not (running := watched.children()):
        assert asker.poll() is None
    asker.kill()
    asker.wait()
    gone, alive = psutil.wait_procs(running, timeout=60)
    assert gone and not alive


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW TABLES", "SHOW ALL TABLES", "DESCRIBE performance_results_view", "DESCRIBE SELECT 1", "SUMMARIZE runs",
        "WITH a AS (SELECT 1 AS x) SELECT x FROM a", "PIVOT runs ON run_id USING count(*)", "FROM runs", "TABLE runs",
        "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b", "VALUES (1), (2)", "SELECT 1;", "-- a word first\nSELECT 1 -- after",
        "EXPLAIN SELECT * FROM runs", "EXPLAIN ANALYZE SELECT * FROM runs", "(SELECT 1) UNION ALL (SELECT 2)",
        "SELECT machine->>'cpu' FROM runs", "SELECT now()::TIMESTAMP", "SELECT * FROM range(100000)",
    ],
)  # fmt: skip
def test_questions_are_answered(place: Place, sql: str) -> None:
    columns, rows = run_query(place.database, sql)
    assert columns and rows
    assert {len(row) for row in rows} == {len(columns)}
