"""What was observed of a version, in what two of them differ, and which of the two a third is like; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.analyse.placing import Side
from harness.analyse.why import signature
from harness.core.nouns import LEFT_OUT, OF_THE_MOMENT, Outcome
from harness.core.ratios import Ratio

# What the search goes by, the first of them in which the ends differ.
Kind = Literal["outcome", "answer", "fallback", "latency"]
Change = Literal["broke", "mended", "changed", "slower", "faster"]
# What apart is more than rounding, in the figures of `Observed`. A sum in another order moves the largest error by far
# less than a hundredth of what the judge lets pass, and the typical one by far less than 1e-4 of the values' spread.
_ROUNDING = {"largest error": 0.01, "typical error": 1e-4, "agreement": 0.0}


@dataclass(frozen=True)
class Observed:
    """What all Rounds of one version have come to so far.

    `rounds` counts those that say something. `flaky`: in words, where they disagree. `figures`: the judge's, each with
    its least and largest over the Rounds: `largest error` (share of what it let pass), `typical error` (share of the
    values' spread), `agreement` (share of positions with the same argmax). `right`: every answer was right.
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


def kind_of(a: Observed, b: Observed) -> Kind | None:
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


def answer_told(one: Observed) -> str:
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


def side_of(kind: Kind, a: Observed, b: Observed, one: Observed) -> Side | None:
    """Which end a version in between is like, in what the ends differ; None where it is like neither. Of a kind that
    needs no timing."""
    return _SIDES[kind](a, b, one)


def change_of(kind: Kind, before: Observed, after: Observed, ratio: Ratio | None) -> Change:
    if kind == "latency":
        assert ratio is not None
        return "slower" if ratio.value > 1 else "faster"
    if (before.outcome == "ok") == (after.outcome == "ok"):
        return "changed"
    return "broke" if before.outcome == "ok" else "mended"
