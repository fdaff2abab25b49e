"""What is odd in a Run: Rounds off their own history, two speeds or a drift in one, another answer, a failure; pure.

    outlier          the Round's median lies outside the prediction interval of the Case's other Rounds
    bimodal          its Samples have two modes
    drift            a run takes longer or shorter at the Round's end than at its beginning
    throttling       a rise, and evidence that the processor was held back
    output_changed   the judge's numbers are not those of earlier Rounds of the same Artifact
    flaky            it failed, and other Rounds with the same versions did not

The first four are tests with a false-alarm rate. A Run makes many of them, so each is made at the confidence that
Bonferroni's inequality asks for, whatever depends on what: of Runs without anything odd at most `1 - confidence` have
a false alarm. The last two are facts.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from harness.analyse.answers import another_answer, artifact_of
from harness.analyse.expected import Expected, expected_of
from harness.analyse.within import DRIFT_SHARE, drift, two_modes, why_no_drift, why_no_modes
from harness.core.history import PastRound
from harness.core.nouns import Case, PlannedCase
from harness.core.rounds import Round, Run
from harness.core.statistics import median
from harness.core.units import ms
from harness.metrics import verdict_clock

Kind = Literal["outlier", "bimodal", "drift", "throttling", "output_changed", "flaky"]
# Findings over a Run that hold a processor back, as `measure/quiet.py` calls them.
_HELD_BACK = ("throttled", "steal")


@dataclass(frozen=True)
class Anomaly:
    """`what` names the value's quantity and unit; `expected` is None where there is no interval to be in.

    `also`: the Rounds of this Run that are odd in the very same way and not listed again.
    """

    kind: Kind
    case: Case
    run_id: str
    round_id: str
    number: int
    what: str
    value: float | None
    expected: tuple[float, float] | None
    sentence: str
    also: tuple[int, ...] = ()


@dataclass(frozen=True)
class NotJudged:
    """What could not be asked of a Case's Rounds, and why."""

    kind: Kind
    case: Case
    rounds: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Subject:
    """A Case in the Run that is judged: its Rounds that time, and those of other Runs on the same machine."""

    run: Run
    point: PlannedCase
    rounds: tuple[Round, ...]
    past: tuple[PastRound, ...]

    @property
    def ok(self) -> list[Round]:
        return [one for one in self.rounds if one.outcome == "ok"]

    @property
    def clock(self) -> str | None:
        return verdict_clock(self.ok).clock

    @property
    def artifacts(self) -> set[str]:
        return {artifact for one in self.rounds if (artifact := artifact_of(one)) is not None}

    def samples_ms(self, one: Round) -> list[float]:
        return [ms(each) for each in one.per_run_ns("sample", self.clock)] if self.clock else []

    def same(self, one: Round) -> list[PastRound]:
        """Rounds of other Runs with the same versions as this Round; none where versions are not known."""
        versions = self.point.versions
        return [
            past for past in self.past
            if versions is not None and past.versions == versions and (not past.runtime or past.runtime == one.runtime)
        ]  # fmt: skip

    def expected(self, one: Round, least: int, confidence: float) -> Expected | None:
        """Where the median of this Round would be, by all other Rounds."""
        runs: dict[str, list[float]] = {}
        for past, value in self.comparable(one):
            runs.setdefault(past.run_id, []).append(value)
        own = [median(found) for other in self.ok if other is not one and (found := self.samples_ms(other))]
        return expected_of(list(runs.values()), own, least, confidence)

    def comparable(self, one: Round) -> list[tuple[PastRound, float]]:
        """Rounds of other Runs with the same versions that were ok and measured in the same clock, and their medians in
        milliseconds."""
        clock = self.clock or ""
        return [
            (past, past.medians_ms[clock])
            for past in self.same(one)
            if past.outcome == "ok" and clock in past.medians_ms
        ]


@dataclass(frozen=True)
class Findings:
    """`tests`: how many were made, each at confidence `each`."""

    run: Run
    confidence: float
    each: float
    tests: int
    subjects: Mapping[str, Subject]
    anomalies: tuple[Anomaly, ...]
    not_judged: tuple[NotJudged, ...]

    @property
    def rounds(self) -> int:
        return sum(len(subject.rounds) for subject in self.subjects.values())


