"""Histories of versions, made up: the change is found in few steps, and nothing is called certain that is not."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analyse.bisection import LEAST_SEEN, Answer, Known, Try, bisected
from harness.analyse.likeness import Observed
from harness.analyse.observing import observed
from harness.core.nouns import Case, Plan, PlannedCase, Policy
from harness.core.rounds import CaseResult, Round, Verdict
from harness.metrics import round_medians
from harness.plan.schedule import schedule_for
from tests.making import make_case
from tests.store.made_up import round_of

RIGHT = Verdict(checked=True, passed=True, tolerance=1e-3, max_abs=1e-6, rms_rel=1e-6)
# What a version is, by its letter → its Rounds, one after the other: `.` ok, `x` failed, `u` lacks it, `m` no such
# package to be had now, `f` and `g` give one answer now and another then.
HISTORIES = {".": ".", "x": "x", "u": "u", "m": "m", "f": ".x", "g": "x.", "w": "w"}
_CHANGES: dict[str, dict[str, Any]] = {
    ".": {},
    "x": {"outcome": "failed", "code": "webnn_lost", "reason": "the context is lost"},
    "u": {"outcome": "unsupported", "reason": "no navigator.ml", "verdict": None},
    "m": {"outcome": "failed", "code": "not_fetched", "reason": "npm gave no answer"},
    "w": {"outcome": "failed", "code": "wrong_output", "verdict": RIGHT.model_copy(update={"passed": False})},
}


def case_of(version: str) -> Case:
    return make_case(platform="wasm", browser="chromium", browser_version=version)


@dataclass
class World:
    """Versions as they are; `round_` makes the Round of a version: its how-manieth, and in which Run."""

    versions: Sequence[str]
    round_: Callable[[str, int, int], Round]
    threshold: float = 0.05
    runs: list[Try] = field(default_factory=list)
    rounds: dict[str, list[Round]] = field(default_factory=dict)

    def search(self) -> Answer:
        """As the driver does it, with the same schedules."""
        known: dict[str, Observed] = {}
        medians: dict[str, dict[str, object]] = {}
        tried: list[tuple[Try, str]] = []
        while True:
            upcoming = bisected(self.versions, Known(known, medians, tuple(tried)), self.threshold)  # type: ignore[arg-type]
            if isinstance(upcoming, Answer):
                return upcoming
            assert len(self.runs) < 20 + 4 * len(self.versions), "it goes on for ever"
            run_id = f"run{len(self.runs):03}"
            self.runs.append(upcoming)
            tried.append((upcoming, run_id))
            new = self.measured(upcoming, len(self.runs))
            for version in upcoming.together:
                mine = self.rounds.setdefault(version, [])
                mine += [one.model_copy(update={"run_id": run_id}) for one in new if one.case_id == case_id(version)]
                last = mine[-1]
                result = CaseResult(
                    run_id=run_id, case_id=last.case_id, outcome=last.outcome, code=last.code, reason=last.reason
                )
                known[version] = observed(version, result, mine)
                medians.setdefault(version, {})[run_id] = round_medians([one for one in mine if one.run_id == run_id])

    def measured(self, upcoming: Try, run: int) -> list[Round]:
        cases = {case_id(version): version for version in upcoming.together}
        policy = Policy(rounds=1)
        if upcoming.decision is not None:
            pairs = tuple((case_id(a), case_id(b)) for a, b in upcoming.pairs)
            policy = Policy(rounds=20, schedule="until_decided", pairs=pairs, decision=upcoming.decision)
        points = tuple(PlannedCase(case=case_of(version)) for version in cases.values())
        schedule = schedule_for(Plan(cases=points, policy=policy))
        history: list[Round] = []
        while (planned := schedule.next(history)) is not None:
            version = cases[planned.case.case_id]
            before = len(self.rounds.get(version, [])) + sum(one.case_id == planned.case.case_id for one in history)
            history.append(self.round_(version, before, run).model_copy(update={"number": planned.number}))
        return history

    @property
    def first_seen(self) -> list[str]:
        """Versions in the order they were first tried."""
        return list(dict.fromkeys(version for each in self.runs for version in each.together))


def case_id(version: str) -> str:
    return case_of(version).case_id


def of_letters(letters: str) -> World:
    versions = [f"{number}.0.0" for number in range(100, 100 + len(letters))]

    def round_(version: str, before: int, run: int) -> Round:
        pattern = HISTORIES[letters[versions.index(version)]]
        return round_of(
            case_of(version), sample_ms=(10.0,) * 12, **{"verdict": RIGHT, **_CHANGES[pattern[before % len(pattern)]]}
        )

    return World(versions, round_)


def place(version: str | None) -> int:
    assert version is not None
    return int(version.partition(".")[0]) - 100


@st.composite
def _monotone(draw: st.DrawFn) -> tuple[str, int]:
    """Letters, and where the first that is broken stands; any may be unable to say, but one on each side."""
    n = draw(st.integers(2, 40))
    change = draw(st.integers(1, n - 1))
    silent = draw(st.sets(st.integers(0, n - 1)))
    silent -= {draw(st.integers(0, change - 1)), draw(st.integers(change, n - 1))}
    kinds = st.sampled_from("mfgu")
    mended = draw(st.booleans())
    old, new = ("x", ".") if mended else (".", "x")
    loud = "".join(old if at < change else new for at in range(n))
    ends = min(at for at in range(n) if at not in silent), max(at for at in range(n) if at not in silent)
    # What lacks it at an end is an answer of its own there: see below.
    return "".join(
        (draw(kinds) if ends[0] < at < ends[1] else draw(st.sampled_from("m"))) if at in silent else letter
        for at, letter in enumerate(loud)
    ), change


@given(_monotone())
@settings(max_examples=300, deadline=None)
def test_one_change_is_found_whatever_cannot_say(made: tuple[str, int]) -> None:
    letters, change = made
    world = of_letters(letters)
    answer = world.search()
    assert answer.kind == "outcome" and answer.cannot_say is None
    last, first = place(answer.last_before), place(answer.first_after)
    assert last < change <= first
    silent = [at for at, letter in enumerate(letters) if letter not in ".x"]
    assert [place(one.version) for one in answer.skipped] == list(range(last + 1, first))
    assert set(range(last + 1, first)) <= set(silent)
    tried = "".join(letters[place(version)] for version in world.first_seen)
    # One that fails now and then may have misled until it was seen again: what it had ruled out is searched once more.
    misled = sum(letter in "fg" for letter in tried)
    assert sum(letter in ".x" for letter in tried) - 2 <= (1 + misled) * math.ceil(math.log2(len(letters)))
    assert answer.seen is not None and min(answer.seen) >= LEAST_SEEN


@given(st.text(alphabet=".xumfgw", min_size=2, max_size=30))
@settings(max_examples=300, deadline=None)
def test_whatever_the_history_an_answer_is_what_was_seen(letters: str) -> None:
    """Several changes, versions that fail now and then: both sides of the answer differ, nothing between has a side."""
    answer = of_letters(letters).search()
    if answer.kind is None:
        return
    last, first = place(answer.last_before), place(answer.first_after)
    assert letters[last] in ".xuw" and letters[first] in ".xuw" and letters[last] != letters[first]
    assert answer.ends is not None and place(answer.ends[0]) <= last < first <= place(answer.ends[1])
    assert [place(one.version) for one in answer.skipped] == list(range(last + 1, first))
    ends = {letters[place(end)] for end in answer.ends}
    # What lies between is like neither end, or nothing can be said of it.
    for at in range(last + 1, first):
        assert letters[at] in "mfg" or letters[at] not in ends
        assert "." not in ends or letters[at] != "."


@pytest.mark.parametrize(
    ("letters", "change", "last", "first", "skipped"),
    [
        ("..xx", "broke", 1, 2, []),
        ("xx..", "mended", 1, 2, []),
        ("uu..", "mended", 1, 2, []),
        ("..uu", "broke", 1, 2, []),
        ("uuxx", "changed", 1, 2, []),
        (".uux", "broke", 0, 3, [1, 2]),
        ("...m.mxx", "broke", 4, 6, [5]),
        ("..ww", "broke", 1, 2, []),
        (".xww", "broke", 0, 2, [1]),
    ],
)
def test_changes_by_name(letters: str, change: str, last: int, first: int, skipped: list[int]) -> None:
    answer = of_letters(letters).search()
    assert (answer.change, place(answer.last_before), place(answer.first_after)) == (change, last, first)
    assert [place(one.version) for one in answer.skipped] == skipped
    assert answer.kind == ("answer" if "w" in letters else "outcome")


@pytest.mark.parametrize("letters", ["mm", "m.m", "f.", "ffff"])
def test_where_fewer_than_two_can_say_nothing_is_said(letters: str) -> None:
    answer = of_letters(letters).search()
    assert answer.kind is None and answer.cannot_say is not None and answer.passed_over


def test_an_end_that_cannot_say_moves_inward_and_is_named() -> None:
    answer = of_letters("mm..x.m").search()
    assert answer.ends == ("102.0.0", "105.0.0") and answer.kind is None
    assert [place(one.version) for one in answer.passed_over] == [0, 1, 6]


@pytest.mark.parametrize("letters", ["xxxx", "uuu"])
def test_the_same_failure_at_both_ends_is_no_difference(letters: str) -> None:
    world = of_letters(letters)
    answer = world.search()
    assert answer.kind is None and answer.cannot_say is None and len(world.runs) == 1


def test_figures_that_move_by_more_than_rounding_are_another_answer() -> None:
    """An answer may be right on both sides, and yet another kernel's."""
    versions = [f"{number}.0.0" for number in range(100, 108)]
    levels = [1e-6, 1.1e-6, 0.9e-6, 1e-6, 2e-4, 2.1e-4, 2e-4, 2e-4]

    def round_(version: str, before: int, run: int) -> Round:
        verdict = RIGHT.model_copy(update={"max_abs": levels[place(version)]})
        return round_of(case_of(version), sample_ms=(10.0,) * 12, verdict=verdict)

    answer = World(versions, round_).search()
    assert (answer.kind, answer.change) == ("answer", "changed")
    assert (answer.last_before, answer.first_after) == ("103.0.0", "104.0.0")
    rounding = World(versions[:4], round_).search()
    assert rounding.kind is None


