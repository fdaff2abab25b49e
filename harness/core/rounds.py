"""What was observed, and what follows from it."""

from typing import Any

from pydantic import Field

from harness.core.events import Samples
from harness.core.nouns import Frozen, Outcome, Plan


class Verdict(Frozen):
    """The one judge's word on a Round's outputs. `checked` is false when nothing independent was there to compare."""

    checked: bool
    passed: bool
    reference: str | None = None
    max_abs: float | None = None
    max_rel: float | None = None
    cosine: float | None = None
    agreement: float | None = Field(default=None, description="share of positions with the same argmax")
    tolerance: float | None = None
    reason: str | None = None


class Round(Frozen):
    """One Case once, in one fresh process or tab."""

    round_id: str
    run_id: str
    case_id: str
    number: int = Field(description="1 for the Case's first Round")
    started_at: str = Field(description="UTC, ISO 8601")
    outcome: Outcome
    code: str | None = None
    reason: str | None = None
    stopped_by: str | None = None
    runtime: dict[str, str] = Field(default_factory=dict)
    provenance: dict[str, Any] = Field(default_factory=dict)
    phases: dict[str, int] = Field(default_factory=dict, description="phase → duration in nanoseconds")
    phase_details: dict[str, dict[str, Any]] = Field(default_factory=dict)
    samples: tuple[Samples, ...] = ()
    memory_bytes: dict[str, int] = Field(default_factory=dict, description="source → bytes; sources are never added up")
    placement: dict[str, int] | None = Field(default=None, description="execution provider → nodes")
    fallbacks: tuple[str, ...] = Field(default=(), description="operators that fell back, named")
    verdict: Verdict | None = None
    notes: tuple[str, ...] = ()

    def per_run_ns(self, phase: str = "sample", clock: str | None = None) -> list[float]:
        """Nanoseconds per run of every Sample of the phase, in the order taken."""
        return [
            duration / batch.runs_per_sample
            for batch in self.samples
            if batch.phase == phase and (clock is None or batch.clock == clock)
            for duration in batch.durations_ns
        ]


class CaseResult(Frozen):
    """One Case over its Rounds in one Run: what `--json` prints and a row of the view holds."""

    run_id: str
    case_id: str
    outcome: Outcome
    code: str | None = None
    reason: str | None = None
    rounds: int = 0
    rounds_failed: int = 0
    runtime: str | None = None
    browser_version: str | None = None
    software: bool | None = None
    fallback_share: float | None = None
    metrics: dict[str, float | None] = Field(default_factory=dict)
    latency_ci95_ms: tuple[float, float] | None = None
    interval_method: str | None = None
    stopped_by: tuple[str, ...] = Field(default=(), description="the rules that ended sampling, each once")
    correct: Verdict | None = None
    clock: dict[str, Any] = Field(default_factory=dict)
    doubts: tuple[str, ...] = ()


class Run(Frozen):
    """One invocation: a Plan on a Machine at a time."""

    run_id: str
    started_at: str = Field(description="UTC, ISO 8601")
    ended_at: str | None = None
    command: str = Field(description="as typed, for eyes")
    machine: dict[str, Any] = Field(description="fingerprint; `machine_id` is its digest")
    plan: Plan
    interrupted: bool = False
