"""Results with numbers chosen by hand, written as a Run would: for tests of what is asked about many of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.core.nouns import Case, Model, PlannedCase
from harness.core.rounds import CaseResult, Verdict
from harness.store.database import open_for_writing
from harness.store.ingest import ingest_run
from tests.store.made_up import case, run

Pair = tuple[Case, CaseResult]


def model(name: str = "bert", **changes: Any) -> Model:
    fields = {"name": name, "kind": "architecture", "identity": name, "architecture": name, "weights": "random"}
    return Model.model_validate({**fields, "family": "text_encoder", **changes})


def case_of(name: str, platform: str = "cpu", family: str = "text_encoder", **changes: Any) -> Case:
    return case(platform, **{"model": model(name, family=family), **changes})


def ok(of: Case, latency_ms: float | None, **changes: Any) -> Pair:
    """Verified; throughput is the batch over the latency. `metrics` come on top."""
    known = {} if latency_ms is None else {"throughput_items_per_second": of.batch_size * 1000 / latency_ms}
    fields: dict[str, Any] = {
        "run_id": "", "case_id": of.case_id, "outcome": "ok", "rounds": 3,
        "correct": Verdict(checked=True, passed=True, reference="pytorch-fp32"),
        **changes,
        "metrics": {"latency_median_ms": latency_ms, **known, **changes.get("metrics", {})},
    }  # fmt: skip
    return of, CaseResult(**fields)


def wrong(of: Case, latency_ms: float) -> Pair:
    """Fast, and its answer is not right."""
    verdict = Verdict(checked=True, passed=False, reference="pytorch-fp32")
    return ok(of, latency_ms, outcome="failed", code="wrong_output", reason="wrong output", correct=verdict)


def put_run(
    path: Path,
    run_id: str,
    results: Sequence[Pair],
    planned: Sequence[PlannedCase] = (),
    day: int = 1,
    machine: str = "here",
) -> None:
    """A Run that began on that day of a January, and planned what has results and, after it, `planned`."""
    cases = [*(PlannedCase(case=of, versions={"harness": f"day {day}"}) for of, _ in results), *planned]
    made = run(*cases, run_id=run_id, started_at=f"2026-01-{day:02}T00:00:00+00:00")
    made = made.model_copy(update={"machine": {"machine_id": machine}})
    renamed = [(of, one.model_copy(update={"run_id": run_id})) for of, one in results]
    with open_for_writing(path) as con:
        ingest_run(con, made, [], renamed)
