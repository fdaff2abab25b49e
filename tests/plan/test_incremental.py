"""What is reused and what is measured again, with the reason: a pure decision, a table of differences."""

from datetime import UTC, datetime
from typing import Any

import pytest

from harness.core.nouns import Plan, PlannedCase, Policy
from harness.core.rounds import KnownResult
from harness.plan.incremental import Reuse, reuse
from tests.making import make_case

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECOND_NS = 1_000_000_000
VERSIONS = {"artifact": "a" * 24, "loop": "b" * 16, "harness": "0.1.0", "torch": "2.13.0", "browser": "c 153.0.0"}
CASE = make_case()


def known(**changes: Any) -> KnownResult:
    """A result that will do: measured three days ago, three Rounds in 20 s."""
    fields: dict[str, Any] = {
        "run_id": "earlier", "case_id": CASE.case_id, "outcome": "ok", "rounds_ok": 3, "rounds_planned": 3,
        "measured_at": "2026-11-20T12:00:00+00:00", "budget_ns": 20 * SECOND_NS, "versions": VERSIONS, "runtimes": 1,
    }  # fmt: skip
    return KnownResult.model_validate({**fields, **changes})


def decide(
    *results: KnownResult, rounds: int = 3, budget_s: int = 20, days: float | None = None, **point: Any
) -> Reuse:
    planned = PlannedCase.model_validate({"case": CASE, "versions": VERSIONS, **point})
    plan = Plan(cases=(planned,), policy=Policy(rounds=rounds, budget_ns=budget_s * SECOND_NS))
    return reuse(plan, {CASE.case_id: results} if results else {}, NOW, days)


def test_the_same_versions_and_policy_are_reused() -> None:
    found = decide(known())
    assert found.plan.cases[0].reused_from == "earlier"
    assert not found.plan.cases[0].to_measure
    assert found.measured_at == {CASE.case_id: "2026-11-20T12:00:00+00:00"}
    assert found.again == {}


def test_what_was_never_measured_is_measured_without_a_reason() -> None:
    found = decide()
    assert found.plan.cases[0].to_measure
    assert (found.measured_at, found.again) == ({}, {})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outcome": "failed"}, "it failed then"),
        ({"rounds_ok": 2}, "it has 2 of 3 rounds"),
        ({"budget_ns": 20 * SECOND_NS - 1}, "it had a smaller budget"),
        # Three of ten Rounds done: 6 of the 20 seconds were spent.
        ({"rounds_planned": 10}, "it had a smaller budget"),
        ({"measured_at": "2026-11-23T12:00:01+00:00"}, "in the future: the clock was changed"),
        ({"versions": None}, "its versions are not known"),
        ({"runtimes": 2}, "its rounds ran on different versions"),
        ({"versions": {**VERSIONS, "torch": "2.12.1"}}, "torch 2.12.1 → 2.13.0"),
        ({"versions": {**VERSIONS, "browser": "c 152.0.0"}}, "browser c 152.0.0 → c 153.0.0"),
        ({"versions": {**VERSIONS, "artifact": "c" * 24}}, "the artifact changed"),
        ({"versions": {**VERSIONS, "loop": "c" * 16}}, "the measuring code changed"),
        ({"versions": {**VERSIONS, "gone": "1"}}, "gone 1 → unknown"),
        ({"versions": {k: v for k, v in VERSIONS.items() if k != "torch"}}, "torch unknown → 2.13.0"),
        ({"versions": {**VERSIONS, "loop": "c" * 16, "torch": "1"}}, "the measuring code changed, torch 1 → 2.13.0"),
        ({"outcome": "unsupported", "rounds_ok": 0, "versions": {}}, "torch unknown → 2.13.0"),
    ],
)
def test_a_difference_that_matters_is_measured_again_and_named(changes: dict[str, Any], reason: str) -> None:
    found = decide(known(**changes))
    assert found.plan.cases[0].reused_from is None
    assert found.plan.cases[0].to_measure
    assert reason in found.again[CASE.case_id]
    assert found.measured_at == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"rounds_ok": 10, "rounds_planned": 10},
        {"budget_ns": 60 * SECOND_NS},
        {"measured_at": "2026-11-23T12:00:00+00:00"},
        {"measured_at": "1999-01-01T00:00:00+00:00"},
        {"outcome": "unsupported", "rounds_ok": 0, "runtimes": 0},
        # Ten Rounds planned for 100 s, interrupted after three: 30 seconds were spent.
        {"rounds_planned": 10, "budget_ns": 100 * SECOND_NS},
    ],
)
def test_more_than_was_asked_for_is_enough(changes: dict[str, Any]) -> None:
    assert decide(known(**changes)).plan.cases[0].reused_from == "earlier"