_Test = Callable[[float], Anomaly | None]


@dataclass
class _Prepared:
    """Tests to make once it is known how many there are; and what cannot be tested, by kind and reason."""

    tests: list[_Test] = field(default_factory=list)
    without: dict[tuple[Kind, str], list[int]] = field(default_factory=dict)

    def leave_out(self, kind: Kind, reason: str, one: Round) -> None:
        self.without.setdefault((kind, reason), []).append(one.number)


def anomalies_of(
    run: Run, rounds: Sequence[Round], past: Sequence[PastRound], confidence: float, least: int
) -> Findings:
    """`rounds` are the Run's with their Samples, `past` those of other Runs on the same machine; at least `least` other
    Rounds make a history."""
    subjects = subjects_of(run, rounds, past)
    prepared = {case_id: _prepare(subject, least) for case_id, subject in subjects.items()}
    tests = [test for one in prepared.values() for test in one.tests]
    each = 1 - (1 - confidence) / max(1, len(tests))
    found = [anomaly for test in tests if (anomaly := test(each)) is not None]
    for subject in subjects.values():
        answers = _other_answers(subject)
        found += [*answers, *_failures(subject, {number for one in answers for number in (one.number, *one.also)})]
    place = {case_id: index for index, case_id in enumerate(subjects)}
    found.sort(key=lambda one: (place[one.case.case_id], one.number))
    not_judged = [
        NotJudged(kind, subjects[case_id].point.case, tuple(numbers), reason)
        for case_id, one in prepared.items()
        for (kind, reason), numbers in one.without.items()
    ]
    return Findings(run, confidence, each, len(tests), subjects, tuple(found), tuple(not_judged))


def subjects_of(run: Run, rounds: Sequence[Round], past: Sequence[PastRound]) -> dict[str, Subject]:
    """case_id → what there is of it, in the order of the Plan; Cases without a Round that times are left out."""
    timing = [one for one in rounds if one.purpose == "timing" and one.outcome != "unsupported"]
    found = {}
    for point in run.plan.cases:
        case_id = point.case.case_id
        mine = tuple(one for one in timing if one.case_id == case_id)
        if mine:
            found[case_id] = Subject(run, point, mine, tuple(one for one in past if one.case_id == case_id))
    return found


def _prepare(subject: Subject, least: int) -> _Prepared:
    prepared = _Prepared()
    for one in subject.ok:
        samples = subject.samples_ms(one)
        if not samples:
            prepared.leave_out("outlier", f"no samples in the clock {subject.clock}", one)
            continue
        if min(samples) <= 0:
            prepared.leave_out("outlier", "a sample is not above zero", one)
            continue
        if subject.expected(one, least, 0.5) is None:
            prepared.leave_out("outlier", _too_short(subject, one, least), one)
        else:
            prepared.tests.append(partial(_outlier, subject, one, least))
        for kind, why, test in (("bimodal", why_no_modes, _bimodal), ("drift", why_no_drift, _drift)):
            reason = why(samples)
            if reason is not None:
                prepared.leave_out(kind, reason, one)  # type: ignore[arg-type]
            else:
                prepared.tests.append(partial(test, subject, one))
    return prepared


def _too_short(subject: Subject, one: Round, least: int) -> str:
    comparable = len(subject.comparable(one))
    others = sum(past.outcome == "ok" for past in subject.past) - comparable
    reason = f"history too short: {comparable + len(subject.ok) - 1} of {least} other rounds"
    if subject.point.versions is None and others:
        return f"{reason} (the versions of this run are not known)"
    return f"{reason}; {others} had other versions or another clock" if others else reason


def _outlier(subject: Subject, one: Round, least: int, confidence: float) -> Anomaly | None:
    expected, value = subject.expected(one, least, confidence), median(subject.samples_ms(one))
    if expected is None or expected.low <= value <= expected.high:
        return None
    where = f"{expected.rounds} other rounds" + (f" in {expected.runs} other runs" if expected.runs > 1 else "")
    center = math.sqrt(expected.low * expected.high)
    sentence = (
        f"its median of {value:.4g} ms is {value / center:.3g} times what {where} with the same versions lead one to "
        f"expect: {expected.low:.4g} to {expected.high:.4g} ms"
    )
    sentence += f" ({expected.assumes})" if expected.assumes else ""
    return _anomaly("outlier", subject, one, ("latency_median_ms", value, (expected.low, expected.high)), sentence)


