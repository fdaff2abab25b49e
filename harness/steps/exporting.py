"""plan → export: all that is missing, before the first timing."""

from dataclasses import dataclass, field
from functools import partial

from harness import catalog
from harness.core.errors import Unsupported
from harness.core.nouns import Artifact, ArtifactRequest, Case, Plan, PlannedCase
from harness.export.cache import ArtifactCache
from harness.export.process import ExportFailed
from harness.export.request import base_of, digest_of_request, request_for
from harness.steps.workplace import Workplace


@dataclass(frozen=True)
class Exported:
    """case_id → Artifact, the Plan with the outcome of what could not be exported, and how many had to be made."""

    artifacts: dict[str, Artifact]
    plan: Plan
    made: int


async def export_all(plan: Plan, workplace: Workplace) -> Exported:
    """All exporting, before the first timing; Cases that cannot be exported get their outcome in the Plan.

    What is reused needs no Artifact.
    """
    exporting = _Exporting(workplace, ArtifactCache(workplace.artifacts, workplace.export))
    artifacts: dict[str, Artifact] = {}
    planned: list[PlannedCase] = []
    for point in plan.cases:
        if point.to_measure:
            found = await exporting.get(request_for(point.case))
            if not isinstance(found, _Reason):
                found = _lacking(found, point.case) or found
            if isinstance(found, _Reason):
                point = PlannedCase.model_validate({
                    "case": point.case, "outcome": found.outcome, "code": found.code, "reason": f"export: {found.text}"
                })  # fmt: skip
            else:
                artifacts[point.case.case_id] = found
        planned.append(point)
    return Exported(artifacts, plan.model_copy(update={"cases": tuple(planned)}), exporting.made)


@dataclass(frozen=True)
class _Reason:
    """Why there is no Artifact."""

    outcome: str
    code: str | None
    text: str


def _lacking(artifact: Artifact, case: Case) -> _Reason | None:
    """Why the Artifact is none for this Case: its backend reads a graph, and the module did not become one."""
    lack = artifact.lacks.get("onnx")
    if lack is None or "onnx" not in catalog.backends()[case.backend].formats:
        return None
    return _Reason("failed", lack.code, lack.reason)


@dataclass
class _Exporting:
    """What was made so far, and what could not be: nothing is tried twice."""

    workplace: Workplace
    cache: ArtifactCache
    made: int = 0
    reasons: dict[str, _Reason] = field(default_factory=dict)

    async def get(self, request: ArtifactRequest) -> Artifact | _Reason:
        """The Artifact, found or made; what it is made from comes first, and its reason is the reason of all that
        depend on it."""
        digest = digest_of_request(request)
        if digest in self.reasons:
            return self.reasons[digest]
        found = self.cache.find(request)
        if found is not None:
            return found
        if (wanted := base_of(request)) is not None:
            base = await self.get(wanted)
            if isinstance(base, _Reason):
                return base
        try:
            found = await self.cache.make(request, partial(self.workplace.watcher.exporting, request))
        except ExportFailed as failure:
            self.reasons[digest] = _Reason("failed", failure.code, failure.reason)
        except Unsupported as refusal:
            self.reasons[digest] = _Reason("unsupported", None, str(refusal))
        else:
            self.made += 1
            return found
        return self.reasons[digest]
