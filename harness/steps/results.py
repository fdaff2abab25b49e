"""measure → results, by the catalogue's metrics."""

from collections.abc import Mapping, Sequence

from harness import catalog
from harness.analyse.audit import audit_doubts
from harness.core.imported import imported_from
from harness.core.nouns import ASIDE, Case
from harness.core.rounds import CaseResult, Round, Run, reused_result
from harness.measure.imported import result_as_told
from harness.measure.results import case_result
from harness.measure.stage import stage_of


def results_of(
    run: Run, rounds: Sequence[Round], stored: Mapping[str, CaseResult] | None = None
) -> list[tuple[Case, CaseResult]]:
    """Every point of the Plan with what it came to, in the Plan's order.

    What is reused is in it where `stored` (case_id → result) is given: the answer shows it, the database, which has it
    already, must not get it twice.
    """
    by_case: dict[str, list[Round]] = {}
    began = {each.case_id for each in rounds if each.purpose not in ASIDE}
    for round_ in (each for each in rounds if each.case_id in began):
        by_case.setdefault(round_.case_id, []).append(round_)
    imported = imported_from(run.run_id, run.machine)
    found = []
    for point in run.plan.cases:
        mine = by_case.get(point.case.case_id, [])
        if point.reused_from is not None:
            if stored is None:
                continue
            result = reused_result(run.run_id, point, stored.get(point.case.case_id))
        elif point.outcome is not None and not mine:  # Rounds of an earlier sitting say more than a failed export
            result = CaseResult(
                run_id=run.run_id,
                case_id=point.case.case_id,
                outcome=point.outcome,
                code=point.code,
                reason=point.reason,
            )
            result = result.model_copy(update={"stage": stage_of(result, ())})
        elif mine:
            result = result_of(run.run_id, point.case, mine)
            if imported is not None:
                result = result_as_told(imported, result, mine)
        else:
            continue  # interrupted before its first Round
        found.append((point.case, result))
    return found


def result_of(run_id: str, case: Case, rounds: Sequence[Round]) -> CaseResult:
    """What a Case's Rounds so far have come to; those that profiled or audited decide nothing, but are told of."""
    computed = {name: metric.compute for name, metric in catalog.metrics().items()}
    result = case_result(run_id, case, rounds, computed)
    told = {"stage": stage_of(result, rounds), "doubts": (*audit_doubts(rounds), *result.doubts)}
    return result.model_copy(update=told)


def metrics_of(round_: Round, case: Case) -> dict[str, float]:
    """The Round's own metrics, those that it has."""
    if round_.outcome == "unsupported" or round_.purpose != "timing":
        return {}
    values = {name: metric.compute([round_], case) for name, metric in catalog.metrics().items()}
    return {name: value for name, value in values.items() if value is not None}
