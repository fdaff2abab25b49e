"""Anomalies that were measured again: was it so, or was it the moment? Pure."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.analyse.anomalies import Anomaly, Findings, Subject
from harness.analyse.answers import another_answer
from harness.analyse.within import drift, two_modes, why_no_drift, why_no_modes
from harness.core.history import PastRound
from harness.core.nouns import Plan, PlannedCase
from harness.core.rounds import Round
from harness.core.statistics import median

AgainVerdict = Literal["confirmed", "not_confirmed", "undecided"]
# How near to the odd median is near: within a quarter of its way from the usual, or what Rounds differ by anyway.
_PART_OF_THE_WAY = 0.25


@dataclass(frozen=True)
class Again:
    """An anomaly, what a second Run says of it, why, and what makes that doubtful."""

    anomaly: Anomaly
    verdict: AgainVerdict
    reason: str
    doubts: tuple[str, ...] = ()


def plan_again(findings: Findings, but: Collection[str] = ()) -> Plan:
    """Exactly the anomalous Cases, but those `but` names by case_id, with the Run's own policy.

    What a schedule decided by what it measured is decided: they are simply interleaved. Versions are not taken over:
    they are asked for anew.
    """
    ids = dict.fromkeys(one.case.case_id for one in findings.anomalies if one.case.case_id not in but)
    cases = tuple(PlannedCase(case=findings.subjects[case_id].point.case) for case_id in ids)
    decided = {"schedule": "interleaved", "memory_limit_bytes": None, "pairs": (), "decision": None}
    policy = findings.run.plan.policy.model_copy(update={**decided, "origin": "finding_out"})
    return Plan(cases=cases, policy=policy)


def judged_again(findings: Findings, anomaly: Anomaly, second: Subject | None, least: int) -> Again:
    """What the second Run's Rounds of the Case say; `second` is None where it has none."""
    first = findings.subjects[anomaly.case.case_id]
    if second is None:
        return Again(anomaly, "undecided", "it was not measured again")
    if anomaly.kind == "flaky":
        return _failed_again(anomaly, second)
    if anomaly.kind == "output_changed":
        return _answered_again(anomaly, first, second)
    if not second.ok:
        code = second.rounds[0].code
        return Again(anomaly, "undecided", f"none of its {len(second.rounds)} new rounds was ok ({code})")
    if second.clock != first.clock:
        return Again(anomaly, "undecided", f"it was in the clock {first.clock} and is in {second.clock} now")
    if anomaly.kind == "outlier":
        return _median_again(findings, anomaly, second, least)
    return _seen_again(findings, anomaly, second)


def _median_again(findings: Findings, anomaly: Anomaly, second: Subject, least: int) -> Again:
    """Near the odd median or near the history, by the interval that the history gives one Round."""
    first, confidence = findings.subjects[anomaly.case.case_id], findings.confidence
    expected = first.expected(_round_of(first, anomaly), least, confidence)
    medians = [median(samples) for one in second.ok if (samples := second.samples_ms(one))]
    if expected is None or anomaly.value is None or not medians:
        return Again(anomaly, "undecided", "its new rounds have no samples")
    now = median(medians)
    half, center = math.log(expected.high / expected.low) / 2, math.sqrt(expected.high * expected.low)
    near = max(half, _PART_OF_THE_WAY * abs(math.log(anomaly.value / center)))
    above = anomaly.value > expected.high
    usual = expected.low <= now <= expected.high
    beyond = now >= anomaly.value if above else now <= anomaly.value
    odd = beyond or abs(math.log(now / anomaly.value)) <= near
    told = (
        f"the median of {len(medians)} new rounds is {now:.4g} ms: it was {anomaly.value:.4g} ms, and "
        f"{expected.low:.4g} to {expected.high:.4g} ms was expected"
    )
    if odd and not usual:
        return Again(anomaly, "confirmed", told)
    if usual and not odd:
        return Again(anomaly, "not_confirmed", told)
    return Again(anomaly, "undecided", f"{told}; that is {'near both' if usual else 'near neither'}")


def _seen_again(findings: Findings, anomaly: Anomaly, second: Subject) -> Again:
    """The same test on each new Round; there are few of them, so few tests share the confidence."""
    samples = [second.samples_ms(one) for one in second.ok]
    each = 1 - (1 - findings.confidence) / len(samples)
    if anomaly.kind == "bimodal":
        judged = [one for one in samples if one and why_no_modes(one) is None]
        seen = [two_modes(one, each) is not None for one in judged]
    else:
        rises = (anomaly.value or 1.0) > 1
        judged = [one for one in samples if one and why_no_drift(one) is None]
        found = [drift(one, each) for one in judged]
        seen = [one is not None and (one.ratio > 1) == rises for one in found]
    if not judged:
        return Again(anomaly, "undecided", f"its {len(samples)} new rounds have too few samples")
    told = f"seen in {sum(seen)} of {len(judged)} new rounds"
    return Again(anomaly, "confirmed" if any(seen) else "not_confirmed", told)


def _answered_again(anomaly: Anomaly, first: Subject, second: Subject) -> Again:
    odd = _round_of(first, anomaly)
    numbers = {anomaly.number, *anomaly.also}
    usual: list[Round | PastRound] = [*first.past, *(one for one in first.rounds if one.number not in numbers)]
    new = [one for one in second.rounds if one.verdict is not None]
    if not new:
        return Again(anomaly, "undecided", "none of its new rounds gave an answer")
    if second.artifacts.isdisjoint(first.artifacts):
        return Again(anomaly, "undecided", "its artifact is another one now, so the answers cannot be compared")
    as_odd = sum(another_answer(one, [odd]) is None for one in new)
    as_usual = sum(another_answer(one, usual) is None for one in new)
    told = f"of {len(new)} new rounds {as_odd} gave the new answer and {as_usual} the earlier one"
    if as_odd:
        return Again(anomaly, "confirmed", told)
    return Again(anomaly, "not_confirmed" if as_usual == len(new) else "undecided", told)


def _failed_again(anomaly: Anomaly, second: Subject) -> Again:
    failed = [one for one in second.rounds if one.outcome == "failed"]
    count = len(second.rounds)
    if failed:
        codes = ", ".join(dict.fromkeys(one.code or "no code" for one in failed))
        return Again(anomaly, "confirmed", f"{len(failed)} of {count} new rounds failed ({codes})")
    # Below which rate as many Rounds in a row go well with a chance of 5 %.
    rate = 1 - 0.05 ** (1 / count)
    told = f"none of {count} new rounds failed; a failure in {rate:.0%} of rounds is not excluded by that"
    return Again(anomaly, "not_confirmed", told)


def _round_of(subject: Subject, anomaly: Anomaly) -> Round:
    return next(one for one in subject.rounds if one.round_id == anomaly.round_id)


def counts(again: Sequence[Again]) -> dict[AgainVerdict, int]:
    """How many of each verdict, also of those that none has."""
    verdicts: tuple[AgainVerdict, ...] = ("confirmed", "not_confirmed", "undecided")
    return {verdict: sum(one.verdict == verdict for one in again) for verdict in verdicts}
