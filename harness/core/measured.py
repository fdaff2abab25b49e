"""A Run as far as a comparison needs it: small enough to be committed beside the code that it is a baseline of."""

from pydantic import Field

from harness.core.nouns import Case, Frozen, Policy
from harness.core.ratios import RoundMedian
from harness.core.rounds import CaseResult
from harness.core.values import Data

FORMAT = 1


class MeasuredCase(Frozen):
    """One point: what it came to, and the median of each of its Rounds that count."""

    case: Case
    result: CaseResult
    medians: tuple[RoundMedian, ...] = Field(default=(), description="latencies in ms, all in one clock")
    clock: str | None = Field(default=None, description="the clock of the medians, as the worker or page names it")
    adapter: str | None = Field(default=None, description="the graphics adapter as the page told it; null: none")
    versions: dict[str, str] | None = Field(default=None, description="see PlannedCase")


class MeasuredRun(Frozen):
    """All points of a Run. `case_id`s are unique."""

    format: int = Field(default=FORMAT, description="of this file, where it is one")
    run_id: str
    started_at: str = Field(description="UTC, ISO 8601")
    command: str
    machine: Data
    policy: Policy
    cases: tuple[MeasuredCase, ...]

    def of(self, case_id: str) -> MeasuredCase | None:
        """The point of that Case; None where it is not among them."""
        return next((one for one in self.cases if one.case.case_id == case_id), None)
