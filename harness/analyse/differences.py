"""What broke and what was mended between two results of the same point; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.analyse.pairs import Pair, Point, matched, side_by_side
from harness.analyse.why import Why, why
from harness.core.nouns import LEFT_OUT, OF_THE_MOMENT
from harness.core.rounds import CaseResult, Run

Kind = Literal["broke", "mended", "changed", "unknown", "gone", "new"]
_KINDS = ("broke", "mended", "changed", "unknown", "gone", "new")


@dataclass(frozen=True)
class Difference:
    """`broke`: ok before, not after. `mended`: the other way round. `changed`: another outcome or reason, or another
    share of nodes on the CPU. `unknown`: one side did not get as far as what was asked. `gone`, `new`: only one side
    has it."""

    kind: Kind
    before: Point | None
    after: Point | None
    text: str


@dataclass(frozen=True)
class VersionChange:
    """What is not the same in two Runs; None: that Run does not tell of it. Several versions are joined by a comma."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Group:
    """Differences of one kind, one family and one cause: that of the hole which is there now, else of the mended one.

    `why` is null where neither side has a hole. `models`: names, each once.
    """

    kind: Kind
    family: str
    why: Why | None
    models: tuple[str, ...]
    found: tuple[Difference, ...]


def version_changes(
    before: Run, before_points: Sequence[Point], after: Run, after_points: Sequence[Point]
) -> list[VersionChange]:
    """Packages of the machine (transformers, torch, exporters, runtimes), then what pages loaded, then browsers."""
    old, new = _versions(before, before_points), _versions(after, after_points)
    return [
        VersionChange(name, old.get(name), new.get(name))
        for name in dict.fromkeys((*new, *old))
        if old.get(name) != new.get(name)
    ]


def _versions(run: Run, points: Sequence[Point]) -> dict[str, str]:
    packages = run.machine.get("packages")
    told = {name: str(version) for name, version in packages.items()} if isinstance(packages, dict) else {}
    seen: dict[str, set[str]] = {}
    for case, result in points:
        name, _, version = (result.runtime or "").rpartition("@")
        if case.browser and name:
            seen.setdefault(name, set()).add(version)
    for case, result in points:
        if case.browser and result.browser_version:
            seen.setdefault(case.browser, set()).add(result.browser_version)
    return {**told, **{name: ", ".join(sorted(versions)) for name, versions in seen.items()}}


def grouped(
    found: Iterable[Difference], before: Mapping[str, str | None], after: Mapping[str, str | None]
) -> list[Group]:
    """By kind, then family and cause, those with most models first; `before`, `after`: each Run's stages by case_id."""
    groups: dict[tuple[str, str, str], list[tuple[Difference, Why | None]]] = {}
    for each in found:
        point = each.after or each.before
        assert point is not None
        cause = _cause(each.after, after) or _cause(each.before, before)
        told = "" if cause is None else f"{cause.kind} {cause.owner} {cause.subject or cause.signature}"
        groups.setdefault((each.kind, point[0].model.family, told), []).append((each, cause))
    result = []
    for mine in groups.values():
        points = [point for each, _ in mine if (point := each.after or each.before) is not None]
        models = tuple(dict.fromkeys(case.model.name for case, _ in points))
        first, cause = mine[0]
        result.append(Group(first.kind, points[0][0].model.family, cause, models, tuple(each for each, _ in mine)))
    return sorted(result, key=lambda one: (_KINDS.index(one.kind), -len(one.models), one.family))


def _cause(point: Point | None, stages: Mapping[str, str | None]) -> Why | None:
    if point is None or point[1].outcome == "ok":
        return None
    return why(stages.get(point[0].case_id) or "plan", point[1].code, point[1].reason)


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
