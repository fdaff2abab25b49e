"""What is odd in a Run is found, called by its name and explained; what is not odd is left alone."""

from typing import Any

import numpy as np
import pytest

from harness.analyse.anomalies import Findings, anomalies_of
from harness.core.history import PastRound
from harness.core.rounds import Round, Run
from tests.analyse.odd import (
    CASE,
    QUIET_HISTORY,
    VERSIONS,
    history,
    judged_run,
    noise,
    past_round,
    round_at,
    rounds,
    verdict,
)
from tests.store.made_up import case


def found(
    mine: list[Round], past: list[PastRound], run: Run | None = None, confidence: float = 0.95, least: int = 3
) -> Findings:
    return anomalies_of(run or judged_run(), mine, past, confidence, least)


def kinds(findings: Findings) -> list[tuple[str, int]]:
    return [(one.kind, one.number) for one in findings.anomalies]


def test_a_quiet_run_has_no_anomaly_and_says_what_was_judged() -> None:
    findings = found(rounds(10.0, 10.1, 9.95), history(*QUIET_HISTORY))
    assert (findings.anomalies, findings.not_judged) == ((), ())
    assert (findings.rounds, findings.tests) == (3, 9)  # three Rounds, three questions each
    assert findings.each == pytest.approx(1 - 0.05 / 9)


def test_a_round_off_its_history_is_an_outlier_with_what_was_expected() -> None:
    findings = found(rounds(10.0, 17.0, 9.95), history(*QUIET_HISTORY))
    (anomaly,) = findings.anomalies
    assert (anomaly.kind, anomaly.number, anomaly.what) == ("outlier", 2, "latency_median_ms")
    assert anomaly.value == pytest.approx(17, rel=0.02) and anomaly.expected is not None
    assert 8 < anomaly.expected[0] < 9.9 and 10.2 < anomaly.expected[1] < 13
    assert "9 other rounds in 3 other runs with the same versions" in anomaly.sentence
    assert (anomaly.run_id, anomaly.round_id) == (findings.run.run_id, f"{CASE.case_id}-2")


def test_a_round_that_is_too_fast_is_odd_as_well() -> None:
    assert kinds(found(rounds(10.0, 10.1, 5.0), history(*QUIET_HISTORY))) == [("outlier", 3)]


def test_a_run_that_is_off_as_a_whole_is_reported_even_after_one_run() -> None:
    assert kinds(found(rounds(20.0, 20.2, 19.9), history(*QUIET_HISTORY))) == [("outlier", n) for n in (1, 2, 3)]
    after_one = found(rounds(40.0, 40.2, 39.9), history(QUIET_HISTORY[0]))
    assert kinds(after_one) == [("outlier", n) for n in (1, 2, 3)]
    assert "one other run does not show how runs differ here" in after_one.anomalies[0].sentence


def test_rounds_of_the_run_itself_are_a_history_where_there_is_no_other() -> None:
    assert kinds(found(rounds(10.0, 10.1, 9.9, 10.05, 30.0), [])) == [("outlier", 5)]


def test_a_history_that_is_too_short_is_said_and_not_judged() -> None:
    findings = found(rounds(10.0, 30.0, 10.0), [])
    assert findings.anomalies == ()
    (left,) = findings.not_judged
    assert (left.kind, left.rounds, left.reason) == (
        "outlier", (1, 2, 3), "history too short: 2 of 3 other rounds"
    )  # fmt: skip
    assert found(rounds(10.0, 30.0), history((10.0, 10.1)), least=4).not_judged[0].rounds == (1, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"versions": {"torch": "2.12.0"}}, {"versions": None}, {"runtime": {"torch": "2.12.0"}}, {"outcome": "failed"},
        {"medians_ms": {"another_clock": 10.0}},
    ],
)  # fmt: skip
def test_rounds_that_are_not_comparable_are_no_history(changes: dict[str, Any]) -> None:
    findings = found(rounds(20.0), history(*QUIET_HISTORY, **changes))
    assert kinds(findings) == [] and findings.not_judged[0].reason.startswith("history too short: 0 of 3")


def test_other_versions_are_told_where_the_history_is_short() -> None:
    findings = found(rounds(10.0), history(*QUIET_HISTORY, versions={"torch": "2.12.0"}))
    assert (
        findings.not_judged[0].reason == "history too short: 0 of 3 other rounds; 9 had other versions or another clock"
    )
    unknown = found(rounds(10.0), history(*QUIET_HISTORY), judged_run(versions=None))
    assert "the versions of this run are not known" in unknown.not_judged[0].reason


