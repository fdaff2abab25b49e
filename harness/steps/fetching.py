"""plan → execute: the versions that were asked for are fetched and unpacked before the first timing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from harness import catalog
from harness.core.asked import is_program
from harness.core.errors import Unsupported
from harness.core.nouns import Case, Plan, PlannedCase
from harness.core.text import one_line
from harness.steps.workplace import Workplace


async def fetch_all(plan: Plan, workplace: Workplace) -> Plan:
    """The Plan, in which a Case whose browser or runtime is not for this machine is `unsupported`, and one for which it
    could not be had now has `failed: not_fetched`: whoever resumes asks for it again."""
    refused: dict[tuple[str | None, ...], dict[str, str]] = {}
    points: list[PlannedCase] = []
    for point in plan.cases:
        case = point.case
        asked = (case.browser, case.browser_version, case.runtime)
        if point.to_measure and (case.browser_version or case.runtime):
            if asked not in refused:
                refused[asked] = await _fetched(case, workplace.watcher.fetching)
            point = point.model_copy(update=refused[asked])
        points.append(point)
    return plan.model_copy(update={"cases": tuple(points)})


async def _fetched(case: Case, say: Callable[[str], None]) -> dict[str, str]:
    """What becomes of the Case: nothing once all that was asked for is here."""
    from harness.execute.published import stop_fetching

    try:
        return await asyncio.to_thread(_refused, case, say)
    except asyncio.CancelledError:  # a thread cannot be told to stop, but what it waits for can
        stop_fetching()
        raise


def _refused(case: Case, say: Callable[[str], None]) -> dict[str, str]:
    # Imported here: a native sweep imports nothing that only browsers need.
    from harness.execute.finding import at_version, find
    from harness.execute.published import NotFetched, fetch_package

    try:
        if case.runtime is not None:
            package, _, version = case.runtime.rpartition("@")
            fetch_package(package, version, say)
        browser = at_version(catalog.browsers()[case.browser or ""], case.browser_version)
        if browser.at is not None and browser.package is not None and not is_program(browser.at):
            fetch_package(browser.package, browser.at, say)
            find(browser)  # which unpacks it
    except Unsupported as reason:
        return {"outcome": "unsupported", "reason": str(reason)}
    except (
        NotFetched,
        OSError,
        EOFError,
    ) as error:  # no answer; a package with another inside than all that were tried
        return {"outcome": "failed", "code": "not_fetched", "reason": one_line(str(error), 400)}
    return {}
