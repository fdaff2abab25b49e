"""The whole story of a bisection: [which versions to try → one small Run of them → what each came to]* → the answer.

Each step is a Run like any other, carried out by `pipeline`, so that everything measured is in the journal and the
database. What to try next, and what follows from it, is decided by `analyse.bisection`, which sees all Rounds so far.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from harness.analyse.bisection import Answer, Bisection, Known, Step, Try, bisected
from harness.analyse.likeness import Observed
from harness.analyse.observing import observed
from harness.analyse.placing import ratio_of
from harness.core.errors import UserMistake
from harness.core.nouns import Case, Plan, PlannedCase
from harness.core.ratios import RoundMedian
from harness.core.rounds import Round
from harness.metrics import round_medians
from harness.pipeline import Outcome, run_plan
from harness.plan.version_range import VersionRange
from harness.steps.workplace import Workplace

_NAMED_CASES = 4


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
            return Bisection(
                question.range.name, question.range.versions, question.threshold, upcoming, tuple(progress.steps)
            )
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
    _medians: dict[str, dict[str, list[RoundMedian]]] = field(default_factory=dict)
    _tried: list[tuple[Try, str]] = field(default_factory=list)

    @property
    def known(self) -> Known:
        return Known(self._observed, self._medians, tuple(self._tried))

    def plan_for(self, upcoming: Try) -> Plan:
        """Rounds until it is decided what is asked by timing; else one, as long as each of those may take."""
        points = self.question.by_version
        policy = self.question.plan.policy
        if upcoming.decision is None:
            changes: dict[str, Any] = {"schedule": "interleaved", "rounds": 1}
            changes["budget_ns"] = policy.budget_ns // policy.rounds
        else:
            ids = {version: points[version].case.case_id for version in upcoming.together}
            pairs = tuple((ids[a], ids[b]) for a, b in upcoming.pairs)
            changes = {"schedule": "until_decided", "pairs": pairs, "decision": upcoming.decision}
        cases = tuple(points[version] for version in self._in_order(upcoming.together))
        return Plan(cases=cases, policy=policy.model_copy(update={**changes, "origin": "finding_out"}))

    def take(self, upcoming: Try, outcome: Outcome) -> list[Step]:
        """What the Run found, added to what is known; its steps, the oldest first."""
        run_id = outcome.run.run_id
        self._tried.append((upcoming, run_id))
        results = {self.question.range.of_case(case): result for case, result in outcome.results}
        for version in upcoming.together:
            case_id = self.question.by_version[version].case.case_id
            rounds = [one for one in outcome.rounds if one.case_id == case_id and one.purpose == "timing"]
            result = results.get(version)
            assert result is not None  # a Run that is carried out has a result for each of its Cases
            self._rounds.setdefault(version, []).extend(rounds)
            self._observed[version] = observed(version, result, self._rounds[version])
            self._medians.setdefault(version, {})[run_id] = round_medians(rounds)
        new = [self._step(version, upcoming, run_id) for version in self._in_order(upcoming.versions)]
        self.steps += new
        return new

    def _step(self, version: str, upcoming: Try, run_id: str) -> Step:
        low = next((a for a, b in upcoming.pairs if b == version), None)
        ratio = None if low is None else ratio_of(self._medians, low, version, run_id)
        return Step(version, run_id, self._observed[version], ratio)

    def _in_order(self, versions: Sequence[str]) -> list[str]:
        return [version for version in self.question.range.versions if version in versions]
