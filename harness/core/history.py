"""What was measured before of a Case, as the database holds it: one record per Round, and one per Run."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.core.nouns import Outcome
from harness.core.rounds import Verdict


@dataclass(frozen=True)
class PastRound:
    """A Round that timed, without its Samples; `medians_ms` goes by clock, per run of the steady state.

    `versions` as in PlannedCase; None: not known. `started_at`: UTC, ISO 8601.
    """

    round_id: str
    run_id: str
    case_id: str
    number: int
    started_at: str
    outcome: Outcome
    code: str | None
    runtime: Mapping[str, str]
    versions: Mapping[str, str] | None
    artifact: str | None
    verdict: Verdict | None
    medians_ms: Mapping[str, float]


@dataclass(frozen=True)
class PastResult:
    """What a Case came to in one Run, where that was ok: its latency in the clock that the Run believed."""

    case_id: str
    slug: str
    machine_id: str
    run_id: str
    started_at: str
    clock: str | None
    latency_ms: float
    versions: Mapping[str, str] | None
    runtime: str | None
    browser_version: str | None
