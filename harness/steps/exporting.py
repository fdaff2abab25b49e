"""plan → export: all that is missing, before the first timing."""

from dataclasses import dataclass
from functools import partial

from harness.core.errors import Unsupported
from harness.core.nouns import Artifact, Plan, PlannedCase
from harness.export.cache import ArtifactCache
from harness.export.process import ExportFailed
from harness.export.request import digest_of_request, request_for
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
    made = 0
    cache = ArtifactCache(workplace.artifacts)
    artifacts: dict[str, Artifact] = {}
    reasons: dict[str, tuple[str, str, str]] = {}
    planned: list[PlannedCase] = []
    for point in plan.cases:
        if point.to_measure:
            request = request_for(point.case)
            digest = digest_of_request(request)
            artifact = cache.find(request)
            if artifact is None and digest not in reasons:
                try:
                    artifact = await cache.make(request, partial(workplace.watcher.exporting, request))
                    made += 1
                except ExportFailed as failure:
                    reasons[digest] = ("failed", failure.code, failure.reason)
                except Unsupported as reason:
                    reasons[digest] = ("unsupported", "", str(reason))
            if artifact is None:
                kind, code, reason_text = reasons[digest]
                point = PlannedCase.model_validate(
                    {"case": point.case, "outcome": kind, "code": code or None, "reason": f"export: {reason_text}"}
                )
            else:
                artifacts[point.case.case_id] = artifact
        planned.append(point)
    return Exported(artifacts, plan.model_copy(update={"cases": tuple(planned)}), made)
