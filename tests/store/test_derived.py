"""What is kept because it follows from the rest is in step with it, however the rest came in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harness.core.nouns import PlannedCase
from harness.store import ingest
from harness.store.database import open_for_reading, open_for_writing
from harness.store.derived import remake
from harness.store.ingest import forget_results, ingest_run, write_done, write_points, write_run
from tests.store.made_up import case, round_of, run
from tests.store.made_up_results import ok
from tests.store.test_ingest import everything, live, rebuild  # noqa: F401 - `live` is a fixture

DERIVED = ("points", "performance_results")


def kept(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    return {
        name: [con.execute(f"DESCRIBE {name}").fetchall(), con.execute(f"FROM {name} ORDER BY ALL").fetchall()]
        for name in DERIVED
    }


def in_step(con: duckdb.DuckDBPyConnection) -> bool:
    before = kept(con)
    remake(con)
    return kept(con) == before


def test_what_a_live_run_left_is_what_would_be_made_anew(live: Path) -> None:  # noqa: F811
    with open_for_writing(live / "live.duckdb") as con:
        assert con.execute("SELECT count(*) FROM performance_results").fetchall() == [(5,)]
        assert in_step(con)


def test_every_way_of_writing_keeps_it(tmp_path: Path) -> None:
    one, other, late = case(), case("webgpu"), case("wasm")
    planned = run(PlannedCase(case=one), PlannedCase(case=other))
    done = round_of(one, 1, (1.0, 2.0, 3.0))
    first, second = ok(one, 2.0, run_id=planned.run_id), ok(late, 3.0, run_id=planned.run_id)
    with open_for_writing(tmp_path / "h.duckdb") as con:
        writes: tuple[Callable[[], None], ...] = (
            lambda: write_run(con, planned),
            lambda: write_done(con, done, {}, *first),
            lambda: write_done(con, round_of(late), {}, *second),  # a schedule made it: not in the Plan
            lambda: write_points(
                con, planned.run_id, {1: PlannedCase(case=other, outcome="failed", reason="its export failed")}, []
            ),
            lambda: forget_results(con, planned.run_id),
            lambda: ingest_run(con, planned, [(done, {})], [first, second]),
        )
        for write in writes:
            write()
            assert in_step(con)
        shown = con.execute(
            "SELECT case_id, outcome, latency_median_ms FROM performance_results ORDER BY slug"
        ).fetchall()
    assert sorted(shown) == sorted(
        [(one.case_id, "ok", 2.0), (late.case_id, "ok", 3.0), (other.case_id, "failed", None)]
    )


def test_metrics_stand_in_one_order_whichever_came_first(tmp_path: Path) -> None:
    one, shown = case(), []
    for names in (("b_new", "a_new"), ("a_new", "b_new")):
        path = tmp_path / f"{names[0]}.duckdb"
        with open_for_writing(path) as con:
            planned = run(PlannedCase(case=one))
            write_run(con, planned)
            for number, name in enumerate(names):
                result = ok(one, 2.0, run_id=planned.run_id, metrics={name: 1.5 + number})
                write_done(con, round_of(one, number + 1, (1.0,)), {}, *result)
            last = con.execute(f"SELECT {names[0]}, {names[1]} FROM performance_results_view").fetchall()
            assert last == [(None, 2.5)], "the first one's result was replaced"
            shown.append(con.execute("DESCRIBE performance_results_all_view").fetchall())
    assert shown[0] == shown[1]
    columns = [row[0] for row in shown[0]]
    assert columns.index("b_new") == columns.index("a_new") + 1 == columns.index("latency_ci95_low_ms") - 1


def test_points_with_the_same_digest_differ_in_nothing_else(tmp_path: Path) -> None:
    base = case(batch_size=1)
    renamed = base.model_copy(update={"model": base.model.model_copy(update={"name": "my-bert", "family": "vision"})})
    cases = {
        "base": base,
        "batch": case(batch_size=8),
        "platform": case("webgpu", batch_size=1),
        "precision": case(precision="int8", batch_size=1),
        "both": case("webgpu", precision="int8", batch_size=1),
        "seed": case(batch_size=1, seed=7),
    }
    with open_for_writing(tmp_path / "h.duckdb") as con:
        write_run(con, run(*(PlannedCase(case=each) for each in (renamed, *cases.values()))))
        rows = con.execute(
            "SELECT case_id, all_but_batch, all_but_platform, all_but_precision, all_but_platform_and_precision"
            " FROM points"
        ).fetchall()
    points = {case_id: digests for case_id, *digests in rows}
    assert len(points) == len(cases), "a model's name and family do not make another Case"
    same = {
        name: [mine == theirs for mine, theirs in zip(points[each.case_id], points[base.case_id], strict=True)]
        for name, each in cases.items()
    }
    assert same == {
        "base": [True, True, True, True],
        "batch": [True, False, False, False],
        "platform": [False, True, False, True],
        "precision": [False, False, True, True],
        "both": [False, False, False, True],
        "seed": [False, False, False, False],
    }


def test_many_rows_go_in_as_few_do(live: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """As columns of numpy, or as lists: nulls, lists, JSON, times, truths and texts arrive alike."""
    rebuild(tmp_path / "few.duckdb", live / "run.jsonl")
    monkeypatch.setattr(ingest, "_MANY", 1)
    rebuild(tmp_path / "many.duckdb", live / "run.jsonl")
    few, many = everything(tmp_path / "few.duckdb"), everything(tmp_path / "many.duckdb")
    for name in few:
        assert few[name] == many[name], name
    with open_for_reading(tmp_path / "many.duckdb") as con:
        assert con.execute("SELECT count(*) FROM samples").fetchall() == [(9 * 14,)]
