"""plan → execute: the versions that were asked for are fetched and unpacked before the first timing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from harness import catalog
from harness.core.errors import Unsupported
from harness.core.nouns import Case, Plan, PlannedCase
from harness.steps.workplace import Workplace


async def fetch_all(plan: Plan, workplace: Workplace) -> Plan:
    """The Plan, in which a Case whose browser or runtime cannot be had in the version asked for is `unsupported`."""
    reasons: dict[tuple[str | None, ...], str | None] = {}
    points: list[PlannedCase] = []
    for point in plan.cases:
        case = point.case
        asked = (case.browser, case.browser_version, case.runtime)
        if point.to_measure and (case.browser_version or case.runtime):
            if asked not in reasons:
                reasons[asked] = await asyncio.to_thread(_why_not_here, case, workplace.watcher.fetching)
            if (reason := reasons[asked]) is not None:
                point = point.model_copy(update={"outcome": "unsupported", "reason": reason})
        points.append(point)
    return plan.model_copy(update={"cases": tuple(points)})


def _why_not_here(case: Case, say: Callable[[str], None]) -> str | None:
    """None once all that was asked for is here."""
    # Imported here: a native sweep imports nothing that only browsers need.
    from harness.execute.finding import at_version, find, is_program
    from harness.execute.published import fetch_package

    try:
        if case.runtime is not None:
            package, _, version = case.runtime.rpartition("@")
            fetch_package(package, version, say)
        browser = at_version(catalog.browsers()[case.browser or ""], case.browser_version)
        if browser.at is not None and browser.package is not None and not is_program(browser.at):
            fetch_package(browser.package, browser.at, say)
            find(browser)  # which unpacks it
    except Unsupported as reason:
        return str(reason)
    return None
