"""Measure what a comparison needs: both sides in turn, until it is decided; and what is suspect, before it is an alarm.

Each is a Run like any other, with its own journal: what was measured to find out can be looked at afterwards.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from harness import catalog
from harness.analyse.comparison import Side
from harness.analyse.measured import measured_run
from harness.analyse.regression import (
    CONFIDENCE,
    Checked,
    as_it_was,
    confirmed,
    confirmed_alone,
    unchanged,
    unconfirmed,
)
from harness.core.measured import MeasuredRun
from harness.core.nouns import Case, Decision, Plan, PlannedCase, Policy
from harness.measure.machine import fingerprint
from harness.pipeline import run_plan
from harness.steps.workplace import Workplace

# Of a point whose baseline cannot be had again: enough to see what the machine does from Round to Round.
_ROUNDS_ALONE = 8
# Points in which nothing has changed, measured beside it: what they take longer is the machine's.
_CONTROLS = 3

Pairs = Sequence[tuple[Case, Case]]


async def measure_pairs(
    pairs: Pairs, decision: Decision, policy: Policy, workplace: Workplace, command: str
) -> MeasuredRun:
    """A new Run of both sides of every pair, in turn, until each pair is decided or `policy`'s Rounds are used up."""
    cases = {case.case_id: case for pair in pairs for case in pair}
    ids = tuple((a.case_id, b.case_id) for a, b in pairs)
    policy = policy.model_copy(update={"schedule": "until_decided", "pairs": ids, "decision": decision})
    return await _measured(cases.values(), policy, workplace, command)


async def confirm(
    found: Sequence[Checked], threshold: float, policy: Policy, workplace: Workplace, command: str
) -> list[Checked]:
    """The suspects measured again and judged by that alone; the rest as it is.

    In turn with its baseline where that can be had again on this machine: another version of a browser or a page's
    runtime, another model. Else without it, against the baseline's stored Rounds, beside points in which nothing has
    changed; a doubt says so.
    """
    ways = {place: _way(each) for place, each in enumerate(found) if each.status == "suspect"}
    result = list(found)
    if pairs := {place: way.baseline for place, way in ways.items() if way.baseline is not None}:
        decision = Decision(kind="regression", size=threshold, confidence=CONFIDENCE)
        both = [(case, found[place].case) for place, case in pairs.items()]
        fresh = await measure_pairs(both, decision, policy, workplace, command)
        for place, case in pairs.items():
            result[place] = confirmed(found[place], _side(fresh, case), _side(fresh, found[place].case), threshold)
    if alone := {place: way.why for place, way in ways.items() if way.baseline is None and way.here}:
        for place, told in (await _confirm_alone(found, alone, threshold, policy, workplace, command)).items():
            result[place] = told
    for place, way in ways.items():
        if not way.here:
            result[place] = unconfirmed(found[place], threshold, way.why)
    return result


async def _confirm_alone(
    found: Sequence[Checked], alone: Mapping[int, str], threshold: float, policy: Policy, workplace: Workplace,
    command: str,
) -> dict[int, Checked]:  # fmt: skip
    """The suspects and some controls in one new Run. A control that is suspect itself is as good: nothing of it has
    changed, and to leave it out would be to choose by what was measured."""
    after = found[next(iter(alone))].after
    assert after is not None
    # As long as the baseline's Rounds were: a shorter one warms up less.
    slice_ns = after[0].policy.budget_ns // after[0].policy.rounds
    controls = [place for place, each in enumerate(found) if unchanged(each)][: _CONTROLS + 1]
    cases = [found[place].case for place in dict.fromkeys((*alone, *controls))]
    rounds = policy.model_copy(update={"rounds": _ROUNDS_ALONE, "budget_ns": slice_ns * _ROUNDS_ALONE})
    fresh = await _measured(cases, rounds, workplace, command)
    told = {}
    for place, why in alone.items():
        beside = [
            (before, _side(fresh, found[other].case))
            for other in controls
            if other != place and (before := found[other].before) is not None
        ][:_CONTROLS]
        usable = [pair for pair in beside if pair[1][1].medians]
        each = confirmed_alone(found[place], _side(fresh, found[place].case), usable, threshold)
        told[place] = replace(each, doubts=(f"only the run was measured again: {why}", *each.doubts))
    return told


class _Way(NamedTuple):
    """How a suspect can be measured again: with `baseline`, alone and why, or not `here` and why."""

    baseline: Case | None
    here: bool
    why: str


def _way(suspect: Checked) -> _Way:
    assert suspect.before is not None and suspect.after is not None
    if suspect.after[0].machine.get("machine_id") != fingerprint()["machine_id"]:
        return _Way(None, False, "it was measured on another machine than this one")
    case, why = as_it_was(suspect.before[1], suspect.after[1], _packages(suspect.case))
    return _Way(case, True, why)


def _packages(case: Case) -> dict[str, str]:
    """npm package → the Case's field that asks for a version of it."""
    known = dict.fromkeys(catalog.backends()[case.backend].runtimes, "runtime")
    package = None if case.browser is None else catalog.browsers()[case.browser].package
    return known if package is None else {**known, package: "browser_version"}


async def _measured(cases: Iterable[Case], policy: Policy, workplace: Workplace, command: str) -> MeasuredRun:
    policy = policy.model_copy(update={"origin": "finding_out"})
    plan = Plan(cases=tuple(PlannedCase(case=case) for case in cases), policy=policy)
    outcome = await run_plan(plan, workplace, command)
    return measured_run(outcome.run, outcome.results, outcome.rounds)


def _side(run: MeasuredRun, case: Case) -> Side:
    found = run.of(case.case_id)
    assert found is not None
    return run, found
