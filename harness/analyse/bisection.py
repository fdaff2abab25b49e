"""In which version did it change: what was found of each version → which ones to try next, or the answer; pure.

One change between the ends is assumed, as every bisection does; versions are halved by it, oldest first. A version that
cannot say (it was not to be had, it gave one answer now and another then, it lacks what is asked for) is stepped
around, and named where the change may lie in it. What an answer names as last and first was seen, both of them several
times: that part is not assumed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.analyse.placing import Ratio, Side, Turns, placed, ratio_of
from harness.analyse.why import signature
from harness.core.nouns import LEFT_OUT, OF_THE_MOMENT, Outcome

# What the search goes by, the first of them in which the ends differ.
Kind = Literal["outcome", "answer", "fallback", "latency"]
Change = Literal["broke", "mended", "changed", "slower", "faster"]
# So often is each of the two versions of an answer seen: what fails now and then fails in one of them perhaps.
LEAST_SEEN = 3
# So many Runs, each with all its Rounds, are spent on one question of latency.
MOST_LOOKS = 3
# What apart is more than rounding, in the figures of `Observed`. A sum in another order moves the largest error by far
# less than a hundredth of what the judge lets pass, and the typical one by far less than 1e-4 of the values' spread.
_ROUNDING = {"largest error": 0.01, "typical error": 1e-4, "agreement": 0.0}


@dataclass(frozen=True)
class Observed:
    """What all Rounds of one version have come to so far.

    `rounds` counts those that say something. `flaky`: in words, where they disagree. `figures`: the judge's, each with
    its least and largest over the Rounds: `largest error` (share of what it let pass), `typical error` (share of the
    values' spread), `agreement` (share of positions with the same argmax). `right`: every answer was checked and passed.
    """

    version: str
    outcome: Outcome
    code: str | None = None
    reason: str | None = None
    rounds: int = 0
    flaky: str | None = None
    figures: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    fallback_share: float | None = None
    clock: str | None = None
    right: bool = False

    @property
    def told(self) -> str:
        """In words, without its timing."""
        if self.outcome != "ok":
            said = ": ".join(filter(None, (self.code, self.reason))) or "no reason was given"
            return f"{self.outcome}: {said}"
        share = self.fallback_share
        return f"ok, {share:.1%} of nodes on the CPU" if share else "ok"

    @property
    def silent(self) -> str | None:
        """Why it says nothing of its version, whatever was asked; None where it does."""
        if self.flaky is not None:
            return self.flaky
        if self.code in (*OF_THE_MOMENT, *LEFT_OUT) or (self.outcome == "unsupported" and not self.rounds):
            return f"it could not be tried: {self.reason or self.code or 'no reason was given'}"
        return None


@dataclass(frozen=True)
class Known:
    """All that is known: what was observed of each version that was tried, the medians (ms) of its turns, and what was
    asked for."""

    observed: Mapping[str, Observed] = field(default_factory=dict)
    turns: Turns = field(default_factory=dict)
    tried: "tuple[Try, ...]" = ()


@dataclass(frozen=True)
class Try:
    """Measure these next, in one Run. `beside`: versions that are measured with them to be compared with, under the
    same drift. `timed`: whether several Rounds of each are wanted, or as few as tell the outcome."""

    versions: tuple[str, ...]
    beside: tuple[str, ...] = ()
    timed: bool = False

    @property
    def together(self) -> tuple[str, ...]:
        return (*self.versions, *self.beside)


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


def bisected(versions: Sequence[str], known: Known, threshold: float) -> Try | Answer:
    """The next to try, or the answer. `versions`: oldest first; `threshold`: relative change of latency worth a
    search. Raises ValueError for fewer than two versions."""
    if len(versions) < 2:
        raise ValueError(f"nothing lies between {len(versions)} versions")
    search = _Search(versions, known, threshold)
    if search.low >= search.high:
        return search.without_ends()
    if missing := [end for end in search.ends if end not in known.observed]:
        # Both, so that they are measured under the same drift, also where one of them is new.
        return Try(tuple(missing), tuple(end for end in search.ends if end not in missing), timed=True)
    return search.between_ends()


class _Search:
    """One look at all that is known; made anew for each decision, so that nothing has to be kept in step."""

    def __init__(self, versions: Sequence[str], known: Known, threshold: float) -> None:
        self._versions, self._known, self._threshold = versions, known, threshold
        loud = [place for place, version in enumerate(versions) if self._silent(version) is None]
        self.low, self.high = (loud[0], loud[-1]) if loud else (0, 0)
        self.ends = versions[self.low], versions[self.high]
        # Errors of a whole search, not of one step, are held below one in twenty.
        self._decisions = MOST_LOOKS * (1 + math.ceil(math.log2(len(versions))))

    def without_ends(self) -> Answer:
        """Where fewer than two versions have anything to say."""
        skipped = self._skipped(0, len(self._versions))
        return Answer(None, passed_over=skipped, cannot_say="fewer than two versions of the range could be tried")

    def between_ends(self) -> Try | Answer:
        """Both ends are known."""
        a, b = (self._known.observed[end] for end in self.ends)
        kind = _kind(a, b)
        if kind is not None:
            return self._searched(kind)
        if a.outcome != "ok":
            return self._same(None)
        if not (a.right and b.right):
            return self._same("their answers were not checked, so their latencies are not compared")
        if a.clock is None or a.clock != b.clock:
            return self._same(f"their clocks, {a.clock} and {b.clock}, are not the same quantity")
        found = ratio_of(self._known.turns, *self.ends, self._decisions)
        if found is not None and found.beyond(self._threshold):
            return self._searched("latency")
        if (found is None or not found.within(self._threshold)) and self._looks(*self.ends) < MOST_LOOKS:
            return Try((), self.ends, timed=True)
        return self._same(None, undecided=found is None or not found.within(self._threshold))

    def _searched(self, kind: Kind) -> Try | Answer:
        sides = {place: self._side(kind, place) for place in range(self.low, self.high + 1)}
        last = max(place for place, side in sides.items() if side == "before")
        first = min(place for place, side in sides.items() if side == "after" and place > last)
        if kind == "latency" and (again := self._not_placed(last, first)) is not None:
            return Try((again,), self.ends, timed=True)
        untried = [place for place in range(last + 1, first) if self._versions[place] not in self._known.observed]
        if untried:
            middle = self._versions[untried[len(untried) // 2]]
            return Try((middle,), self.ends, timed=True) if kind == "latency" else Try((middle,))
        pair = self._versions[last], self._versions[first]
        if kind != "latency":
            few = tuple(each for each in pair if self._known.observed[each].rounds < LEAST_SEEN)
            again = Try(few)
            # Where it cannot be seen that often, by a device's or a network's fault, the answer says how often it was.
            if few and self._known.tried.count(again) < LEAST_SEEN:
                return again
        return self._answer(kind, last, first)

    def _answer(self, kind: Kind, last: int, first: int) -> Answer:
        before, after = (self._known.observed[self._versions[place]] for place in (last, first))
        told = [one.told for one in (before, after)]
        if kind == "answer":
            told = [_answer_told(one) for one in (before, after)]
        ratio = ratio_of(self._known.turns, *self.ends, self._decisions) if kind == "latency" else None
        return Answer(
            kind, _change(kind, before, after, ratio), before.version, after.version, told[0], told[1],
            self._skipped(last + 1, first, kind), self.ends, self._passed_over(), ratio,
            seen=(before.rounds, after.rounds),
        )  # fmt: skip

    def _same(self, doubt: str | None, undecided: bool = False) -> Answer:
        a, b = (self._known.observed[end] for end in self.ends)
        ratio = ratio_of(self._known.turns, *self.ends, self._decisions)
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
        return _SIDES[kind](a, b, self._known.observed[version])

    def _placed(self, version: str) -> Side | None:
        one, low = self._known.observed[version], self._known.observed[self.ends[0]]
        if not one.right or one.clock != low.clock:
            return None
        return placed(self._known.turns, self.ends, version, self._decisions)

    def _not_placed(self, last: int, first: int) -> str | None:
        """A version in between that was timed, and is not decided yet; None where all are, or had their looks."""
        for place in range(last + 1, first):
            version = self._versions[place]
            one = self._known.observed.get(version)
            if one is None or self._silent(version) is not None or not one.right:
                continue
            same_clock = one.clock == self._known.observed[self.ends[0]].clock
            if same_clock and self._looks(*self.ends, version) < MOST_LOOKS:
                return version
        return None

    def _looks(self, *versions: str) -> int:
        """How many Runs were spent on timing all of these together."""
        return sum(1 for each in self._known.tried if each.timed and set(versions) <= set(each.together))

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
            return f"on which side of the middle it lies was not decided in {MOST_LOOKS} runs"
        return f"like neither end: {_answer_told(one) if kind == 'answer' else one.told}"


def _kind(a: Observed, b: Observed) -> Kind | None:
    """In what two versions differ, timing aside."""
    if {(a.outcome, a.code), (b.outcome, b.code)} == {("ok", None), ("failed", "wrong_output")}:
        return "answer"
    if not _same_outcome(a, b):
        return "outcome"
    if a.outcome != "ok":
        return None
    if _answers_differ(a, b):
        return "answer"
    shares = (a.fallback_share, b.fallback_share)
    return "fallback" if None not in shares and shares[0] != shares[1] else None


def _same_outcome(a: Observed, b: Observed) -> bool:
    """Of failures the words count, without the numbers and names in them."""
    if a.outcome == b.outcome == "ok":
        return True
    return (a.outcome, a.code, signature(a.reason or "")) == (b.outcome, b.code, signature(b.reason or ""))


def _answers_differ(a: Observed, b: Observed) -> bool:
    """Whether two right answers are apart by more than rounding, beyond what each one's own Rounds are apart."""
    for name, rounding in _ROUNDING.items():
        if name in a.figures and name in b.figures:
            (least, most), (other_least, other_most) = a.figures[name], b.figures[name]
            if max(other_least - most, least - other_most) > rounding:
                return True
    return False


def _answer_told(one: Observed) -> str:
    if one.outcome != "ok":
        return one.told
    return ", ".join([one.told, *(f"{name} {most:.3g}" for name, (_, most) in one.figures.items())])


def _side_by_outcome(a: Observed, b: Observed, one: Observed) -> Side | None:
    """Ran or did not; where neither end ran, the words of their failures. What only lacks a feature in between, where
    both ends have it, says nothing of the change."""
    if a.outcome != "ok" and b.outcome != "ok":
        return "before" if _same_outcome(one, a) else "after" if _same_outcome(one, b) else None
    ran: Side = "before" if a.outcome == "ok" else "after"
    if one.outcome == "ok":
        return ran
    if one.outcome == "unsupported" and "unsupported" not in (a.outcome, b.outcome):
        return None
    return "after" if ran == "before" else "before"


def _side_by_answer(a: Observed, b: Observed, one: Observed) -> Side | None:
    if "ok" in {a.outcome, b.outcome} and a.outcome != b.outcome:
        if (one.outcome, one.code) not in {("ok", None), ("failed", "wrong_output")}:
            return None
        return "before" if one.outcome == a.outcome else "after"
    alike = [one.outcome == "ok" and not _answers_differ(end, one) for end in (a, b)]
    return None if alike[0] == alike[1] else "before" if alike[0] else "after"


def _side_by_fallback(a: Observed, b: Observed, one: Observed) -> Side | None:
    if one.outcome != "ok" or one.fallback_share not in (a.fallback_share, b.fallback_share):
        return None
    return "before" if one.fallback_share == a.fallback_share else "after"


_SIDES = {"outcome": _side_by_outcome, "answer": _side_by_answer, "fallback": _side_by_fallback}


def _change(kind: Kind, before: Observed, after: Observed, ratio: Ratio | None) -> Change:
    if kind == "latency":
        assert ratio is not None
        return "slower" if ratio.ratio > 1 else "faster"
    if (before.outcome == "ok") == (after.outcome == "ok"):
        return "changed"
    return "broke" if before.outcome == "ok" else "mended"
