"""A Run and its Rounds → what a comparison needs of them; pure."""

from collections.abc import Iterable, Sequence

from harness.core.measured import MeasuredCase, MeasuredRun
from harness.core.nouns import Case
from harness.core.rounds import CaseResult, Round, Run
from harness.core.text import one_line
from harness.metrics import round_medians, timed_rounds, verdict_clock


def measured_run(run: Run, results: Iterable[tuple[Case, CaseResult]], rounds: Sequence[Round]) -> MeasuredRun:
    """Without the Rounds of a Case (its journal is gone, or another Run measured it) it has no medians."""
    by_case: dict[str, list[Round]] = {}
    for one in rounds:
        by_case.setdefault(one.case_id, []).append(one)
    versions = {point.case.case_id: point.versions for point in run.plan.cases}
    cases = []
    for case, result in results:
        case_id = case.case_id
        mine = by_case.get(case_id, []) if result.reused_from is None else []
        clock = verdict_clock(timed_rounds(mine)).clock
        cases.append(
            MeasuredCase(
                case=case,
                result=result,
                medians=tuple(round_medians(mine)),
                clock=clock,
                adapter=_adapter(mine),
                versions=versions.get(case_id),
            )
        )
    return MeasuredRun(
        run_id=run.run_id, started_at=run.started_at, command=run.command, machine=run.machine,
        policy=run.plan.policy, cases=tuple(cases),
    )  # fmt: skip


def _adapter(rounds: Sequence[Round]) -> str | None:
    """Vendor, architecture and description in the page's words, of the first Round that tells."""
    for one in rounds:
        told = one.provenance.get("webgpu")
        if isinstance(told, dict):
            parts = [str(told[key]) for key in ("vendor", "architecture", "description") if told.get(key)]
            return one_line(" ".join(parts), 200) or None
    return None
