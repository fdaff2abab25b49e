"""Devices that come by themselves: invited, and waited for, after exporting and before the first timing.

While they are waited for nothing is measured. Who does not come costs the others nothing but the wait: its Cases have
failed before the first Round, and a resumed Run invites again.
"""

from collections.abc import Sequence

from harness import catalog
from harness.core.nouns import Case, Plan, PlannedCase, PlannedRound
from harness.core.rounds import Round
from harness.execute.executor import Invitation, Inviting, as_its_device_sees
from harness.steps.workplace import Workplace


async def received(plan: Plan, history: Sequence[Round], workplace: Workplace) -> Plan:
    """The Plan, in which the Cases of devices that did not come have failed."""
    by_device: dict[str, list[Case]] = {}
    for point in plan.cases:
        if point.to_measure and (device := device_of(point.case)) is not None:
            by_device.setdefault(device, []).append(point.case)
    executor = workplace.executors["page"] if by_device else None
    if not isinstance(executor, Inviting):
        return plan
    invitations = [_invitation(device, cases, plan, history) for device, cases in by_device.items()]
    missing = await executor.receive(invitations, workplace.watcher.invited, workplace.watcher.arrived)
    for reason in missing.values():
        workplace.watcher.warned(reason)
    return plan.model_copy(update={"cases": tuple(_without(missing, point) for point in plan.cases)})


async def device_is_back(planned: PlannedRound, workplace: Workplace) -> None:
    """Before a Round of it: a phone that was locked costs the Round that it was locked in, and not all that follow."""
    if device_of(planned.case) is not None:
        executor = workplace.executors["page"]
        if isinstance(executor, Inviting):
            await executor.wait_for_return(planned.case, workplace.watcher.warned)


async def tell_device(planned: PlannedRound, round_: Round, workplace: Workplace) -> None:
    """Its page shows how its Rounds went, as the judge has decided."""
    if device_of(planned.case) is not None:
        executor = workplace.executors["page"]
        if isinstance(executor, Inviting):
            await executor.tell(planned.case, round_.outcome, round_.reason)


def device_of(case: Case) -> str | None:
    """The device that a Case asks for, by its name ("" for the one without); None where a browser is started for it."""
    if case.browser is None or catalog.browsers()[case.browser].driver != "attach":
        return None
    return case.browser_version or ""


def _invitation(device: str, cases: Sequence[Case], plan: Plan, history: Sequence[Round]) -> Invitation:
    ids = {case.case_id for case in cases}
    done = sum(1 for round_ in history if round_.case_id in ids)
    return Invitation(device, tuple(as_its_device_sees(case) for case in cases), len(cases) * plan.policy.rounds - done)


def _without(missing: dict[str, str], point: PlannedCase) -> PlannedCase:
    device = device_of(point.case)
    if device is None or device not in missing or not point.to_measure:
        return point
    return point.model_copy(update={"outcome": "failed", "code": "device_absent", "reason": missing[device]})
