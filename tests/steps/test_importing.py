"""Whatever a foreign file holds: it is read, or refused in words; nothing else comes of it."""

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import UserMistake
from harness.core.rounds import Round
from harness.measure.assemble import assemble
from harness.steps.importing import read_files
from harness.steps.results import results_of
from harness.store.database import open_for_writing
from harness.store.ingest import ingest_run
from harness.store.journal import plain
from harness.store.rows import Metrics

FIXTURES = Path(__file__).parents[1] / "imports" / "fixtures" / "optimum-benchmark"
STATS = {"min": 1, "max": 9, "mean": 2.5, "median": 2.25, "p90": 4, "p95": 5, "p99": 8, "stdDev": 0.5}
HARNESS = {
    "run_id": "20260101T000000-abcd", "started_at": "2026-01-01T00:00:00+00:00",
    "machine": {"machine_id": "x", "quiet": {}},
    "cases": [
        {
            "case_id": "a", "slug": "s", "model": "bert", "mode": "inference", "weights": "random", "outcome": "ok",
            "options": {"k": True}, "batch_size": 1, "platform": "cpu", "runtime": "torch@2", "scale": "tiny",
            "metrics": {"latency_median_ms": 1.5, "latency_ci95_ms": [1, 2]},
        }
    ],
}  # fmt: skip
WHOLE: dict[str, Any] = {
    "optimum-benchmark": json.loads((FIXTURES / "gpt2-generation" / "benchmark.json").read_text("utf-8")),
    "transformers.js-benchmarking": {
        "A": {"setupTime": 1, "disposeTime": 2, "stats": {"D": STATS}},
        "B": {"error": "no"},
    },
    "harness": HARNESS,
}
HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 10**400, 1e300, "", "\x1b[2J", "\ud800", "x" * 2_000_000, [], {}, [[]], {"": {}}, "2026-99-99",
    "../../etc", 2**63, {"quiet": 1}, 1.5, ["a"], {"a": 1},
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places(inner, (*path, key))


def changed(whole: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    made = copy.deepcopy(whole)
    at = made
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return made


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[pytest.mark.long] * (each == "optimum-benchmark")) for each in WHOLE]
)
def test_every_value_replaced_by_a_hostile_one_is_read_or_refused(tmp_path: Path, name: str) -> None:
    """The file alone, and with its format named; what is read can be assembled again from its records and stored."""
    chance, file, read = random.Random(9), tmp_path / "foreign.json", []
    for path in places(WHOLE[name]):
        for value in chance.sample(HOSTILE, 4):
            file.write_text(json.dumps(changed(WHOLE[name], path, value)))
            try:
                (one,) = read_files([file], chance.choice([None, name]), {})
            except UserMistake as mistake:
                assert "foreign.json" in mistake.message
                assert len(mistake.message) < 1200 and "\x1b" not in mistake.message
                continue
            records = json.loads(json.dumps(plain([{"record": "run", "run": one.run}, *one.records]), allow_nan=False))
            assembled = assemble(records)
            assert assembled.dropped == () and assembled.run == one.run
            assert len(assembled.rounds) == len(one.foreign.points)
            read.append(assembled)
    assert len(read) > 10, "the change has to be survivable now and then, else nothing was tried"
    with open_for_writing(tmp_path / "harness.duckdb") as con:
        for assembled in chance.sample(read, min(len(read), 60)):
            assert assembled.run is not None
            rounds: list[tuple[Round, Metrics]] = [(one, {}) for one in assembled.rounds]
            ingest_run(con, assembled.run, rounds, results_of(assembled.run, assembled.rounds))


@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_one_is_read_under_its_own_name(tmp_path: Path, name: str) -> None:
    file = tmp_path / "foreign.json"
    file.write_text(json.dumps(WHOLE[name]))
    (one,) = read_files([file], None, {})
    assert one.imported.format == name
    assert one.run.plan.policy.origin == "imported"
    assert all(point.case.options["imported"] == one.imported.tool for point in one.run.plan.cases)
