"""In which version did it change: what was found of each version → which ones to try next, or the answer; pure.

One change between the ends is assumed, as every bisection does; versions are halved by it, oldest first. A version that
cannot say (it was not to be had, it gave one answer now and another then, it lacks what is asked for) is stepped
around, and named where the change may lie in it. What an answer names as last and first was seen, both of them several
times: that part is not assumed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.analyse.likeness import Change, Kind, Observed, answer_told, change_of, kind_of, side_of
from harness.analyse.placing import Medians, Side, confidence_of_each, differ, is_settled, placed, ratio_of, to_place
from harness.core.nouns import Decision
from harness.core.ratios import Ratio

# So often is each of the two versions of an answer seen: what fails now and then fails in one of them perhaps.
LEAST_SEEN = 3


@dataclass(frozen=True)
class Try:
    """Measure these next, in one Run. `beside`: versions that are measured with them to be compared with, under the
    same drift. `pairs`, `decision`: what is to be decided by timing; null: as few Rounds as tell the outcome."""

    versions: tuple[str, ...]
    beside: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    decision: Decision | None = None

    @property
    def together(self) -> tuple[str, ...]:
        return (*self.versions, *self.beside)


@dataclass(frozen=True)
class Known:
    """All that is known: what was observed of each version that was tried, the medians of its Rounds, and what was
    asked for, with the Run that answered."""

    observed: Mapping[str, Observed] = field(default_factory=dict)
    medians: Medians = field(default_factory=dict)
    tried: tuple[tuple[Try, str], ...] = ()


@dataclass(frozen=True)
class Step:
    """One version in one Run, with all that was known of it then. `ratio`: its latency ÷ that of the lower end."""

    version: str
    run_id: str
    observed: Observed
    ratio: Ratio | None


@dataclass(frozen=True)
class Skipped:
    version: str
    why: str


@dataclass(frozen=True)
class Answer:
    """`kind` null: nothing differs (`cannot_say` null), or it cannot be said why.

    The change lies in one of `skipped` or in `first_after`. `ends`: what was compared, after moving inward past
    `passed_over`. `seen`: Rounds of the last before and the first after. `ratio`: latency of the upper end ÷ that of
    the lower, where both were timed; `undecided`: whether they differ in that is not decided.
    """

    kind: Kind | None
    change: Change | None = None
    last_before: str | None = None
    first_after: str | None = None
    before: str | None = None
    after: str | None = None
    skipped: tuple[Skipped, ...] = ()
    ends: tuple[str, str] | None = None
    passed_over: tuple[Skipped, ...] = ()
    ratio: Ratio | None = None
    cannot_say: str | None = None
    undecided: bool = False
    seen: tuple[int, int] | None = None


@dataclass(frozen=True)
class Bisection:
    """A search that is over. `name`: of the browser, or of the runtime's package; `versions`: oldest first."""

    name: str
    versions: tuple[str, ...]
    threshold: float
    answer: Answer
    steps: tuple[Step, ...]


def bisected(versions: Sequence[str], known: Known, threshold: float) -> Try | Answer:
    """The next to try, or the answer. `versions`: oldest first; `threshold`: relative change of latency worth a
    search. Raises ValueError for fewer than two versions."""
    if len(versions) < 2:
        raise ValueError(f"nothing lies between {len(versions)} versions")
    search = _Search(versions, known, threshold)
    if search.low >= search.high:
        return search.without_ends()
    if not search.ends_asked():
        return search.of_ends()
    return search.between_ends()


