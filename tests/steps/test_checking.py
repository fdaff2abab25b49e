"""Whatever is wrong with a database is found, named, and with what to do next; a sound one has no finding."""

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harness.core.errors import UserMistake
from harness.core.nouns import PlannedCase
from harness.steps.checking import check_database
from harness.steps.maintaining import maintain
from harness.steps.recording import rebuild
from harness.store.archive import archive
from harness.store.archived import archive_folder
from harness.store.database import open_for_reading, open_for_writing
from harness.store.journal import Journal, journal_path
from tests.store.made_up import case, round_records, run

CASES = (case("webgpu"), case("wasm"), case("wasm", batch_size=8))
RUN = run(*(PlannedCase(case=of) for of in CASES), PlannedCase(case=case("cuda"), outcome="unsupported", reason="none"))
SUM = "SELECT count(*), sum(duration_ns) FROM samples"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine Rounds of three Cases, from their journal."""
    path = tmp_path_factory.mktemp("sound") / "harness.duckdb"
    with Journal(journal_path(path, RUN.run_id)) as journal:
        journal.append({"record": "run", "run": RUN})
        for number in (1, 2, 3):
            for of in CASES:
                outcome, code = ("failed", "wrong_output") if of is CASES[1] and number == 2 else ("ok", None)
                for record in round_records(of, number, outcome, code):
                    journal.append(record)
        journal.append({"record": "run_end", "ended_at": "2026-01-02T03:05:00+00:00", "interrupted": False})
    rebuild(path, lambda text: pytest.fail(text))
    return path


@pytest.fixture
def database(sound: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoiled."""
    shutil.copytree(sound.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / sound.name


def found(path: Path, everything: bool = True) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = check_database(path, everything)["findings"]
    return findings


def wrong(path: Path) -> set[str]:
    return {one["what"] for one in found(path) if one["wrong"]}


def test_a_sound_one(database: Path) -> None:
    told = check_database(database, everything=True)
    assert told["findings"] == []
    assert told["looked_at"]["rounds of journals"] == 9
    assert told["looked_at"]["rounds derived anew"] == 9
    assert told["looked_at"]["rows"] > 9 * 14
    archive(database, datetime(2027, 1, 1))
    maintain(database, 10**12)
    assert found(database) == []


CHANGES = {
    "UPDATE recent_samples SET duration_ns = duration_ns + 1 WHERE position = 3": {
        "rounds that are not as the journal has them", "summaries that are not what the samples come to",
        "derived rows are not what would be derived now",
    },
    "UPDATE recent_samples SET duration_ns = -5 WHERE position = 3": {
        "samples of less than nothing", "rounds that are not as the journal has them",
        "summaries that are not what the samples come to", "derived rows are not what would be derived now",
    },
    "UPDATE recent_samples SET position = 100 WHERE position = 13": {"rounds whose samples are not there each once"},
    "INSERT INTO recent_samples SELECT * FROM recent_samples WHERE position = 1": {
        "rounds whose samples are not there each once", "summaries that are not what the samples come to",
        "derived rows are not what would be derived now", "rounds that are not as the journal has them",
    },
    "INSERT INTO memory VALUES ('no-such-round', 'x', 5)": {"rows whose round is not there"},
    "INSERT INTO recent_samples VALUES ('no-such-round', 0, 'sample', 'await', 5, 1)": {
        "rows whose round is not there", "summaries that are not what the samples come to",
    },
    "DELETE FROM runs": {"rows whose run is not there", "runs of the journal that the database lacks"},
    "DELETE FROM cases WHERE platform = 'wasm'": {"rows whose case is not there"},
    "DELETE FROM rounds WHERE number = 2": {
        "rows whose round is not there", "rounds of the journal that the database lacks",
    },
    "INSERT INTO rounds SELECT * REPLACE ('another' AS round_id) FROM rounds LIMIT 1": {
        "rounds of a run that its journal does not have",
    },
    "UPDATE runs SET ended_at = started_at - INTERVAL 1 SECOND": {
        "runs that ended before they began", "runs whose end is not as the journal has it",
    },
    "UPDATE rounds SET started_at = TIMESTAMP '2099-01-01 00:00:00' WHERE number = 1": {
        "rounds in the future", "rounds that are not as the journal has them",
    },
    "UPDATE summaries SET median_ns = 'NaN'::DOUBLE WHERE clock = 'await'": {
        "values of median_ns that are no numbers", "derived rows are not what would be derived now",
        "summaries out of order", "intervals that do not hold their median",
    },
    "UPDATE summaries SET ci95_low_ns = most_ns": {
        "intervals that do not hold their median", "derived rows are not what would be derived now",
    },
    "UPDATE summaries SET effective_n = effective_n * 0.9": {"derived rows are not what would be derived now"},
    "INSERT INTO phases SELECT * FROM phases LIMIT 1": {
        "more than one row of the same round_id, phase", "rounds that are not as the journal has them",
    },
    "UPDATE results SET latency_ci95_low_ms = 1e9, latency_ci95_high_ms = 2e9 WHERE outcome = 'ok'": {
        "latency intervals that do not hold their median", "results that are not what would be derived now",
    },
    "UPDATE round_metrics SET value = value * 2 WHERE metric = 'load_ms'": {
        "results that are not what would be derived now",
    },
}  # fmt: skip


# Where what the views show is kept beside the tables, it differs from a table that somebody changed.
SHOWN = {"rows that the views show are not what the tables come to"}


OFTEN = 6  # of the changes, those that are tried at every commit


@pytest.mark.parametrize(
    "change",
    [pytest.param(change, marks=[pytest.mark.long] * (place >= OFTEN)) for place, change in enumerate(CHANGES)],
)
def test_what_somebody_changed_is_found(database: Path, change: str) -> None:
    with open_for_writing(database) as con:
        con.execute(change)
    findings = found(database)
    assert {one["what"] for one in findings if one["wrong"]} - SHOWN == CHANGES[change]
    for one in findings:
        assert one["count"] >= 1
        assert one["example"]
        assert "harness db" in one["next"]
    rebuild(database, lambda text: pytest.fail(text))
    assert found(database) == []


def test_a_throughput_that_is_not_the_batch_over_the_latency(database: Path) -> None:
    with open_for_writing(database) as con:
        con.execute("UPDATE result_metrics SET value = value * 1.01 WHERE metric = 'throughput_items_per_second'")
    assert "throughputs that are not the batch over the latency" in wrong(database)


def test_journals(database: Path) -> None:
    file = journal_path(database, RUN.run_id)
    lines = file.read_bytes().splitlines(keepends=True)
    lines[20] = b"{nonsense\n"
    file.write_bytes(b"".join(lines) + b'{"record": "rou')
    told = found(database)
    assert "lines of a journal that cannot be read" in {one["what"] for one in told if one["wrong"]}
    (corrupt,) = (one for one in told if one["what"].startswith("lines of"))
    assert f"{file}:21" in corrupt["example"]
    assert any(not one["wrong"] and "half a line" in one["what"] for one in told)
    file.write_bytes(b"\n")
    assert "journals without a readable run" in wrong(database)
    file.unlink()
    (alone,) = found(database)
    assert (alone["wrong"], alone["example"]) == (False, RUN.run_id)
    with Journal(file):
        (going,) = (one for one in found(database) if "under way" in one["what"])
    assert not going["wrong"]


def spoil_begin(path: Path) -> None:
    with path.open("rb+") as file:
        file.write(bytes(12288))


def spoil_middle(path: Path) -> None:
    """Bytes in a block that is in use."""
    with duckdb.connect(str(path), read_only=True) as con:
        block = con.execute("SELECT max(block_id) FROM pragma_storage_info('aside')").fetchone()
    assert block is not None
    with path.open("rb+") as file:
        file.seek(3 * 4096 + block[0] * 262144 + 1000)
        file.write(b"\xa5" * 64)


def cut_short(path: Path) -> None:
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size // 2)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(spoil_begin, "header was overwritten"), (spoil_middle, "not as it was written"),
     (cut_short, "cut short"), (empty, "cut short")],
)  # fmt: skip
def test_a_damaged_file_is_told_in_words_and_rebuilt(database: Path, spoil: Callable[[Path], None], words: str) -> None:
    with open_for_reading(database) as con:
        before = con.execute(SUM).fetchall()
    with open_for_writing(database) as con:
        con.execute("CREATE TABLE aside AS SELECT random() AS x FROM range(300000)")
    spoil(database)
    damage = found(database)[0]
    assert damage["wrong"]
    assert words in damage["what"]
    assert "DuckDB says: " in damage["what"]
    assert "harness db rebuild" in damage["next"]
    rebuild(database, lambda text: pytest.fail(text))
    assert found(database) == []
    with open_for_reading(database) as con:
        assert con.execute(SUM).fetchall() == before


