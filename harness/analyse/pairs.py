"""Which points differ only in the version of their browser or runtime: those are what a version is judged by."""

from collections.abc import Sequence

from harness.core.nouns import Case
from harness.core.rounds import CaseResult

Point = tuple[Case, CaseResult]
Pair = tuple[Point, Point]
_VERSIONS = ("browser_version", "runtime")


def place_of(case: Case, but: Sequence[str] = _VERSIONS) -> str:
    """What a point asks for besides versions: the same text, the same place.

    Two devices are two places: what an attached browser has for a version is its device's name.
    """
    blank = [name for name in but if not (name == "browser_version" and case.browser == "attached")]
    return case.model_copy(update={"inputs_path": None, **dict.fromkeys(blank)}).case_id


def side_by_side(points: Sequence[Point]) -> list[Pair]:
    """Points of one Run that differ in one version, each with the one before it, in the order they were asked for."""
    pairs = []
    for version in _VERSIONS:
        latest: dict[str, Point] = {}
        for point in points:
            place = place_of(point[0], (version,))
            if place in latest:
                pairs.append((latest[place], point))
            latest[place] = point
    return pairs


def matched(before: Sequence[Point], after: Sequence[Point]) -> tuple[list[Pair], list[Point], list[Point]]:
    """Points of two Runs at the same place; and those that only the one, and only the other has.

    Of several versions at one place the same is taken; else what comes last in the earlier Run.
    """
    by_id = {case.case_id: (case, result) for case, result in before}
    by_place = {place_of(case): (case, result) for case, result in before}
    pairs, new = [], []
    for point in after:
        earlier = by_id.get(point[0].case_id) or by_place.get(place_of(point[0]))
        if earlier is None:
            new.append(point)
        else:
            pairs.append((earlier, point))
    there = {place_of(case) for case, _ in after}
    return pairs, [point for point in before if place_of(point[0]) not in there], new
