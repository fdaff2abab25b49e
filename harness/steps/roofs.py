"""What this machine reaches: the roof that its numbers stand under, measured before the first Round where asked for."""

from harness.core.nouns import Plan
from harness.core.rounds import Run
from harness.execute.asking import measure_roof
from harness.steps.workplace import Workplace


async def with_roofs(run: Run, plan: Plan, workplace: Workplace) -> Run:
    """The Run with `machine["roofs"]`: number of threads (as text) → roof, for each number that a Case has."""
    if not plan.policy.roofline:
        return run
    roofs = {}
    for threads in sorted({point.case.threads for point in plan.cases if point.to_measure}):
        roofs[str(threads)] = found = await measure_roof(threads)
        if "reason" in found:
            workplace.watcher.warned(f"no roof for {threads} threads: {found['reason']}")
    return run.model_copy(update={"machine": {**run.machine, "roofs": roofs}})