def test_an_archive_that_is_not_what_was_registered(database: Path) -> None:
    archive(database, datetime(2027, 1, 1))
    (file,) = (place for place in archive_folder(database).rglob("*") if place.is_file())
    content = file.read_bytes()
    file.write_bytes(content[:100] + b"\xff\xff" + content[102:])
    assert wrong(database) == {"archived files are not what was written"}
    file.write_bytes(content)
    shutil.copy(file, file.with_name("stray.parquet"))
    assert [(one["what"], one["wrong"]) for one in found(database)] == [
        ("files in the archive that the database knows nothing of", False)
    ]
    shutil.rmtree(archive_folder(database))
    assert wrong(database) == {"archived files of samples are missing"}


def test_a_rebuild_beside_an_archive_has_every_sample_once(database: Path) -> None:
    with open_for_reading(database) as con:
        before = con.execute(SUM).fetchall()
    archive(database, datetime(2027, 1, 1))
    rebuild(database, lambda text: pytest.fail(text))
    with open_for_reading(database) as con:
        assert con.execute(SUM).fetchall() == before
        assert con.execute(SUM.replace("samples", "recent_samples")).fetchall() == before
    assert wrong(database) == set()
    did = maintain(database, 10**12)  # the table has all that is in the file: nobody needs it
    assert len(did["archive"]["cleared"]) == 1
    assert found(database) == []


