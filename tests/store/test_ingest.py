"""What is measured live and what is rebuilt from the journal are the same, row for row; twice is once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harness import catalog
from harness.core.errors import UserMistake
from harness.core.nouns import Case, PlannedCase
from harness.core.rounds import Round
from harness.measure.assemble import assemble, assemble_round
from harness.measure.results import case_result
from harness.store.database import open_for_reading, open_for_writing
from harness.store.ingest import ingest_run, write_result, write_round, write_run
from harness.store.journal import Journal, read_journal
from harness.store.results import read_run, run_ids
from tests.store.made_up import case, round_of, round_records, run

GOOD, WRONG, LATE = case("webgpu"), case("wasm"), case("wasm", batch_size=8)
IMPOSSIBLE = PlannedCase(case=case("cuda"), outcome="unsupported", reason="no CUDA device")
UNREACHED = case("webnn")
RUN = run(PlannedCase(case=GOOD), PlannedCase(case=WRONG), IMPOSSIBLE, PlannedCase(case=UNREACHED))
METRICS = {name: metric.compute for name, metric in catalog.metrics().items()}


def metrics_of(one: Round, of: Case) -> dict[str, float | None]:
    return {name: compute([one], of) for name, compute in METRICS.items()}


def measure_live(database: Path, journal_path: Path) -> None:
    """As the pipeline does: journal first, then the database, opened and closed for each Round."""
    done: dict[str, list[Round]] = {}
    with Journal(journal_path) as journal:
        journal.append({"record": "run", "run": RUN})
        with open_for_writing(database) as con:
            write_run(con, RUN)
        for number in (1, 2, 3):
            for of in (GOOD, WRONG, LATE):
                outcome, code = ("failed", "wrong_output") if of is WRONG and number == 2 else ("ok", None)
                kept = [journal.append(record) for record in round_records(of, number, outcome, code)]
                journal.sync()
                one = assemble_round(RUN.run_id, kept)
                done.setdefault(of.case_id, []).append(one)
                with open_for_writing(database) as con:
                    write_round(con, one, metrics_of(one, of))
                    write_result(con, of, case_result(RUN.run_id, of, done[of.case_id], METRICS))
        journal.append({"record": "run_end", "ended_at": "2026-01-02T03:05:00+00:00", "interrupted": True})
    with open_for_writing(database) as con:
        write_run(con, RUN.model_copy(update={"ended_at": "2026-01-02T03:05:00+00:00", "interrupted": True}))


def rebuild(database: Path, journal_path: Path) -> None:
    found = assemble(read_journal(journal_path).records)
    assert found.run is not None
    assert found.dropped == ()
    cases = {of.case_id: of for of in (GOOD, WRONG, LATE)}
    rounds = [(one, metrics_of(one, cases[one.case_id])) for one in found.rounds]
    results = [
        (of, case_result(found.run.run_id, of, [one for one in found.rounds if one.case_id == case_id], METRICS))
        for case_id, of in cases.items()
    ]
    with open_for_writing(database) as con:
        ingest_run(con, found.run, rounds, results)


def everything(database: Path) -> dict[str, list[Any]]:
    with open_for_reading(database) as con:
        names = con.execute(
            "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
        return {
            name: [con.execute(f"DESCRIBE {name}").fetchall(), con.execute(f"FROM {name} ORDER BY ALL").fetchall()]
            for (name,) in sorted(names)
        }


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("live")
    measure_live(folder / "live.duckdb", folder / "run.jsonl")
    return folder


def rows(database: Path, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
    with open_for_reading(database) as con:
        return con.execute(sql, list(parameters)).fetchall()


def test_rebuilt_is_live(live: Path, tmp_path: Path) -> None:
    rebuild(tmp_path / "rebuilt.duckdb", live / "run.jsonl")
    here, there = everything(live / "live.duckdb"), everything(tmp_path / "rebuilt.duckdb")
    assert {"performance_results_view", "performance_results_all_view", "samples", "results"} <= here.keys()
    for name in here:
        assert here[name] == there[name], name
    # Nine Rounds of fourteen Samples.
    assert len(here["samples"][1]) == 9 * 14
    rebuild(tmp_path / "rebuilt.duckdb", live / "run.jsonl")
    assert everything(tmp_path / "rebuilt.duckdb") == here


def test_the_view_ranks_only_what_is_ok_and_verified(live: Path) -> None:
    database = live / "live.duckdb"
    good = rows(
        database, "SELECT case_id, hardware_type, software, samples, browser_version FROM performance_results_view"
    )
    assert sorted(good) == sorted((of.case_id, of.platform, True, 42.0, "153.0") for of in (GOOD, LATE))
    everyone = rows(database, "SELECT case_id, outcome, code, reason FROM performance_results_all_view")
    assert {row[0]: row[1:3] for row in everyone} == {
        GOOD.case_id: ("ok", None),
        WRONG.case_id: ("failed", "wrong_output"),
        IMPOSSIBLE.case.case_id: ("unsupported", None),
        UNREACHED.case_id: ("failed", "not_measured"),
        LATE.case_id: ("ok", None),
    }


def test_the_view_has_the_columns_that_were_promised(live: Path) -> None:
    promised = """model_name model_family hardware_type backend device browser browser_version runtime batch_size length
        precision mode weights scale threads throughput_items_per_second latency_median_ms latency_mean_ms
        latency_p50_ms latency_p90_ms latency_p95_ms latency_p99_ms latency_ci95_low_ms latency_ci95_high_ms samples
        load_ms first_inference_ms peak_memory_mb software fallback_share run_id case_id slug started_at
        machine_id"""
    described = {row[0] for row in rows(live / "live.duckdb", "DESCRIBE performance_results_view")}
    assert set(promised.split()) <= described


def test_read_run_gives_back_what_was_written(live: Path) -> None:
    found, pairs = read_run(live / "live.duckdb")
    assert found == RUN.model_copy(
        update={
            "ended_at": "2026-01-02T03:05:00+00:00",
            "interrupted": True,
            "plan": RUN.plan.model_copy(update={"cases": (*RUN.plan.cases, PlannedCase(case=LATE))}),
        }
    )
    records = read_journal(live / "run.jsonl").records
    rounds = [one for one in assemble(records).rounds if one.case_id == WRONG.case_id]
    results = {of.case_id: result for of, result in pairs}
    assert results[WRONG.case_id] == case_result(RUN.run_id, WRONG, rounds, METRICS)
    assert results[IMPOSSIBLE.case.case_id].reason == "no CUDA device"
    assert results[UNREACHED.case_id].code == "not_measured"


def test_runs_by_prefix_and_near_match(tmp_path: Path) -> None:
    database = tmp_path / "harness.duckdb"
    with open_for_writing(database) as con:
        pass
    with pytest.raises(UserMistake, match="no run yet"):
        read_run(database)
    with open_for_writing(database) as con:
        write_run(con, run(run_id="20260101-aaaa", started_at="2026-01-01T10:00:00+02:00"))
        write_run(con, run(run_id="20260102-bbbb", started_at="2026-01-01T09:00:00+00:00"))
    # 10:00 at +02:00 is 08:00 UTC: the other one is newer.
    assert run_ids(database) == ["20260102-bbbb", "20260101-aaaa"]
    assert read_run(database, "last")[0].run_id == "20260102-bbbb"
    assert read_run(database, "20260101")[0].started_at == "2026-01-01T08:00:00+00:00"
    for asked, code, hint in (("2026", "ambiguous_run", "say more"), ("20260102-bbbx", "unknown_run", "20260102-bbbb")):
        with pytest.raises(UserMistake) as caught:
            read_run(database, asked)
        assert caught.value.code == code
        assert hint in str(caught.value.hint)


def test_a_new_metric_becomes_a_column(tmp_path: Path) -> None:
    database = tmp_path / "harness.duckdb"
    one = round_of(GOOD, 1, (1.0, 2.0))
    result = case_result(RUN.run_id, GOOD, [one], {"energy_j": lambda rounds, of: 4.5})
    with open_for_writing(database) as con:
        write_run(con, RUN)
        write_round(con, one, {"energy_j": 4.5})
        write_result(con, GOOD, result)
    assert rows(database, "SELECT energy_j FROM performance_results_view") == [(4.5,)]


def test_a_round_goes_in_whole_or_not_at_all(tmp_path: Path) -> None:
    database = tmp_path / "harness.duckdb"
    broken = round_of(GOOD, 1, (1.0,)).model_copy(update={"phases": {"load": "not a number"}})
    with open_for_writing(database) as con:
        with pytest.raises(duckdb.Error):
            write_round(con, broken, {})
        assert con.execute("SELECT count(*) FROM rounds").fetchall() == [(0,)]
        write_round(con, round_of(GOOD, 1, (1.0,)), {})
        assert con.execute("SELECT count(*) FROM samples").fetchall() == [(1,)]


def test_a_round_written_again_replaces_itself(tmp_path: Path) -> None:
    with open_for_writing(tmp_path / "harness.duckdb") as con:
        write_round(con, round_of(GOOD, 1, (1.0, 2.0, 3.0)), {"samples": 3.0})
        write_round(con, round_of(GOOD, 2, (1.0,)), {"samples": 1.0})
        write_round(con, round_of(GOOD, 1, (5.0,), verdict=None), {"samples": 1.0})
        assert con.execute("SELECT round_id, duration_ns FROM samples ORDER BY ALL").fetchall() == [
            (f"{GOOD.case_id}-1", 5_000_000),
            (f"{GOOD.case_id}-2", 1_000_000),
        ]
        assert con.execute("SELECT round_id FROM verdicts").fetchall() == [(f"{GOOD.case_id}-2",)]
        assert con.execute("SELECT count(*), sum(value) FROM round_metrics").fetchall() == [(2, 2.0)]