def test_two_speeds_in_one_round_are_bimodal() -> None:
    chance = np.random.default_rng(0)
    samples = noise(1, 120) * np.where(chance.random(120) < 0.4, 1.3, 1.0)
    findings = found([round_at(1, tuple(samples)), *rounds(10.0, 10.0)[1:]], history(*QUIET_HISTORY))
    assert ("bimodal", 1) in kinds(findings)
    anomaly = next(one for one in findings.anomalies if one.kind == "bimodal")
    assert anomaly.value == pytest.approx(1.3, rel=0.02) and anomaly.expected is None
    assert "two modes" in anomaly.sentence


RISING = tuple(np.array(noise(1, 120)) * np.linspace(1, 1.3, 120))


def test_a_rise_is_a_drift_without_evidence_and_throttling_with_it() -> None:
    assert kinds(found([round_at(1, RISING)], [])) == [("drift", 1)]
    stolen = round_at(1, RISING, provenance={"artifact": "abc", "steal_share": 0.12})
    (anomaly,) = found([stolen], []).anomalies
    assert anomaly.kind == "throttling" and "took 12.0% of its CPU" in anomaly.sentence
    hot = {"end": {"findings": [{"code": "throttled", "text": "the processor throttled itself 7 times, from heat"}]}}
    assert kinds(found([round_at(1, RISING)], [], judged_run(quiet_before=[hot]))) == [("throttling", 1)]
    (anomaly,) = found([round_at(1, RISING)], [], judged_run(quiet=hot)).anomalies
    assert anomaly.kind == "throttling" and anomaly.sentence.endswith("throttled itself 7 times, from heat")
    assert anomaly.value == pytest.approx(1.3, rel=0.04) and anomaly.expected == (1 / 1.05, 1.05)


def test_noise_that_holds_nothing_back_is_no_evidence() -> None:
    quiet = {"end": {"findings": [{"code": "low_memory", "text": "only 1 of 8 MB"}]}}
    assert kinds(found([round_at(1, RISING)], [], judged_run(quiet=quiet))) == [("drift", 1)]


def test_a_fall_is_never_throttling() -> None:
    stolen = round_at(1, RISING[::-1], provenance={"artifact": "abc", "steal_share": 0.12})
    (anomaly,) = found([stolen], []).anomalies
    assert anomaly.kind == "drift" and "not warm yet" in anomaly.sentence


def test_too_few_samples_are_not_judged_for_what_needs_more() -> None:
    findings = found([round_at(1, noise(1, 8))], history(*QUIET_HISTORY))
    assert {(one.kind, one.reason) for one in findings.not_judged} == {
        ("bimodal", "too few independent samples: 8 are worth 8 of 10"), ("drift", "too few samples: 8 of 24"),
    }  # fmt: skip
    assert findings.tests == 1


def test_another_answer_is_told_once_with_all_its_rounds() -> None:
    mine = [round_at(n, noise(n), verdict=verdict(5e-4)) for n in (1, 2, 3)]
    (anomaly,) = found(mine, history(*QUIET_HISTORY)).anomalies
    assert (anomaly.kind, anomaly.number, anomaly.also, anomaly.what) == ("output_changed", 1, (2, 3), "max_abs")
    assert (anomaly.value, anomaly.expected) == (5e-4, (1e-6, 1e-6))
    assert "9 earlier rounds of the same artifact" in anomaly.sentence
    assert anomaly.sentence.endswith("what it ran on is the same")


def test_an_answer_that_wavers_within_a_run_is_told() -> None:
    mine = [round_at(n, noise(n), verdict=verdict(agreement=0.9 if n == 3 else 1.0)) for n in (1, 2, 3)]
    assert [(one.number, one.what, one.value) for one in found(mine, []).anomalies] == [(3, "agreement", 0.9)]