def test_what_is_no_finding_but_a_mistake(tmp_path: Path, database: Path) -> None:
    with pytest.raises(UserMistake) as caught:
        check_database(tmp_path / "none.duckdb", everything=False)
    assert caught.value.code == "no_database"
    with open_for_writing(database) as con:
        con.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(UserMistake) as caught:
        check_database(database, everything=False)
    assert caught.value.code == "database_version"


@pytest.mark.long
def test_one_flipped_bit_of_any_block_is_found(database: Path) -> None:
    """Also where no value of a table is read from the block, as in most of an index's."""
    maintain(database, 10**9)  # no block is free afterwards
    whole = database.read_bytes()
    blocks = range(3 * 4096, len(whole), 262_144)
    assert len(blocks) > 5
    for begin in blocks:
        spoiled = bytearray(whole)
        spoiled[begin + 262_143] ^= 1
        database.write_bytes(spoiled)
        assert [one["what"] for one in found(database) if one["wrong"] and "damaged" in one["what"]], begin
    database.write_bytes(whole)
    assert found(database) == []


@pytest.mark.parametrize(
    "spoil",
    [
        "DELETE FROM performance_results",
        "INSERT INTO performance_results SELECT * FROM performance_results",
        "UPDATE performance_results SET latency_p99_ms = 1",
        "UPDATE performance_results SET passed = NOT passed",
        "INSERT INTO result_metrics SELECT run_id, case_id, 'new_one', 1 FROM results",
        "DELETE FROM points",
    ],
)
def test_what_is_kept_beside_the_tables_is_held_against_them_and_made_again(database: Path, spoil: str) -> None:
    with open_for_writing(database) as con:
        con.execute(spoil)
    kept = {
        one["where"]: one["next"] for one in found(database, False) if one["where"] in ("performance_results", "points")
    }
    assert list(kept.values()) == ["harness db maintain (makes it again)"]
    maintain(database, 10**12)
    assert not [one for one in found(database, False) if one["where"] in ("performance_results", "points")]