def test_nodes_that_fall_back_are_found() -> None:
    versions = [f"{number}.0.0" for number in range(100, 108)]

    def round_(version: str, before: int, run: int) -> Round:
        share = 0.25 if place(version) >= 6 else 0.0
        return round_of(case_of(version), sample_ms=(10.0,) * 12, verdict=RIGHT, provenance={"fallback_share": share})

    answer = World(versions, round_).search()
    assert (answer.kind, answer.last_before, answer.first_after) == ("fallback", "105.0.0", "106.0.0")


def of_levels(levels: Sequence[float], seed: int, noise: float = 0.03) -> World:
    """Latencies relative to 10 ms, on a machine that wanders by a tenth from Run to Run; each Round by `noise`."""
    versions = [f"{number}.0.0" for number in range(100, 100 + len(levels))]
    chance = random.Random(seed)
    drift: dict[int, float] = {}

    def round_(version: str, before: int, run: int) -> Round:
        machine = drift.setdefault(run, math.exp(chance.gauss(0, 0.1)))
        level = 10 * levels[place(version)] * machine * math.exp(chance.gauss(0, noise))
        return round_of(case_of(version), sample_ms=(level,) * 12, verdict=RIGHT)

    return World(versions, round_)


@pytest.mark.parametrize("factor", [1.25, 0.8])
@pytest.mark.parametrize("change", [1, 5, 11])
def test_a_change_of_latency_is_found_under_noise(factor: float, change: int) -> None:
    found = []
    for seed in range(6):
        answer = of_levels([factor if at >= change else 1.0 for at in range(12)], seed).search()
        assert answer.kind == "latency" and answer.change == ("slower" if factor > 1 else "faster")
        found.append(place(answer.last_before) < change <= place(answer.first_after))
        assert place(answer.first_after) - place(answer.last_before) == 1 + len(answer.skipped)
    assert sum(found) >= 5  # a whole search is wrong one time in twenty at most