class _Search:
    """One look at all that is known; made anew for each decision, so that nothing has to be kept in step."""

    def __init__(self, versions: Sequence[str], known: Known, threshold: float) -> None:
        self._versions, self._known, self._threshold = versions, known, threshold
        loud = [place for place, version in enumerate(versions) if self._silent(version) is None]
        self.low, self.high = (loud[0], loud[-1]) if loud else (0, 0)
        self.ends = versions[self.low], versions[self.high]
        # The whole search, not each step of it, is to be wrong no more often than one time in twenty.
        self._confidence = confidence_of_each(1 + math.ceil(math.log2(len(versions))))

    def without_ends(self) -> Answer:
        """Where fewer than two versions have anything to say."""
        silent = [(version, self._silent(version)) for version in self._versions]
        skipped = tuple(Skipped(version, why) for version, why in silent if why is not None)
        return Answer(None, passed_over=skipped, cannot_say="fewer than two versions of the range could be tried")

    def between_ends(self) -> Try | Answer:
        """Both ends are known."""
        a, b = (self._known.observed[end] for end in self.ends)
        kind = kind_of(a, b)
        if kind is not None:
            return self._searched(kind)
        if a.outcome != "ok":
            return self._same(None)
        if not (a.right and b.right):
            return self._same("their answers were not checked, so their latencies are not compared")
        if a.clock is None or a.clock != b.clock:
            return self._same(f"their clocks, {a.clock} and {b.clock}, are not the same quantity")
        ratio = self._ratio()
        if ratio is not None and differ(ratio, self._threshold):
            return self._searched("latency")
        return self._same(None, undecided=ratio is None or not is_settled(ratio, self._threshold))

    def ends_asked(self) -> bool:
        """Whether both were measured in one Run."""
        return any(each.pairs == (self.ends,) for each, _ in self._known.tried)

    def of_ends(self) -> Try:
        """Both in one Run, under the same drift, also where one of them is known already."""
        decision = Decision(kind="difference", size=self._threshold, confidence=self._confidence)
        return Try(self.ends, (), (self.ends,), decision)

    def _to_place(self, version: str, ratio: Ratio) -> Try:
        """Beside both ends, which must differ in that Run as well."""
        low, high = self.ends
        again = [run_id for each, run_id in self._known.tried if each.beside == self.ends and each.decision is not None]
        told = [ratio_of(self._known.medians, low, high, run_id, self._confidence) for run_id in again]
        best = max((ratio, *filter(None, told)), key=lambda one: one.rounds)
        decision = to_place(best if differ(best, self._threshold) else ratio, self._threshold, self._confidence)
        return Try((version,), self.ends, ((low, version), (low, high)), decision)

    def _ratio(self) -> Ratio | None:
        """Of the ends, in the Run that was asked for it."""
        asked = [run_id for each, run_id in self._known.tried if each.pairs == (self.ends,)]
        return ratio_of(self._known.medians, *self.ends, asked[-1], self._confidence) if asked else None

    def _searched(self, kind: Kind) -> Try | Answer:
        sides = {place: self._side(kind, place) for place in range(self.low, self.high + 1)}
        last = max(place for place, side in sides.items() if side == "before")
        first = min(place for place, side in sides.items() if side == "after" and place > last)
        untried = [place for place in range(last + 1, first) if not self._is_tried(kind, self._versions[place])]
        if untried:
            middle = self._versions[untried[len(untried) // 2]]
            ratio = self._ratio() if kind == "latency" else None
            return Try((middle,)) if ratio is None else self._to_place(middle, ratio)
        pair = self._versions[last], self._versions[first]
        if kind != "latency":
            few = tuple(each for each in pair if self._known.observed[each].rounds < LEAST_SEEN)
            again = Try(few)
            # Where it cannot be seen that often, by a device's or a network's fault, the answer says how often it was.
            if few and sum(each == again for each, _ in self._known.tried) < LEAST_SEEN:
                return again
        return self._answer(kind, last, first)

    def _answer(self, kind: Kind, last: int, first: int) -> Answer:
        before, after = (self._known.observed[self._versions[place]] for place in (last, first))
        told = [one.told for one in (before, after)]
        if kind == "answer":
            told = [answer_told(one) for one in (before, after)]
        ratio = self._ratio() if kind == "latency" else None
        return Answer(
            kind, change_of(kind, before, after, ratio), before.version, after.version, told[0], told[1],
            self._skipped(last + 1, first, kind), self.ends, self._passed_over(), ratio,
            seen=(before.rounds, after.rounds),
        )  # fmt: skip

    def _same(self, doubt: str | None, undecided: bool = False) -> Answer:
        a, b = (self._known.observed[end] for end in self.ends)
        ratio = self._ratio() if a.right and b.right else None
        return Answer(
            None, before=a.told, after=b.told, ends=self.ends, passed_over=self._passed_over(), ratio=ratio,
            cannot_say=doubt, undecided=undecided,
        )  # fmt: skip

    def _side(self, kind: Kind, place: int) -> Side | None:
        """None: not tried, or it cannot say."""
        version = self._versions[place]
        if place in (self.low, self.high):
            return "before" if place == self.low else "after"
        if version not in self._known.observed or self._silent(version) is not None:
            return None
        if kind == "latency":
            return self._placed(version)
        a, b = (self._known.observed[end] for end in self.ends)
        return side_of(kind, a, b, self._known.observed[version])

    def _placed(self, version: str) -> Side | None:
        """By the Run that was made for it; None also of one that was measured before its ends were found."""
        one, low = self._known.observed[version], self._known.observed[self.ends[0]]
        asked = [
            (each.decision, run_id)
            for each, run_id in self._known.tried
            if version in each.versions and each.beside == self.ends
        ]
        if not asked or asked[-1][0] is None or not one.right or one.clock != low.clock:
            return None
        return placed(self._known.medians, self.ends, version, asked[-1][1], asked[-1][0])

    def _is_tried(self, kind: Kind, version: str) -> bool:
        """Whether all is known that a Run could tell; a latency is one only beside these ends."""
        one = self._known.observed.get(version)
        if one is None:
            return False
        beside_ends = any(version in each.versions and each.beside == self.ends for each, _ in self._known.tried)
        return kind != "latency" or beside_ends or not one.right

    def _silent(self, version: str) -> str | None:
        one = self._known.observed.get(version)
        return None if one is None else one.silent

    def _passed_over(self) -> tuple[Skipped, ...]:
        return (*self._skipped(0, self.low), *self._skipped(self.high + 1, len(self._versions)))

    def _skipped(self, start: int, stop: int, kind: Kind | None = None) -> tuple[Skipped, ...]:
        named = self._versions[start:stop]
        return tuple(Skipped(version, self._silent(version) or self._unlike(kind, version)) for version in named)

    def _unlike(self, kind: Kind | None, version: str) -> str:
        """Why a version that was observed well is on neither side."""
        one = self._known.observed[version]
        if kind == "latency" and one.right and one.clock == self._known.observed[self.ends[0]].clock:
            return "on which side of the middle it lies was not decided; more --rounds and --budget may"
        return f"like neither end: {answer_told(one) if kind == 'answer' else one.told}"
