"""What an audit's facts come to: each check passes, fails, or says why it could not be made."""

from typing import Any

import pytest

from harness.analyse.audit import Audit, Check, audit_doubts, audit_of, audits_of
from harness.core.events import Samples
from harness.core.rounds import Round

SECOND = 1_000_000_000
RIGHT = {"answers": 3, "same_bytes": 2, "not_kept": 0, "different": 0, "furthest": 1e-6, "within": 4e-5, "reason": None}
FRESH = {"compared": 8, "same": 0, "reason": None}


def clock(speed: float = 1.0, seconds: float = 3.0, late_ns: int = 0) -> dict[str, Any]:
    """Forty readings; every other message is late by some milliseconds, the last of all by `late_ns` more."""
    ticks = []
    for step in range(41):
        true_ns = round(step / 40 * seconds * SECOND)
        delay_ns = (step % 2) * 30_000_000 + (late_ns if step == 40 else 0)
        ticks.append([round(true_ns * speed), true_ns, 77 * SECOND + true_ns + delay_ns])
    return {"ticks": ticks}


def samples(phase: str, durations_ns: list[int]) -> Samples:
    return Samples(phase=phase, clock="perf_counter", runs_per_sample=1, durations_ns=tuple(durations_ns))


def audited(repeated: list[int], varied: list[int], told: dict[str, Any] | None = None, **changes: Any) -> Round:
    facts = {"outputs": RIGHT, "caching": FRESH, "clock": clock(), **(told or {})}
    fields = {"round_id": "1", "run_id": "r", "case_id": "c", "number": 1, "started_at": "now", "outcome": "ok"}
    return Round.model_validate({
        **fields, "purpose": "audit", "provenance": {"clock_step_ns": 40, "audit": facts},
        "samples": [samples("repeated", repeated), samples("varied", varied)], **changes,
    })  # fmt: skip


def about(**told: Any) -> Audit:
    alike = [1_000_000 + 1000 * (each % 7) for each in range(30)]
    return audit_of(audited(alike, alike[::-1], told))


def caching(repeated: list[int], varied: list[int], **changes: Any) -> Check:
    return audit_of(audited(repeated, varied, **changes)).caching


def test_an_honest_backend_passes_all() -> None:
    audit = about()
    assert {check.status for check in audit.checks.values()} == {"passed"} and not audit.failed
    assert audit.caching.numbers["pairs"] == 30
    assert audit.caching.numbers["ratio"] == pytest.approx(1, abs=0.007)


@pytest.mark.parametrize(
    ("told", "status", "words"),
    [
        ({"different": 1, "reason": "round 2, last iteration: off"}, "failed", "1 of 3 answers are not"),
        ({"not_kept": 1}, "not_possible", "not kept"),
        ({"answers": 0}, "not_possible", "no timed round"),
    ],
)
def test_answers_that_differ_and_those_that_cannot_be_compared(told: Any, status: str, words: str) -> None:
    check = about(outputs={**RIGHT, **told}).outputs
    assert check.status == status and words in (check.reason or "")


def test_repeating_that_is_a_fifth_quicker_fails_and_a_twentieth_does_not() -> None:
    other = [1_000_000 + 1000 * (each % 7) for each in range(30)]
    assert caching([round(each * 0.8) for each in other], other).status == "failed"
    assert caching([round(each * 0.95) for each in other], other).status == "passed"
    assert caching([round(each * 1.5) for each in other], other).status == "passed"


def test_a_cache_that_no_clock_can_see_answer_fails() -> None:
    check = caching([0] * 30, [1_000_000] * 30)
    assert check.status == "failed" and check.numbers["ratio"] == 0


def test_where_noise_hides_the_difference_nothing_is_said() -> None:
    repeated = [500_000, 1_500_000] * 10
    check = caching(repeated, [1_000_000] * 20)
    assert check.status == "not_possible" and "undecided" in (check.reason or "")


def test_a_drift_of_the_machine_falls_on_both_of_a_pair() -> None:
    slower = [round(1_000_000 * 1.05**step) for step in range(30)]
    check = caching(slower, slower)
    assert check.status == "passed" and check.numbers["high"] == 1


def test_runs_shorter_than_a_coarse_clock_are_added_up() -> None:
    # Of 300 µs under a clock of 100 µs: 10 steps are 1 ms, which is 4 pairs.
    coarse = {"provenance": {"clock_step_ns": 100_000, "audit": {"caching": FRESH}}}
    check = caching([300_000] * 40, [300_000] * 40, **coarse)
    assert (check.status, check.numbers["pairs"]) == ("passed", 10)
    assert caching([300_000] * 20, [300_000] * 20, **coarse).status == "not_possible"


def test_the_same_answer_to_other_inputs_fails_however_long_it_takes() -> None:
    check = about(caching={**FRESH, "same": 1}).caching
    assert check.status == "failed" and "1 of 8" in (check.reason or "")


def test_without_other_inputs_it_says_why() -> None:
    check = caching([1_000_000] * 30, [], told={"caching": {"compared": 0, "same": 0, "reason": "it takes texts"}})
    assert (check.status, check.reason) == ("not_possible", "it takes texts")


def test_where_waiting_takes_most_of_a_run_nothing_is_said() -> None:
    floor = {"clock_step_ns": 40, "wait_floor_ns": 900_000, "audit": {"caching": FRESH}}
    check = caching([1_000_000] * 30, [1_000_000] * 30, provenance=floor)
    assert check.status == "not_possible" and "90% of a run" in (check.reason or "")


@pytest.mark.parametrize(("speed", "status"), [(1.0, "passed"), (0.8, "failed"), (1.2, "failed"), (0.99, "passed")])
def test_a_clock_is_held_against_another(speed: float, status: str) -> None:
    check = about(clock=clock(speed)).clock
    assert check.status == status and check.numbers["speed"] == pytest.approx(speed, abs=1e-6)


def test_a_late_message_is_no_slow_clock() -> None:
    assert about(clock=clock(late_ns=500_000_000)).clock.status == "passed"


def test_too_short_a_stretch_says_nothing() -> None:
    assert about(clock=clock(seconds=0.5)).clock.status == "not_possible"
    assert about(clock={"ticks": clock()["ticks"][:5]}).clock.status == "not_possible"


def test_a_failed_check_is_a_doubt_and_a_round_that_broke_says_why_there_is_none() -> None:
    slow = audited([1_000_000] * 30, [1_000_000] * 30, {"clock": clock(0.8)})
    assert audit_doubts([slow]) == ["audit: clock: the clock that times goes 0.800 times as fast as the conductor's"]
    gone = slow.model_copy(update={"outcome": "failed", "code": "silence", "reason": "nothing", "provenance": {}})
    assert audit_doubts([gone]) == ["no audit: silence: nothing"]
    assert {check.reason for check in audit_of(gone).checks.values()} == {"silence: nothing"}
    timed = slow.model_copy(update={"purpose": "timing"})
    assert audit_doubts([timed]) == [] and audits_of([timed]) == {} and list(audits_of([timed, slow])) == ["c"]


@pytest.mark.parametrize("told", [None, 3, {"outputs": 1, "caching": [], "clock": {"ticks": [1, [2], "x"]}}])
def test_what_a_worker_makes_up_breaks_nothing(told: Any) -> None:
    one = audited([], [], provenance={"audit": told})
    assert not audit_of(one).failed