def test_no_change_of_latency_is_none() -> None:
    answers = [of_levels([1.0] * 12, seed).search() for seed in range(20)]
    assert sum(answer.kind is None for answer in answers) >= 18
    assert all(answer.ratio is not None for answer in answers)


def test_less_than_the_threshold_is_not_searched() -> None:
    answer = of_levels([1.0, 1.0, 1.02, 1.02], 1, noise=0.002).search()
    assert answer.kind is None and not answer.undecided and answer.ratio is not None
    assert answer.ratio.value == pytest.approx(1.02, abs=0.01)


def test_a_version_that_fails_in_a_search_by_latency_is_stepped_around() -> None:
    world = of_levels([1, 1, 1, 1.3, 1.3, 1.3], 3, noise=0.01)
    usual = world.round_

    def round_(version: str, before: int, run: int) -> Round:
        one = usual(version, before, run)
        return one.model_copy(update=_CHANGES["x"]) if place(version) == 3 else one

    world.round_ = round_
    answer = world.search()
    assert (answer.last_before, answer.first_after) == ("102.0.0", "104.0.0")
    assert [(one.version, one.why) for one in answer.skipped] == [
        ("103.0.0", "like neither end: failed: webnn_lost: the context is lost")
    ]


def test_two_clocks_are_not_compared() -> None:
    world = of_levels([1, 1, 2], 1)
    usual = world.round_

    def round_(version: str, before: int, run: int) -> Round:
        one = usual(version, before, run)
        other = tuple(batch.model_copy(update={"clock": "another"}) for batch in one.samples)
        return one.model_copy(update={"samples": other}) if place(version) == 2 else one

    world.round_ = round_
    answer = world.search()
    assert answer.kind is None and answer.cannot_say is not None and "clocks" in answer.cannot_say
