"""A Plan for people: one line per point, what will be done with it and why."""

from collections import Counter
from collections.abc import Iterator, Mapping

from harness.core.nouns import Plan
from harness.show.table import measured_on


def plan_lines(plan: Plan, measured_at: Mapping[str, str], again: Mapping[str, str]) -> Iterator[str]:
    """`+` is measured, `-` cannot be, `=` is known already; `measured_at` and `again` go by case_id."""
    for point in plan.cases:
        case_id = point.case.case_id
        sign, remark = "+", None
        if point.reused_from is not None:
            sign, remark = "=", measured_on(measured_at[case_id], point.reused_from)
        elif point.outcome is not None:
            sign, remark = "-", point.reason
        elif case_id in again:
            remark = f"measured again: {again[case_id]}"
        yield f"{sign} {point.case.slug}" + (f"  ({remark})" if remark else "")


def again_lines(again: Mapping[str, str]) -> Iterator[str]:
    """Why known Cases are measured again, each reason once with how many it concerns."""
    for reason, count in Counter(again.values()).most_common():
        yield f"measured again, {count} {'case' if count == 1 else 'cases'}: {reason}"
