"""Two sets of points → which of one stands beside which of the other, and what stands alone; pure.

The parts of a Case in which the two sets have nothing in common are what is compared: `wasm` against `webnn`, one
browser against another. In all other parts two points must be alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.analyse.comparison import Comparison, LeftOut, Side, compare
from harness.core.digest import digest_of
from harness.core.measured import MeasuredCase, MeasuredRun
from harness.core.nouns import Case

# A browser or runtime that was asked for by version is a version of the same place.
_VERSIONS = ("browser_version", "runtime")
# What a platform brings with it.
_OF_PLATFORM = ("platform", "backend", "device", "browser", *_VERSIONS)


@dataclass(frozen=True)
class SideBySide:
    """`differ`: the parts of a Case in which the two sets have nothing in common; empty: the same points twice."""

    differ: tuple[str, ...]
    pairs: tuple[tuple[Side, Side], ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class Compared:
    found: tuple[Comparison, ...]
    left_out: tuple[LeftOut, ...]


def compared(sides: SideBySide, margin: float | None) -> Compared:
    """Every pair that can be compared, in the order of the first set, and why the others cannot."""
    told = [compare(a, b, margin) for a, b in sides.pairs]
    found = tuple(each for each in told if isinstance(each, Comparison))
    more = (each for each in told if isinstance(each, LeftOut))
    return Compared(found, (*sides.left_out, *more))


def decided(run: MeasuredRun) -> Compared:
    """The pairs that a Run was made to decide, as they were measured in it."""
    points = {one.case.case_id: one for one in run.cases}
    pairs = tuple(((run, points[a]), (run, points[b])) for a, b in run.policy.pairs)
    return compared(SideBySide((), pairs, ()), None)


def side_by_side(
    a: tuple[MeasuredRun, Sequence[MeasuredCase]], b: tuple[MeasuredRun, Sequence[MeasuredCase]]
) -> SideBySide:
    """Each point of `b` beside the same of `a`, else beside the one that is like it in all but what is compared.

    A local model that was changed where it lies is the same by name.
    """
    differ = _differing([one.case for one in a[1]], [one.case for one in b[1]])
    first, second = ({one.case.case_id: one for one in side[1]} for side in (a, b))
    pairs = [((a[0], one), (b[0], second[case_id])) for case_id, one in first.items() if case_id in second]
    but = {*differ, *(_OF_PLATFORM if "platform" in differ else ()), *(_VERSIONS if not differ else ())}
    groups = [
        _grouped([one for case_id, one in mine.items() if case_id not in other], but)
        for mine, other in ((first, second), (second, first))
    ]
    left_out = []
    for key, mine in groups[0].items():
        others = groups[1].get(key, [])
        if len(mine) == 1 and len(others) == 1:
            pairs.append(((a[0], mine[0]), (b[0], others[0])))
            continue
        why = f"{len(mine)} of the first stand beside {len(others)} of the second: narrow them"
        why = why if others else "the second has nothing at this point"
        left_out += [LeftOut((one.case, one.result), why) for one in (*mine, *others)]
    alone = [one for key, others in groups[1].items() if key not in groups[0] for one in others]
    left_out += [LeftOut((one.case, one.result), "the first has nothing at this point") for one in alone]
    return SideBySide(differ, tuple(pairs), tuple(left_out))


def matching(run: MeasuredRun, words: Sequence[str]) -> list[MeasuredCase]:
    """The points that have every word among their names, or as a beginning of their case_id."""
    return [one for one in run.cases if all(word in names_of(one.case) or _begins(one.case, word) for word in words)]


def names_of(case: Case) -> set[str]:
    """What a point may be called by: the parts of its slug, its model as typed, its platform, browser and runtime."""
    parts = {*case.slug.split("/"), case.model.name, case.hardware, case.platform, case.backend, case.slug}
    return parts | {each for each in (case.browser, case.browser_version, case.runtime) if each is not None}


def _begins(case: Case, word: str) -> bool:
    return len(word) >= 6 and case.case_id.startswith(word)


def _differing(first: Sequence[Case], second: Sequence[Case]) -> tuple[str, ...]:
    found = []
    for name in Case.model_fields:
        if name == "inputs_path":
            continue
        values = [{_value(case, name) for case in side} for side in (first, second)]
        if values[0] and values[1] and not values[0] & values[1]:
            found.append(name)
    return tuple(found)


def _value(case: Case, name: str) -> str:
    if name != "model":
        return repr(getattr(case, name))
    return digest_of({**case.model.canonical(), "identity": case.model.name, "revision": None})


def _key(case: Case, but: set[str]) -> str:
    names = [name for name in Case.model_fields if name not in but and name != "inputs_path"]
    return digest_of({name: _value(case, name) for name in names})


def _grouped(points: Sequence[MeasuredCase], but: set[str]) -> dict[str, list[MeasuredCase]]:
    groups: dict[str, list[MeasuredCase]] = {}
    for one in points:
        groups.setdefault(_key(one.case, but), []).append(one)
    return groups