def _bimodal(subject: Subject, one: Round, confidence: float) -> Anomaly | None:
    samples = subject.samples_ms(one)
    modes = two_modes(samples, confidence)
    if modes is None:
        return None
    sentence = (
        f"its {len(samples)} samples have two modes: {modes.fast:.4g} ms and, {modes.slow_share:.0%} of them, "
        f"{modes.slow:.4g} ms; the median says little of either"
    )
    return _anomaly("bimodal", subject, one, ("slow_mode_to_fast", modes.ratio, None), sentence)


def _drift(subject: Subject, one: Round, confidence: float) -> Anomaly | None:
    found = drift(subject.samples_ms(one), confidence)
    if found is None:
        return None
    evidence = held_back(subject.run, one) if found.ratio > 1 else []
    kind: Kind = "throttling" if evidence else "drift"
    sentence = (
        f"at its end a run takes {found.ratio:.3g} times as long as at its beginning "
        f"({found.low:.3g} to {found.high:.3g})"
    )
    if evidence:
        sentence += f", and {'; '.join(evidence)}"
    elif found.ratio < 1:
        sentence += ": it was not warm yet, or the machine got its speed back"
    least = 1 + DRIFT_SHARE
    return _anomaly(kind, subject, one, ("end_to_beginning", found.ratio, (1 / least, least)), sentence)


def held_back(run: Run, one: Round) -> list[str]:
    """What tells that the processor was held back while this Round ran, or while its Run did, in sentences."""
    found = []
    share: Any = one.provenance.get("steal_share")
    stolen = isinstance(share, int | float) and not isinstance(share, bool) and share > 0
    if stolen:
        found.append(f"during it the host of this virtual machine took {share:.1%} of its CPU")
    sittings = [*(run.machine.get("quiet_before") or []), run.machine.get("quiet") or {}]
    told = [finding for quiet in sittings for finding in (quiet.get("end") or {}).get("findings") or []]
    for finding in told:
        if finding.get("code") in _HELD_BACK and not (stolen and finding["code"] == "steal"):
            found.append(f"over the run {finding['text']}")
    return found


def _other_answers(subject: Subject) -> list[Anomaly]:
    """Each Round whose numbers none of the earlier ones had; those of this Run that agree with it are named there."""
    found: list[Anomaly] = []
    usual: list[Round] = []
    by_round: list[tuple[Round, int]] = []  # those that were told of, and where
    for one in subject.rounds:
        if one.verdict is None or artifact_of(one) is None:
            continue
        place = next((place for first, place in by_round if another_answer(one, [first]) is None), None)
        if place is not None:
            found[place] = replace(found[place], also=(*found[place].also, one.number))
            continue
        past = [each for each in subject.past if each.started_at < one.started_at and each.verdict is not None]
        changed = another_answer(one, past or usual)
        if changed is None:
            usual.append(one)
            continue
        by_round.append((one, len(found)))
        value = (changed.what, changed.value, changed.expected)
        found.append(_anomaly("output_changed", subject, one, value, changed.sentence))
    return found


def _failures(subject: Subject, told: Collection[int]) -> list[Anomaly]:
    """Rounds that failed among others that did not, but those that are told of already, for what they answered."""
    found = []
    for one in subject.rounds:
        if one.outcome != "failed" or one.number in told:
            continue
        here = len(subject.ok)
        before = sum(past.outcome == "ok" for past in subject.same(one))
        if not here + before:
            continue
        where = [f"{here} of this run"] * bool(here) + [f"{before} of other runs"] * bool(before)
        sentence = f"it failed ({one.code}: {one.reason}), but {' and '.join(where)} with the same versions did not"
        found.append(_anomaly("flaky", subject, one, ("outcome", None, None), sentence))
    return found


def _anomaly(
    kind: Kind, subject: Subject, one: Round, value: tuple[str, float | None, tuple[float, float] | None], sentence: str
) -> Anomaly:
    return Anomaly(kind, subject.point.case, subject.run.run_id, one.round_id, one.number, *value, sentence)
