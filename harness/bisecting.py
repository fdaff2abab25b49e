"""The whole story of a bisection: [which versions to try → one small Run of them → what each came to]* → the answer.

Each step is a Run like any other, carried out by `pipeline`, so that everything measured is in the journal and the
database. What to try next, and what follows from it, is decided by `analyse.bisection`, which sees all Rounds so far.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from harness.analyse.bisection import MOST_LOOKS, Answer, Known, Observed, Try, bisected
from harness.analyse.observing import observed, turns_of
from harness.analyse.placing import Ratio, ratio_of
from harness.core.errors import UserMistake
from harness.core.nouns import Case, Plan, PlannedCase
from harness.core.rounds import CaseResult, Round
from harness.pipeline import Outcome, run_plan
from harness.plan.version_range import VersionRange
from harness.steps.workplace import Workplace

_NAMED_CASES = 4


@dataclass(frozen=True)
class Step:
    """One version in one Run, with all that was known of it then. `ratio`: its latency ÷ that of the lower end."""

    version: str
    run_id: str
    observed: Observed
    ratio: Ratio | None


@dataclass(frozen=True)
class Bisection:
    answer: Answer
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Question:
    """Where a change is looked for. `plan` has one Case per version; its Rounds and budget are those of a Run that
    times. `threshold`: relative change of latency that is worth a search."""

    range: VersionRange
    plan: Plan
    threshold: float

    @property
    def by_version(self) -> dict[str, PlannedCase]:
        return {str(self.range.of_case(point.case)): point for point in self.plan.cases}


def refuse_ambiguous(range_: VersionRange, plan: Plan) -> None:
    """Raises UserMistake unless the Plan has exactly one Case of every version and none besides."""
    by_version: dict[str | None, list[Case]] = {}
    for point in plan.cases:
        by_version.setdefault(range_.of_case(point.case), []).append(point.case)
    elsewhere = by_version.pop(None, [])
    if elsewhere:
        message = f"{elsewhere[0].slug} has no version of {range_.name} to be bisected"
        raise UserMistake("not_one_case", message, "ask for one platform of the web")
    if missing := [version for version in range_.versions if version not in by_version]:
        raise UserMistake("not_one_case", f"the selection has no case for {range_.name} {missing[0]}", "no --limit")
    first = by_version[range_.versions[0]]
    if len(first) > 1:
        named = ", ".join(case.slug for case in first[:_NAMED_CASES])
        more = f" and {len(first) - _NAMED_CASES} more" if len(first) > _NAMED_CASES else ""
        message = f"each version has {len(first)} cases, of which one is to be chosen: {named}{more}"
        raise UserMistake("not_one_case", message, "one model, platform, precision, size …: what differs above")


async def bisect(
    question: Question, workplace: Callable[[], AbstractContextManager[Workplace]], command: str,
    told: Callable[[Sequence[Step]], None],
) -> Bisection:  # fmt: skip
    """The answer, and the steps to it. `workplace` is asked for a new one for each Run; `told` hears of each step.

    On cancellation (Ctrl-C) all Runs so far, and what was measured in the last, are in the database.
    """
    progress = _Progress(question)
    while True:
        upcoming = bisected(question.range.versions, progress.known, question.threshold)
        if isinstance(upcoming, Answer):
            return Bisection(upcoming, tuple(progress.steps))
        with workplace() as place:
            outcome = await run_plan(progress.plan_for(upcoming), place, command)
        told(progress.take(upcoming, outcome))


@dataclass
class _Progress:
    """What is known so far; each Run adds to it."""

    question: Question
    steps: list[Step] = field(default_factory=list)
    _rounds: dict[str, list[Round]] = field(default_factory=dict)
    _observed: dict[str, Observed] = field(default_factory=dict)
    _turns: dict[str, dict[tuple[str, int], float]] = field(default_factory=dict)
    _tried: list[Try] = field(default_factory=list)

    @property
    def known(self) -> Known:
        return Known(self._observed, self._turns, tuple(self._tried))

    def plan_for(self, upcoming: Try) -> Plan:
        """A question of latency may take all the Rounds asked for, and its share of the budget of one version; of
        another kind as few Rounds as are still wanted, each as long as they are."""
        points = self.question.by_version
        policy = self.question.plan.policy
        share_ns = policy.budget_ns // MOST_LOOKS
        if not upcoming.timed:
            policy = policy.model_copy(update={"rounds": 1, "budget_ns": share_ns // policy.rounds})
        else:
            policy = policy.model_copy(update={"budget_ns": share_ns})
        return Plan(cases=tuple(points[version] for version in upcoming.together), policy=policy)

    def take(self, upcoming: Try, outcome: Outcome) -> list[Step]:
        """What the Run found, added to what is known; its steps, the lower end first."""
        self._tried.append(upcoming)
        results = {self.question.range.of_case(case): result for case, result in outcome.results}
        by_case = _by_case(outcome.rounds)
        for version in upcoming.together:
            self._observe(version, results, by_case.get(self.question.by_version[version].case.case_id, []))
        new = [self._step(version, outcome) for version in self.question.range.versions if version in upcoming.versions]
        if not upcoming.versions:  # both ends, once more
            new = [self._step(version, outcome) for version in upcoming.together]
        self.steps += new
        return new

    def _observe(self, version: str, results: Mapping[str | None, CaseResult], rounds: Sequence[Round]) -> None:
        mine = self._rounds.setdefault(version, [])
        mine += rounds
        result = results.get(version)
        assert result is not None  # a Run that is carried out has a result for each of its Cases
        self._observed[version] = observed(version, result, mine)
        self._turns[version] = turns_of(mine)

    def _step(self, version: str, outcome: Outcome) -> Step:
        low = next(each for each in self.question.range.versions if self._is_lower_end(each))
        ratio = None if version == low else ratio_of(self._turns, low, version, 1)
        return Step(version, outcome.run.run_id, self._observed[version], ratio)

    def _is_lower_end(self, version: str) -> bool:
        return version in self._observed and self._observed[version].silent is None or version == self._last_resort

    @property
    def _last_resort(self) -> str:
        return self.question.range.versions[-1]


def _by_case(rounds: Sequence[Round]) -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = {}
    for one in rounds:
        if one.purpose == "timing":
            found.setdefault(one.case_id, []).append(one)
    return found
