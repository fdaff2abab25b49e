"""A Run against a baseline: which points became slower, broke or changed sides; pure.

A few Rounds of two times are good for a suspicion, never for an alarm: whoever compares a hundred points sees several
that far apart by chance. Nor for a pass, where they say that it is slower at all: a machine that was quicker at the
second of the two times hides a part of it. So that is suspect, and measured again before it is an alarm.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.analyse.comparison import Side, doubts_between, ratio_between, why_not_compared
from harness.analyse.sides import side_by_side
from harness.core.clocks import same_quantity
from harness.core.measured import MeasuredCase, MeasuredRun
from harness.core.nouns import LEFT_OUT, OF_THE_MOMENT, Case
from harness.core.ratios import (
    Ratio,
    is_regression,
    is_surely_beyond,
    relative,
    unpaired_ratio,
)

Status = Literal["regression", "broke", "suspect", "passed", "faster", "mended", "not_compared", "gone", "new"]
# What makes the gate fail. The rest is said.
FAILS = ("regression", "broke")
# 1 % for an alarm where nothing changed: the interval's other end is of no interest.
CONFIDENCE = 0.98
# Parts in which two Runs may have nothing in common and still be a before and an after.
_VERSIONS = ("browser_version", "runtime")


@dataclass(frozen=True)
class Checked:
    """What a point of the Run is, held against the baseline's. `before`, `after`: None where only one has it.

    `ratio`: the Run's latency ÷ the baseline's, as both were stored. `again`: the same from Rounds that were measured
    to find out, in the Run `again_in`.
    """

    status: Status
    before: Side | None
    after: Side | None
    why: str
    ratio: Ratio | None = None
    again: Ratio | None = None
    again_in: str | None = None
    doubts: tuple[str, ...] = ()

    @property
    def case(self) -> Case:
        side = self.after or self.before
        assert side is not None
        return side[1].case


def screened(baseline: MeasuredRun, run: MeasuredRun) -> list[Checked]:
    """Every point of either, in the Run's order; none is a regression yet, some are suspect."""
    sides = side_by_side((baseline, baseline.cases), (run, run.cases))
    strange = [name for name in sides.differ if name not in _VERSIONS]
    pairs = () if strange else sides.pairs
    paired = {b[1].case.case_id: (a, b) for a, b in pairs}
    alone = {(each.point[1].run_id, each.point[0].case_id): each.why for each in sides.left_out}
    another = f"the two have no {strange[0].replace('_', ' ')} in common" if strange else ""
    found = []
    for one in run.cases:
        case_id = one.case.case_id
        if case_id in paired:
            found.append(_screened(*paired[case_id]))
        else:
            why = another or alone.get((one.result.run_id, case_id), "the baseline does not have it")
            found.append(Checked("new", None, (run, one), why))
    there = {a[1].case.case_id for a, _ in pairs}
    for one in baseline.cases:
        if one.case.case_id not in there:
            why = another or alone.get((one.result.run_id, one.case.case_id), "the run does not have it")
            found.append(Checked("gone", (baseline, one), None, why))
    return found


def _screened(a: Side, b: Side) -> Checked:
    was, is_ = (why_not_compared(*side) for side in (a, b))
    if was is not None or is_ is not None:
        return _by_outcome(a, b, was, is_)
    if not same_quantity(a[1].clock, b[1].clock):
        why = f"two clocks, {a[1].clock} and {b[1].clock}, are not the same quantity"
        return Checked("not_compared", a, b, why)
    if a[0].machine.get("machine_id") != b[0].machine.get("machine_id"):
        return Checked("not_compared", a, b, "the baseline's latency is of another machine")
    ratio = ratio_between(a, b)
    if ratio is None:
        return Checked("not_compared", a, b, "a median of 0")
    doubts = tuple(doubts_between(a, b))
    if ratio.value > 1:
        return Checked("suspect", a, b, f"{ratio.value - 1:+.1%}, seen once", ratio, doubts=doubts)
    if ratio.high is not None and ratio.high < 1:
        return Checked("faster", a, b, f"{ratio.value - 1:+.1%}", ratio, doubts=doubts)
    return Checked("passed", a, b, f"{ratio.value - 1:+.1%}", ratio, doubts=doubts)


def _by_outcome(a: Side, b: Side, was: str | None, is_: str | None) -> Checked:
    before, after = a[1].result, b[1].result
    if any(each.code in (*OF_THE_MOMENT, *LEFT_OUT) for each in (before, after)):
        return Checked("not_compared", a, b, is_ or was or "")
    if before.outcome == "ok" and after.outcome != "ok":
        return Checked("broke", a, b, f"it was ok, now it is {is_}")
    if before.outcome != "ok" and after.outcome == "ok":
        return Checked("mended", a, b, f"it was {was}, now it is ok")
    return Checked("not_compared", a, b, is_ or was or "")


def confirmed(checked: Checked, a: Side, b: Side, threshold: float) -> Checked:
    """What a suspect is after both sides were measured again, in turn."""
    if (why := why_not_compared(*b)) is not None:
        return _not_seen_again(checked, b, why)
    if (why := why_not_compared(*a)) is not None:
        return replace(unconfirmed(checked, threshold, f"its baseline: {why}"), again_in=b[0].run_id)
    ratio = ratio_between(a, b, CONFIDENCE)
    return _judged(replace(checked, doubts=tuple(doubts_between(a, b))), b, ratio, threshold)


