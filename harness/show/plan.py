"""A Plan for people: one line per point, what will be done with it and why."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from harness.core.nouns import Plan, PlannedCase
from harness.core.units import BYTES_PER_MB, human_bytes
from harness.plan.memory import run_estimate_bytes
from harness.plan.order import stage_numbers
from harness.plan.schedule import schedule_for
from harness.show.table import measured_on


def plan_lines(plan: Plan, measured_at: Mapping[str, str], again: Mapping[str, str]) -> Iterator[str]:
    """`+` is measured, `-` cannot be, `=` is known already; `measured_at` and `again` go by case_id.

    Where there are stages the points stand in their order, each with its number and what it needs at least; what is
    not measured stands last.
    """
    numbers = stage_numbers(schedule_for(plan).stages)
    staged = len(set(numbers.values())) > 1
    points = [(point.case.case_id, point) for point in plan.cases]
    if staged:
        points.sort(key=lambda one: numbers.get(one[0], len(numbers) + 1))
    for case_id, point in points:
        sign, remark = "+", None
        if point.reused_from is not None:
            sign, remark = "=", measured_on(measured_at[case_id], point.reused_from)
        elif point.outcome is not None:
            sign, remark = "-", point.reason
        elif case_id in again:
            remark = f"measured again: {again[case_id]}"
        elif staged:
            remark = _stage_remark(point, numbers[case_id])
        yield f"{sign} {point.case.slug}" + (f"  ({remark})" if remark else "")


def order_as_json(plan: Plan) -> dict[str, dict[str, Any]]:
    """case_id → `stage` (when it is measured, from 1; null: not at all) and `memory_estimate_mb`, the least that it
    needs while it runs, before anything was measured (null: not known)."""
    numbers = stage_numbers(schedule_for(plan).stages)
    found = {}
    for point in plan.cases:
        estimate = run_estimate_bytes(point.case)
        megabytes = None if estimate is None else round(estimate / BYTES_PER_MB, 1)
        case_id = point.case.case_id
        found[case_id] = {"stage": numbers.get(case_id), "memory_estimate_mb": megabytes}
    return found


def _stage_remark(point: PlannedCase, number: int) -> str:
    estimate = run_estimate_bytes(point.case)
    return f"stage {number}" + ("" if estimate is None else f", needs at least {human_bytes(estimate)}")


def again_lines(again: Mapping[str, str]) -> Iterator[str]:
    """Why known Cases are measured again, each reason once with how many it concerns."""
    for reason, count in Counter(again.values()).most_common():
        yield f"measured again, {count} {'case' if count == 1 else 'cases'}: {reason}"
