"""Audits through the whole pipeline: honest backends pass in real workers and tabs, each cheat is found out."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from harness.analyse.audit import Audit, audits_of
from harness.cli.planning import exit_code
from harness.core.nouns import Artifact
from harness.export.process import inspect_model
from harness.pipeline import Outcome, run_plan
from harness.plan.cases import make_plan
from harness.plan.selection import make_selection
from harness.show.as_json import run_as_json
from harness.show.audit import audit_lines, audits_as_json
from harness.steps.recording import rebuild, rounds_of
from harness.steps.workplace import RealExecutors, Workplace
from harness.store.query import run_query
from harness.store.results import read_run
from tests.test_pipeline import Silent

CHECKS = ("outputs", "caching", "clock")


def audited(folder: Path, artifacts: Path, hardware: str, **asked: Any) -> tuple[Outcome, Audit]:
    """One audited Case of a tiny BERT, of which an Artifact is there."""
    (folder / "artifacts").symlink_to(artifacts)
    flags = {"model": "bert", "scale": "tiny", "length": 16, "threads": 1, "rounds": 1, "budget": "1s", "quiet": "off"}
    selection = make_selection(None, {**flags, "audit": True, "hardware": hardware, **asked})
    place = Workplace(folder / "t.duckdb", RealExecutors(), Silent())
    outcome = asyncio.run(run_plan(make_plan(selection, inspect_model), place, "harness run"))
    ((_, result),) = outcome.results
    assert result.outcome == "ok", result.reason
    (audit,) = audits_of(outcome.rounds).values()
    return outcome, audit


def assert_found_out(outcome: Outcome, audit: Audit, cheat: str) -> None:
    """That check alone, in words, in the Case's doubts and in the exit code; the timing stays."""
    assert {name: check.status for name, check in audit.checks.items()} == {
        name: "failed" if name == cheat else "passed" for name in CHECKS
    }
    ((_, result),) = outcome.results
    assert [doubt for doubt in result.doubts if doubt.startswith(f"audit: {cheat}: ")]
    assert result.metrics["latency_median_ms"] is not None and result.metrics["samples"]
    assert exit_code(outcome) == 1
    assert any(f"SUSPICIOUS: bert fp32 b1, cheating{'_web' * ('_web' in line)}: {cheat}" in line
               for line in audit_lines(outcome.results, {outcome.results[0][1].case_id: audit}))  # fmt: skip


@pytest.mark.parametrize(
    "hardware", ["wasm", *(pytest.param(each, marks=pytest.mark.long) for each in ("cpu", "onnxruntime", "openvino"))]
)
def test_an_honest_backend_passes(
    hardware: str, tmp_path: Path, artifacts: Path, tiny_bert: tuple[Artifact, Path]
) -> None:
    outcome, audit = audited(tmp_path, artifacts, hardware)
    # What noise of a busy machine hides is undecided; it is never held against a backend.
    assert not audit.failed and exit_code(outcome) == 0
    assert audit.outputs.status == audit.clock.status == "passed", audit
    assert audit.outputs.numbers["answers"] == 3 and audit.caching.numbers["same_answers"] == 0
    timing, last = outcome.rounds
    assert (timing.purpose, last.purpose, last.number) == ("timing", "audit", 1)
    ((_, result),) = outcome.results
    assert result.rounds == 1, "a Round that audits is none of the timed ones"
    assert not [doubt for doubt in result.doubts if "audit" in doubt]


@pytest.mark.long
@pytest.mark.parametrize(
    ("cheat", "check"), [("cache", "caching"), ("stale", "caching"), ("answers", "outputs"), ("clock", "clock")]
)
def test_a_native_backend_that_cheats_is_found_out(
    cheat: str, check: str, tmp_path: Path, artifacts: Path, tiny_bert: tuple[Artifact, Path]
) -> None:
    assert_found_out(*audited(tmp_path, artifacts, "cheating", option={"cheat": cheat}), check)


@pytest.mark.parametrize(
    ("cheat", "check"),
    [
        ("answers", "outputs"),
        *(pytest.param(*each, marks=pytest.mark.long) for each in (("cache", "caching"), ("clock", "clock"))),
    ],
)
def test_a_page_that_cheats_is_found_out(
    cheat: str, check: str, tmp_path: Path, artifacts: Path, tiny_bert: tuple[Artifact, Path]
) -> None:
    assert_found_out(*audited(tmp_path, artifacts, "cheating_web", option={"cheat": cheat}), check)


def test_what_was_found_is_kept(tmp_path: Path, artifacts: Path, tiny_bert: tuple[Artifact, Path]) -> None:
    """In the database, in the journal, and in a database made of that again."""
    outcome, audit = audited(tmp_path, artifacts, "cheating", option={"cheat": "stale"})
    database = tmp_path / "t.duckdb"
    told = json.loads(json.dumps(run_as_json(outcome.run, outcome.results, audits=audits_as_json({
        outcome.results[0][1].case_id: audit
    }))))  # fmt: skip
    assert told["cases"][0]["audit"]["caching"]["status"] == "failed"
    assert set(told["cases"][0]["audit"]) == set(CHECKS)
    for _ in range(2):
        run, results = read_run(database)
        again = audits_as_json(audits_of(rounds_of(database, run.run_id)))
        assert json.loads(json.dumps(run_as_json(run, results, audits=again))) == told
        assert run_query(database, "SELECT purpose FROM rounds ORDER BY started_at")[1] == [["timing"], ["audit"]]
        rebuild(database, lambda text: None)


@pytest.mark.long
def test_a_backend_without_inputs_says_so(tmp_path: Path, artifacts: Path, tiny_bert: tuple[Artifact, Path]) -> None:
    outcome, audit = audited(tmp_path, artifacts, "noop", option={"duration_us": "200"})
    assert (audit.caching.status, audit.outputs.status) == ("not_possible", "passed")
    assert "no inputs but those of its own" in (audit.caching.reason or "") and exit_code(outcome) == 0
    (line, why) = audit_lines(outcome.results, audits_of(outcome.rounds))
    assert line == "audit: 0 of 1 cases passed every check, 1 could not be checked in all"
    assert why.startswith("not checked: bert fp32 b1, noop: caching: ")