def confirmed_alone(checked: Checked, b: Side, controls: Sequence[tuple[Side, Side]], threshold: float) -> Checked:
    """What a suspect is after it was measured again without its baseline, beside points in which nothing has changed.

    What the controls' Rounds took longer, turn by turn, is the machine's. What a point has of its own from one time to
    another stays in the ratio, and one baseline cannot tell how much that is: so the whole interval has to lie beyond
    the threshold, and without controls beyond twice that.
    """
    assert checked.before is not None
    if (why := why_not_compared(*b)) is not None:
        return _not_seen_again(checked, b, why)
    held, seen = (
        relative(side[1].medians, [pair[place][1].medians for pair in controls])
        for place, side in enumerate((checked.before, b))
    )
    ratio = unpaired_ratio(held, seen, CONFIDENCE, alike=True)
    if controls:
        said = f"relative to {', '.join(pair[1][1].case.slug for pair in controls)}, in which nothing has changed"
    else:
        said = "no point beside it in which nothing has changed: what the machine was like at two times is in the ratio"
    told = replace(checked, doubts=(said, *doubts_between(checked.before, b)))
    return _judged(told, b, ratio, threshold, beyond(threshold, len(controls)))


def _not_seen_again(checked: Checked, b: Side, why: str) -> Checked:
    """It was ok when it was asked for: one that fails now and then is worth a look, and no slowdown seen twice."""
    return replace(checked, why=f"{checked.why}; when measured again {why}", again_in=b[0].run_id)


def beyond(threshold: float, controls: int) -> float:
    """What a slowdown between two times must surely exceed: without controls the machine's own change is in it."""
    return threshold if controls else 2 * threshold


def _judged(checked: Checked, b: Side, ratio: Ratio | None, threshold: float, surely: float | None = None) -> Checked:
    """`surely`: the whole interval has to lie beyond that."""
    checked = replace(checked, again=ratio, again_in=b[0].run_id)
    if ratio is None or ratio.low is None or ratio.high is None:
        return replace(checked, why="measured again: too few rounds that could be compared")
    seen = f"{ratio.value - 1:+.1%} when measured again ({ratio.low - 1:+.1%} to {ratio.high - 1:+.1%})"
    if is_regression(ratio, threshold) if surely is None else is_surely_beyond(ratio, surely):
        return replace(checked, status="regression", why=seen)
    if ratio.high < 1 + threshold:
        return replace(checked, status="passed", why=f"{seen}: less than {100 * threshold:g} %")
    return replace(checked, why=f"{seen}: not decided")


def unchanged(checked: Checked) -> bool:
    """Whether it is the same point, on one machine, and nothing that is versioned has changed: a control."""
    if checked.before is None or checked.after is None or checked.ratio is None:
        return False
    (run_a, a), (run_b, b) = checked.before, checked.after
    same_place = run_a.machine.get("machine_id") == run_b.machine.get("machine_id")
    return same_place and a.case.case_id == b.case.case_id and a.versions is not None and a.versions == b.versions


def unconfirmed(checked: Checked, threshold: float, because: str) -> Checked:
    """A suspect where nothing can be measured: by what is stored, at the confidence of an alarm."""
    assert checked.before is not None and checked.after is not None
    ratio = ratio_between(checked.before, checked.after, CONFIDENCE)
    if ratio is not None and is_surely_beyond(ratio, beyond(threshold, 0)):
        return replace(checked, status="regression", why=f"{checked.why}, not measured again: {because}")
    return replace(checked, why=f"{checked.why}, not measured again: {because}; not decided")


def as_it_was(before: MeasuredCase, after: MeasuredCase, packages: Mapping[str, str]) -> tuple[Case | None, str]:
    """The baseline's Case as it can be asked for today, with the versions it had; None and why where it cannot.

    `packages`: what npm publishes of its browser and its runtimes → the Case's field that asks for a version of it.
    """
    if before.versions is None or after.versions is None:
        return None, "the baseline's versions are not known"
    named = {field for field in _VERSIONS if getattr(before.case, field) is not None}
    same_model = before.case.model.identity == after.case.model.identity
    asked: dict[str, str] = {}
    changed = False
    for name in sorted(before.versions.keys() | after.versions.keys()):
        old, new = before.versions.get(name), after.versions.get(name)
        field = _field_of(name, old, packages)
        if old == new or field in named or (name == "artifact" and not same_model):
            changed = changed or old != new
            continue
        changed = True
        if field is None or old is None:
            what = {"loop": "our own measuring code", "artifact": "the artifact"}.get(name, name)
            return None, f"{what} is not what it was, and cannot be had again here"
        asked[field] = old.rpartition(" ")[2] if field == "browser_version" else f"{name}@{old}"
    if not changed and before.case.case_id == after.case.case_id:
        return None, "nothing that is versioned has changed since the baseline: the machine has"
    return before.case.model_copy(update=asked), ""


def _field_of(name: str, version: str | None, packages: Mapping[str, str]) -> str | None:
    """The Case's field that asks for this version: of a browser only in the words of its npm package."""
    if name != "browser":
        return "runtime" if name in packages else None
    package, _, number = (version or "").rpartition(" ")
    return "browser_version" if package in packages and number[:1].isdigit() else None


def any_fails(found: Iterable[Checked]) -> bool:
    return any(each.status in FAILS for each in found)


def summary(found: Sequence[Checked]) -> dict[str, int]:
    """Status → how many, what fails first."""
    order: tuple[Status, ...] = (
        "regression", "broke", "suspect", "passed", "faster", "mended", "not_compared", "gone", "new",
    )  # fmt: skip
    counts = {status: sum(1 for each in found if each.status == status) for status in order}
    return {status: count for status, count in counts.items() if count}
