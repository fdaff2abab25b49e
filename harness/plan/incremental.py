"""Plan + what is known → Plan: what was measured already, with the same versions, need not be measured again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from harness import catalog
from harness.core.nouns import Plan, PlannedCase, Policy
from harness.core.rounds import KnownResult

_SECONDS_PER_DAY = 86_400
_DIGESTS = {"artifact": "the artifact", "loop": "the measuring code"}  # nobody reads digests
_NOT_COMPARED = {"harness"}  # a release alone changes no number: what measures has a version of its own in `loop`


@dataclass(frozen=True)
class Reuse:
    """The Plan, in which reused points name their Run; when each of those was measured; and why others are again.

    Both mappings go by case_id. A Case in neither was never measured on this machine, or was not asked about.
    """

    plan: Plan
    measured_at: Mapping[str, str]
    again: Mapping[str, str]


def reuse(
    plan: Plan, known: Mapping[str, Sequence[KnownResult]], now: datetime, older_than_days: float | None = None
) -> Reuse:
    """Decide every Case that is to be measured; `known` holds a Case's results, the newest first.

    Of several results the newest that will do is taken. A failure that is newer than it has the last word, though:
    what failed since is not known to work.
    """
    measured_at: dict[str, str] = {}
    again: dict[str, str] = {}
    cases: list[PlannedCase] = []
    for point in plan.cases:
        case_id = point.case.case_id
        for result in known.get(case_id, ()) if point.to_measure else ():
            reason = why_again(point, result, plan.policy, now, older_than_days)
            if reason is None:
                point = point.model_copy(update={"reused_from": result.run_id})
                measured_at[case_id] = result.measured_at
                again.pop(case_id, None)
                break
            again.setdefault(case_id, reason)
            if result.outcome == "failed":
                break
        cases.append(point)
    return Reuse(plan.model_copy(update={"cases": tuple(cases)}), measured_at, again)


def why_again(
    point: PlannedCase, result: KnownResult, policy: Policy, now: datetime, older_than_days: float | None
) -> str | None:
    """Why a stored result does not stand for a measurement now, in a few words; None when it does.

    An `unsupported` that a worker or page said counts, with its one Round: it is asked again when a version changes,
    when it is too old, or with --force.
    """
    if point.case.browser and catalog.browsers()[point.case.browser].driver == "attach":
        return "nobody knows which device will be attached"
    age_s = (now - datetime.fromisoformat(result.measured_at)).total_seconds()
    if result.outcome == "failed":
        return "it failed then"
    if age_s < 0:
        return f"it was measured on {result.measured_at[:10]}, in the future: the clock was changed"
    if older_than_days is not None and age_s > older_than_days * _SECONDS_PER_DAY:
        return f"it is older than {older_than_days:g} days"
    if result.versions is None or point.versions is None:
        return "its versions are not known"
    if changes := version_changes(result.versions, point.versions):
        return ", ".join(changes)
    if policy.quiet == "strict" and not result.quiet:
        return "nobody looked whether the machine was quiet" if result.quiet is None else "the machine was noisy then"
    if result.runtimes > 1:
        return "its rounds ran on different versions"
    if result.outcome == "ok":
        return _too_little(result, policy)
    return None


def version_changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What differs between two Cases' versions, each in a few words."""
    return [
        _change(name, before.get(name), after.get(name))
        for name in sorted((before.keys() | after.keys()) - _NOT_COMPARED)
        if before.get(name) != after.get(name)
    ]


def _too_little(result: KnownResult, policy: Policy) -> str | None:
    if result.rounds_ok < policy.rounds:
        return f"it has {result.rounds_ok} of {policy.rounds} rounds"
    # The slices of the Rounds that were done: a Run that was interrupted had spent less than its budget.
    if result.budget_ns * result.rounds_ok < policy.budget_ns * result.rounds_planned:
        return "it had a smaller budget"
    return None


def _change(name: str, before: str | None, after: str | None) -> str:
    if name in _DIGESTS:
        return f"{_DIGESTS[name]} changed"
    return f"{name} {before or 'unknown'} → {after or 'unknown'}"
