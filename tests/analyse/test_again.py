"""What a second Run says of each kind of anomaly."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from harness.analyse.again import Again, counts, judged_again, plan_again
from harness.analyse.anomalies import Findings, anomalies_of, subjects_of
from harness.core.nouns import Policy
from harness.core.rounds import Round
from tests.analyse.odd import CASE, QUIET_HISTORY, history, judged_run, noise, round_at, rounds, verdict
from tests.store.made_up import case

ODD = [10.0, 17.0, 9.95]


def again(first: Sequence[Round], second: Sequence[Round] | None) -> list[Again]:
    findings = anomalies_of(judged_run(), first, history(*QUIET_HISTORY), 0.95, 3)
    assert findings.anomalies
    new = None if second is None else subjects_of(judged_run(), second, ()).get(CASE.case_id)
    return [judged_again(findings, one, new, 3) for one in findings.anomalies]


def verdicts(first: Sequence[Round], second: Sequence[Round] | None) -> list[str]:
    return [one.verdict for one in again(first, second)]


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        ([17.0, 16.8, 17.1], "confirmed"),
        ([15.5, 15.6, 15.4], "confirmed"),  # four fifths of the way from 10 to 17
        ([30.0, 30.3, 29.9], "confirmed"),  # further off on the same side
        ([10.0, 10.1, 9.9], "not_confirmed"),
        ([13.0, 13.1, 12.9], "undecided"),
        ([5.0, 5.1, 5.2], "undecided"),  # off as well, but on the other side
    ],
)
def test_an_outlier_is_confirmed_where_the_new_median_goes_with_it(now: list[float], verdict: str) -> None:
    (second,) = again(rounds(*ODD), rounds(*now))
    assert second.verdict == verdict, second.reason
    assert "was expected" in second.reason


def test_nothing_new_decides_nothing() -> None:
    assert verdicts(rounds(*ODD), None) == ["undecided"]
    failed = [round_at(n, (), outcome="failed", code="crashed", reason="x", verdict=None) for n in (1, 2)]
    (second,) = again(rounds(*ODD), failed)
    assert (second.verdict, second.reason) == ("undecided", "none of its 2 new rounds was ok (crashed)")


def test_another_clock_decides_nothing() -> None:
    new = [one.model_copy(update={"samples": tuple(s.model_copy(update={"clock": "slope2"}) for s in one.samples)})
           for one in rounds(10.0, 10.0)]  # fmt: skip
    assert verdicts(rounds(*ODD), new) == ["undecided"]


def shaped(kind: str, number: int = 1, **changes: Any) -> Round:
    samples = np.array(noise(number, 120))
    if kind == "two":
        samples = samples * np.where(np.random.default_rng(number).random(120) < 0.4, 1.3, 1.0)
    elif kind != "flat":
        samples = samples * np.linspace(1, 1.3 if kind == "up" else 1 / 1.3, 120)
    return round_at(number, tuple(samples.tolist()), **changes)


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ("two", "two", "confirmed"), ("two", "flat", "not_confirmed"), ("up", "up", "confirmed"),
        ("up", "flat", "not_confirmed"), ("up", "down", "not_confirmed"), ("down", "down", "confirmed"),
    ],
)  # fmt: skip
def test_a_shape_is_confirmed_where_it_is_seen_again(first: str, second: str, verdict: str) -> None:
    findings = anomalies_of(judged_run(), [shaped(first)], [], 0.95, 3)
    new = subjects_of(judged_run(), [shaped(second, n) for n in (5, 6)], ())[CASE.case_id]
    assert [judged_again(findings, one, new, 3).verdict for one in findings.anomalies] == [verdict]


def test_too_few_new_samples_decide_nothing_about_a_shape() -> None:
    findings = anomalies_of(judged_run(), [shaped("up")], [], 0.95, 3)
    new = subjects_of(judged_run(), [round_at(1, noise(1, 8))], ())[CASE.case_id]
    second = judged_again(findings, findings.anomalies[0], new, 3)
    assert (second.verdict, second.reason) == ("undecided", "its 1 new rounds have too few samples")


@pytest.mark.parametrize(
    ("now", "verdict"), [(5e-4, "confirmed"), (1e-6, "not_confirmed"), (2e-4, "undecided")]
)  # fmt: skip
def test_an_answer_is_confirmed_where_it_is_given_again(now: float, verdict: str) -> None:
    first = [round_at(n, noise(n), verdict=verdict_of(5e-4)) for n in (1, 2)]
    (second,) = again(first, [round_at(n, noise(n), verdict=verdict_of(now)) for n in (1, 2)])
    assert second.verdict == verdict, second.reason


def verdict_of(max_abs: float) -> Any:
    return verdict(max_abs)


def test_an_answer_of_another_artifact_decides_nothing() -> None:
    first = [round_at(1, noise(1), verdict=verdict(5e-4))]
    other = round_at(1, noise(1), verdict=verdict(5e-4), provenance={"artifact": "new"})
    (second,) = again(first, [other])
    assert second.verdict == "undecided" and "artifact" in second.reason


def test_a_failure_is_confirmed_by_one_and_its_absence_says_how_little_it_says() -> None:
    failed = round_at(2, (), outcome="failed", code="crashed", reason="x", verdict=None)
    first = [*rounds(10.0), failed]
    assert verdicts(first, [*rounds(10.0), failed]) == ["confirmed"]
    (second,) = again(first, rounds(10.0, 10.0, 10.0))
    # Three Rounds go well with a chance of 5 % where 1 - 0.05^(1/3) = 63 % fail.
    assert second.verdict == "not_confirmed" and "63% of rounds is not excluded" in second.reason
    assert counts([second]) == {"confirmed": 0, "not_confirmed": 1, "undecided": 0}


def two_cases() -> Findings:
    other = case(batch_size=2)
    run = judged_run(CASE, other)
    policy = Policy(rounds=4, budget_ns=7, seed=3, schedule="memory_limit", memory_limit_bytes=9)
    run = run.model_copy(update={"plan": run.plan.model_copy(update={"policy": policy})})
    mine = [*rounds(*ODD), *rounds(50.0, 50.1, 49.9, one=other)]
    return anomalies_of(run, mine, history(*QUIET_HISTORY), 0.95, 3)


def test_only_what_is_odd_is_measured_again_by_the_runs_own_policy() -> None:
    plan = plan_again(two_cases())
    assert [(point.case, point.versions, point.outcome) for point in plan.cases] == [(CASE, None, None)]
    assert (plan.policy.rounds, plan.policy.budget_ns, plan.policy.seed) == (4, 7, 3)
    assert (plan.policy.schedule, plan.policy.memory_limit_bytes) == ("interleaved", None)
    assert plan_again(two_cases(), {CASE.case_id}).cases == ()