def test_a_release_of_the_harness_alone_is_no_reason() -> None:
    """Where numbers can change, what measures has another version, and that is in `loop`."""
    assert decide(known(versions={**VERSIONS, "harness": "0.0.9"})).plan.cases[0].reused_from == "earlier"


@pytest.mark.parametrize(
    ("days", "reused"), [(3.0, True), (2.999, False), (0.5, False), (30, True), (1e300, True), (None, True)]
)
def test_what_is_older_than_asked_is_measured_again(days: float | None, reused: bool) -> None:
    found = decide(known(), days=days)
    assert (found.plan.cases[0].reused_from == "earlier") is reused
    assert bool(found.again) is not reused


def test_a_clock_that_jumped_is_stale_at_any_age_limit() -> None:
    assert "future" in decide(known(measured_at="2027-01-01T00:00:00+00:00"), days=365).again[CASE.case_id]


def test_of_several_the_newest_that_will_do() -> None:
    newest = known(run_id="quick", rounds_ok=1, rounds_planned=1, measured_at="2026-11-22T12:00:00+00:00")
    found = decide(newest, known(), known(run_id="older", measured_at="2026-11-19T12:00:00+00:00"))
    assert found.plan.cases[0].reused_from == "earlier"
    assert found.again == {}
    # None will do: the reason is the newest one's.
    assert decide(newest, known(outcome="failed")).again == {CASE.case_id: "it has 1 of 3 rounds"}


def test_what_failed_since_has_the_last_word() -> None:
    since = known(run_id="since", outcome="failed", measured_at="2026-11-22T12:00:00+00:00")
    assert decide(since, known()).again == {CASE.case_id: "it failed then"}
    before = known(run_id="before", outcome="failed", measured_at="2026-11-19T12:00:00+00:00")
    assert decide(known(), before).plan.cases[0].reused_from == "earlier"


@pytest.mark.parametrize(
    ("quiet", "reason"),
    [(True, None), (False, "the machine was noisy then"), (None, "nobody looked whether the machine was quiet")],
)
def test_a_strict_run_takes_over_no_noise(quiet: bool | None, reason: str | None) -> None:
    planned = PlannedCase(case=CASE, versions=VERSIONS)
    policy = Policy(rounds=3, budget_ns=20 * SECOND_NS, quiet="strict")
    found = reuse(Plan(cases=(planned,), policy=policy), {CASE.case_id: [known(quiet=quiet)]}, NOW)
    assert found.again == ({CASE.case_id: reason} if reason else {})


def test_unknown_versions_now_reuse_nothing() -> None:
    assert decide(known(), versions=None).again == {CASE.case_id: "its versions are not known"}


def test_an_attached_device_may_be_another_one_by_now() -> None:
    case = make_case(platform="wasm", browser="attached", browser_version="phone")
    plan = Plan(cases=(PlannedCase(case=case, versions=VERSIONS),), policy=Policy())
    found = reuse(plan, {case.case_id: [known(case_id=case.case_id)]}, NOW)
    assert found.plan.cases[0].to_measure and "which device" in found.again[case.case_id]


def test_the_impossible_stays_what_it_is() -> None:
    found = decide(known(), outcome="unsupported", reason="not installed")
    assert found.plan.cases[0].reused_from is None
    assert found.plan.cases[0].reason == "not installed"
    assert (found.measured_at, found.again) == ({}, {})
