"""What broke and what was mended between two results of the same point; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.analyse.pairs import Pair, Point, matched, side_by_side
from harness.core.nouns import LEFT_OUT, OF_THE_MOMENT
from harness.core.rounds import CaseResult

Kind = Literal["broke", "mended", "changed", "unknown", "gone", "new"]


@dataclass(frozen=True)
class Difference:
    """`broke`: ok before, not after. `mended`: the other way round. `changed`: another outcome or reason, or another
    share of nodes on the CPU. `unknown`: one side did not get as far as what was asked. `gone`, `new`: only one side
    has it."""

    kind: Kind
    before: Point | None
    after: Point | None
    text: str


def between_versions(points: Sequence[Point]) -> list[Difference]:
    """Between the versions that stand side by side in one Run."""
    return differences(side_by_side(points))


def between_runs(before: Sequence[Point], after: Sequence[Point]) -> list[Difference]:
    """Between two Runs, whatever their versions; points that only one of them has come last."""
    pairs, gone, new = matched(before, after)
    only = [Difference("gone", point, None, _told(point[1])) for point in gone]
    return [*differences(pairs), *only, *(Difference("new", None, point, _told(point[1])) for point in new)]


def differences(pairs: Iterable[Pair]) -> list[Difference]:
    """Those pairs that differ, what broke first."""
    found = []
    for before, after in pairs:
        kind = _kind(before[1], after[1])
        if kind is not None:
            found.append(Difference(kind, before, after, f"{_told(before[1])} → {_told(after[1])}"))
    order = ("broke", "mended", "changed", "unknown")
    return sorted(found, key=lambda each: order.index(each.kind))


_SAYS_NOTHING = (*OF_THE_MOMENT, *LEFT_OUT)


def _kind(before: CaseResult, after: CaseResult) -> Kind | None:
    if before.code in _SAYS_NOTHING or after.code in _SAYS_NOTHING:
        return "unknown"
    if (before.outcome == "ok") != (after.outcome == "ok"):
        return "broke" if before.outcome == "ok" else "mended"
    if before.outcome == "ok" and None in (before.fallback_share, after.fallback_share):
        return None
    return "changed" if _told(before) != _told(after) else None


def _told(result: CaseResult) -> str:
    """What a point came to, without its timing: that is never the same twice."""
    if result.outcome != "ok":
        return f"{result.outcome}: {result.reason or result.code or 'no reason was given'}"
    share = result.fallback_share
    return f"ok, {share:.1%} of nodes on the CPU" if share else "ok"
