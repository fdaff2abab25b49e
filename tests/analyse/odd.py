"""Made-up histories of a Case, for tests of anomalies; nobody measured these numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.core.history import PastRound
from harness.core.nouns import Case, PlannedCase
from harness.core.rounds import Round, Run, Verdict
from tests.store.made_up import case, round_of, run

VERSIONS = {"torch": "2.13.0"}
CASE = case()


def judged_run(*cases: Case, versions: dict[str, str] | None = VERSIONS, **machine: Any) -> Run:
    made = run(*(PlannedCase(case=one, versions=versions) for one in cases or (CASE,)))
    return made.model_copy(update={"machine": {**made.machine, **machine}})


def noise(seed: int, count: int = 60, center_ms: float = 10.0, spread: float = 0.02) -> tuple[float, ...]:
    """Samples in milliseconds around a median."""
    return tuple((center_ms * np.exp(spread * np.random.default_rng(seed).normal(size=count))).tolist())


def verdict(max_abs: float = 1e-6, **changes: Any) -> Verdict:
    fields: dict[str, Any] = {
        "checked": True, "passed": True, "max_abs": max_abs, "cosine": 1.0, "agreement": 1.0, "tolerance": 1e-3
    }  # fmt: skip
    return Verdict(**{**fields, **changes})


def round_at(number: int, samples_ms: Sequence[float], one: Case = CASE, **changes: Any) -> Round:
    fields = {
        "started_at": f"2026-01-02T03:04:{number:02}+00:00", "provenance": {"artifact": "abc"}, "verdict": verdict()
    }  # fmt: skip
    return round_of(one, number, tuple(samples_ms), **{**fields, **changes})


def rounds(*medians_ms: float, one: Case = CASE) -> list[Round]:
    return [round_at(number, noise(number, center_ms=value), one) for number, value in enumerate(medians_ms, 1)]


def past_round(run_number: int, number: int, median_ms: float, one: Case = CASE, **changes: Any) -> PastRound:
    fields: dict[str, Any] = {
        "round_id": f"r{run_number}-{number}-{one.case_id[:6]}", "run_id": f"r{run_number}", "case_id": one.case_id,
        "number": number, "started_at": f"2026-01-01T{run_number:02}:{number:02}:00+00:00", "outcome": "ok",
        "code": None, "runtime": {"torch": "2.13.0"}, "versions": dict(VERSIONS), "artifact": "abc",
        "verdict": verdict(), "medians_ms": {"perf_counter": median_ms},
    }  # fmt: skip
    return PastRound(**{**fields, **changes})


def history(*runs: Sequence[float], one: Case = CASE, **changes: Any) -> list[PastRound]:
    """A Run per sequence, a Round per median."""
    return [
        past_round(place, number, value, one, **changes)
        for place, medians in enumerate(runs, 1)
        for number, value in enumerate(medians, 1)
    ]


QUIET_HISTORY = ((10.0, 10.2, 9.9), (10.1, 9.8, 10.0), (9.9, 10.1, 10.2))
