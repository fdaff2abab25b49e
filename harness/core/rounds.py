"""What was observed, and what follows from it."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from harness.core.clocks import per_run_ns
from harness.core.events import Profile, Samples
from harness.core.nouns import UNKNOWN_VERSION, Frozen, Outcome, Plan, PlannedCase, Purpose
from harness.core.values import INT64_MOST, Count, Data, Duration, Text


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
    rms_rel: float | None = Field(
        default=None, description="root mean square of the errors, relative to the expected values' standard deviation"
    )


class Round(Frozen):
    """One Case once, in one fresh process or tab."""

    round_id: Text
    run_id: Text
    case_id: Text
    number: Count = Field(description="1 for the Case's first Round of its purpose")
    purpose: Purpose = "timing"
    started_at: str = Field(description="UTC, ISO 8601")
    outcome: Outcome
    code: Text | None = None
    reason: Text | None = None
    stopped_by: Text | None = None
    runtime: dict[Text, Text] = Field(default_factory=dict)
    provenance: Data = Field(default_factory=dict)
    phases: dict[Text, Duration] = Field(default_factory=dict, description="phase → duration in nanoseconds")
    phase_details: dict[Text, Data] = Field(default_factory=dict)
    samples: tuple[Samples, ...] = ()
    memory_bytes: dict[Text, Annotated[int, Field(ge=0, le=INT64_MOST)]] = Field(
        default_factory=dict, description="source → bytes; sources are never added up"
    )
    placement: dict[Text, int] | None = Field(default=None, description="execution provider → nodes")
    fallbacks: tuple[Text, ...] = Field(default=(), description="operators that fell back, named")
    verdict: Verdict | None = None
    profile: Profile | None = Field(default=None, description="of a Round whose purpose that is")
    notes: tuple[Text, ...] = ()

    def per_run_ns(self, phase: str = "sample", clock: str | None = None) -> list[float]:
        """Nanoseconds per run of the phase's Samples in one clock (default: that of its first), in the order taken."""
        batches = [batch for batch in self.samples if batch.phase == phase]
        first = next((batch.clock for batch in batches), "")
        return per_run_ns(batches, first if clock is None else clock)


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
    stage: str | None = Field(default=None, description="where it stopped: build, export, load …; null: nowhere")
    measured_at: str | None = Field(default=None, description="when its first Round began; null: never measured")
    reused_from: str | None = Field(default=None, description="the Run it was measured in, when another shows it")

    @property
    def is_right(self) -> bool:
        """Whether it ran and its answer was checked and passed: nothing else is ranked or compared."""
        return self.outcome == "ok" and self.correct is not None and self.correct.checked and self.correct.passed

    def reused(self, versions: Mapping[str, str]) -> "CaseResult":
        """This result as another Run shows it; `versions` are those that the other Run compared."""
        doubts = self.doubts
        if versions.get("browser") == UNKNOWN_VERSION:
            doubts = (*doubts, f"reused although the browser's version now is {UNKNOWN_VERSION}")
        return self.model_copy(update={"reused_from": self.run_id, "doubts": doubts})


def reused_result(run_id: str, planned: PlannedCase, stored: CaseResult | None) -> CaseResult:
    """What a Run shows of a Case that it did not measure: the stored result, or that it is there no more."""
    if stored is not None:
        return stored.reused(planned.versions or {})
    return CaseResult(
        run_id=run_id,
        case_id=planned.case.case_id,
        outcome="failed",
        code="reused_missing",
        reason=f"it was taken from run {planned.reused_from}, which this database does not hold",
        reused_from=planned.reused_from,
    )


class KnownResult(Frozen):
    """What a database holds of a Case, as far as it matters for whether it has to be measured again."""

    run_id: str
    case_id: str
    outcome: Outcome
    rounds_ok: int
    measured_at: str = Field(description="when its first Round began, UTC, ISO 8601")
    rounds_planned: int
    budget_ns: int = Field(description="for all the Rounds that were planned")
    versions: dict[str, str] | None = Field(description="see PlannedCase")
    runtimes: int = Field(description="how many different runtimes its ok Rounds told of")
    quiet: bool | None = Field(default=None, description="whether its Run found the machine quiet; null: nobody looked")


class Run(Frozen):
    """One invocation: a Plan on a Machine at a time."""

    run_id: Text
    started_at: str = Field(description="UTC, ISO 8601")
    ended_at: str | None = None
    command: Text = Field(description="as typed, for eyes")
    machine: Data = Field(description="fingerprint; `machine_id` is its digest")
    plan: Plan
    interrupted: bool = False
    resumed_at: tuple[str, ...] = Field(default=(), description="UTC, ISO 8601: when it was gone on with after an end")
