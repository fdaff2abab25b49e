"""store → plan: what is known already of a Plan's Cases, and the results that are shown instead of measured."""

from datetime import UTC, datetime
from pathlib import Path

from harness.core.errors import UserMistake
from harness.core.nouns import Plan
from harness.core.rounds import CaseResult
from harness.execute.seeing import NOBODY, Seeing
from harness.measure.machine import fingerprint
from harness.plan.incremental import Reuse, reuse
from harness.plan.selection import Selection
from harness.steps.versions import stamped
from harness.store.known import known_results, stored_results


def reuse_known(plan: Plan, selection: Selection, database: Path, seeing: Seeing = NOBODY) -> Reuse:
    """The Plan, in which what is known need not be measured, where the selection asks for that.

    Without a database nothing is known. One that another process keeps is the user's mistake, since the other answer
    would be to measure everything, for hours, unasked.
    """
    if not selection.reuses:
        return Reuse(plan, {}, {})
    plan = stamped(plan, seeing)
    wanted = [point.case.case_id for point in plan.cases if point.to_measure]
    try:
        known = known_results(database, wanted, str(fingerprint()["machine_id"]), plan.policy.purpose)
    except UserMistake as mistake:
        if mistake.code != "no_database":
            raise
        known = {}
    return reuse(plan, known, datetime.now(UTC), selection.refresh_older_than)


def results_elsewhere(plan: Plan, database: Path) -> dict[str, CaseResult]:
    """case_id → the stored result of every point that the Plan reuses; the database is opened only if there is one."""
    wanted = {point.case.case_id: point.reused_from for point in plan.cases if point.reused_from is not None}
    return stored_results(database, wanted) if wanted else {}