def test_a_changed_runtime_is_named_with_the_changed_answer() -> None:
    past = history(*QUIET_HISTORY, versions={"torch": "2.12.0"}, runtime={"torch": "2.12.0"})
    (anomaly,) = found([round_at(1, noise(1), verdict=verdict(cosine=0.99))], past).anomalies
    assert anomaly.what == "cosine" and anomaly.sentence.endswith("meanwhile torch 2.12.0 → 2.13.0")


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": verdict(4e-5)},  # less than a twentieth of what the judge allows
        {"verdict": verdict(cosine=1 - 1e-7)},
        {"verdict": verdict(5e-4), "provenance": {"artifact": "other"}},
        {"verdict": verdict(5e-4), "provenance": {}},
        {"verdict": None},
    ],
)
def test_rounding_and_another_artifact_are_no_change(changes: dict[str, Any]) -> None:
    assert found([round_at(1, noise(1), **changes)], history(*QUIET_HISTORY)).anomalies == ()


def test_a_later_run_is_nothing_to_be_compared_with() -> None:
    """An answer is compared with earlier ones, a median with all."""
    later = [past_round(1, n, 10.0, started_at=f"2027-01-01T00:0{n}:00+00:00", verdict=verdict(5e-4)) for n in (1, 2)]
    assert found(rounds(10.0, 10.0), later).anomalies == ()


def test_a_failure_among_rounds_that_went_well_is_flaky_whether_here_or_before() -> None:
    failed = round_at(2, (), outcome="failed", code="crashed", reason="SIGSEGV", verdict=None)
    (anomaly,) = found([rounds(10.0)[0], failed], history(*QUIET_HISTORY)).anomalies
    assert (anomaly.kind, anomaly.number, anomaly.value) == ("flaky", 2, None)
    assert "crashed: SIGSEGV" in anomaly.sentence and "1 of this run and 9 of other runs" in anomaly.sentence
    assert kinds(found([failed], history((10.0,)))) == [("flaky", 2)]
    assert found([failed], history((10.0,), outcome="failed")).anomalies == ()
    assert found([failed], history((10.0,), versions={"torch": "2.12.0"})).anomalies == (), "it ran on other versions"


def test_a_wrong_answer_is_told_once() -> None:
    wrong = verdict(0.5, passed=False)
    failed = round_at(2, noise(2), outcome="failed", code="wrong_output", reason="off by 0.5", verdict=wrong)
    findings = found([rounds(10.0)[0], failed], history(*QUIET_HISTORY))
    assert [(one.kind, one.number, one.what, one.value) for one in findings.anomalies] == [
        ("output_changed", 2, "passed", 0.0)
    ]


def test_profiles_and_refusals_are_not_looked_at() -> None:
    profile = round_at(1, noise(1, center_ms=99), purpose="profile")
    refused = round_at(2, (), outcome="unsupported", reason="no adapter", verdict=None)
    findings = found([profile, refused], history(*QUIET_HISTORY))
    assert (findings.rounds, findings.tests, findings.anomalies) == (0, 0, ())


def test_cases_are_judged_by_their_own_history() -> None:
    other = case(batch_size=2)
    mine = [*rounds(10.0, 10.1, 9.9), *rounds(50.0, 50.3, 49.8, one=other)]
    past = [*history(*QUIET_HISTORY), *history((50.0, 50.1, 49.7), (50.2, 49.9, 50.0), (50.1, 50.0, 49.9), one=other)]
    assert found(mine, past, judged_run(CASE, other)).anomalies == ()
    swapped = [*rounds(50.0, 50.1, 49.9), *rounds(10.0, 10.3, 9.8, one=other)]
    assert len(found(swapped, past, judged_run(CASE, other)).anomalies) == 6


def test_of_runs_without_anything_odd_no_more_are_reported_than_promised() -> None:
    """Whole Runs of two Cases, each level of noise there is, heavy tails inside Rounds: 5 % of 200 are 10 Runs; more
    than 18 have a chance below 1 %."""
    other, chance = case(batch_size=2), np.random.default_rng(20)
    run, reported = judged_run(CASE, other), 0
    for _ in range(200):
        mine: list[Round] = []
        past: list[PastRound] = []
        for one in (CASE, other):
            levels = [10 * np.exp(0.03 * chance.normal()) for _ in range(6)]
            runs = [(level * np.exp(0.02 * chance.normal(size=3))).tolist() for level in levels]
            past += history(*runs[:5], one=one)
            for number, center in enumerate(runs[5], 1):
                samples = center * np.exp(0.03 * chance.standard_t(3, size=50))
                mine.append(round_at(number, tuple(samples.tolist()), one))
        reported += bool(found(mine, past, run).anomalies)
    assert reported <= 18


def test_versions_of_the_made_up_history_are_those_of_the_run() -> None:
    assert judged_run().plan.cases[0].versions == VERSIONS
