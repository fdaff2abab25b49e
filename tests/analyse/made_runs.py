"""Made-up Runs as a comparison sees them; nobody measured these numbers."""

from collections.abc import Sequence
from typing import Any

from harness.core.measured import MeasuredCase, MeasuredRun
from harness.core.nouns import Case, Policy
from harness.core.ratios import RoundMedian
from harness.core.rounds import CaseResult, Verdict

RIGHT = Verdict(checked=True, passed=True, tolerance=1e-3)
HERE = {"machine_id": "here", "cpu": "none", "quiet": {"policy": "warn", "findings": []}}
VERSIONS = {"artifact": "a", "loop": "l", "torch": "2.13.0"}


def measured(case: Case, latencies_ms: Sequence[float], run_id: str = "r", **changes: Any) -> MeasuredCase:
    """An ok point whose Rounds have these medians; `result` overrides parts of its result."""
    parts = {"run_id": run_id, "case_id": case.case_id, "outcome": "ok", "correct": RIGHT, "fallback_share": 0.0}
    middle = sorted(latencies_ms)[len(latencies_ms) // 2] if latencies_ms else None
    parts |= {"metrics": {"latency_median_ms": middle}, **changes.pop("result", {})}
    medians = tuple(RoundMedian(turn=turn, value=value, error=0.001) for turn, value in enumerate(latencies_ms, 1))
    fields = {"clock": "perf_counter", "versions": VERSIONS, **changes}
    return MeasuredCase(case=case, result=CaseResult.model_validate(parts), medians=medians, **fields)


def made_run(*cases: MeasuredCase, run_id: str = "r", **changes: Any) -> MeasuredRun:
    fields = {
        "run_id": run_id, "started_at": "2026-01-02T03:04:05+00:00", "command": "harness run", "machine": HERE,
        "policy": Policy(), **changes,
    }  # fmt: skip
    return MeasuredRun(cases=cases, **fields)
