"""A Run against a baseline: which points became slower, broke or changed sides; pure.

A few Rounds of two times are good for a suspicion, never for an alarm: whoever compares a hundred points sees several
that far apart by chance. What is suspect is measured again, and only fresh Rounds can make it a regression.
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
    is_suspect,
    relative,
    unpaired_ratio,
)

Status = Literal["regression", "broke", "suspect", "passed", "faster", "mended", "not_compared", "gone", "new"]
# What makes the gate fail. The rest is said.
FAILS = ("regression", "broke")
# 1 % for an alarm where nothing changed: the interval's other end is of no interest.
CONFIDENCE = 0.98


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


def screened(baseline: MeasuredRun, run: MeasuredRun, threshold: float) -> list[Checked]:
    """Every point of either, in the Run's order; none is a regression yet, some are suspect."""
    sides = side_by_side((baseline, baseline.cases), (run, run.cases))
    paired = {b[1].case.case_id: (a, b) for a, b in sides.pairs}
    alone = {each.point[0].case_id: each.why for each in sides.left_out}
    found = []
    for one in run.cases:
        case_id = one.case.case_id
        if case_id in paired:
            found.append(_screened(*paired[case_id], threshold))
        else:
            found.append(Checked("new", None, (run, one), f"not compared: {alone.get(case_id, 'new')}"))
    there = {a[1].case.case_id for a, _ in sides.pairs}
    gone = (one for one in baseline.cases if one.case.case_id not in there)
    return [*found, *(Checked("gone", (baseline, one), None, "the run does not have it") for one in gone)]


def _screened(a: Side, b: Side, threshold: float) -> Checked:
    was, is_ = (why_not_compared(*side) for side in (a, b))
    if was is not None or is_ is not None:
        return _by_outcome(a, b, was, is_)
    if not same_quantity(a[1].clock, b[1].clock):
        why = f"two clocks, {a[1].clock} and {b[1].clock}, are not the same quantity"
        return Checked("not_compared", a, b, why)
    ratio = ratio_between(a, b)
    if ratio is None:
        return Checked("not_compared", a, b, "a median of 0")
    doubts = tuple(doubts_between(a, b))
    if is_suspect(ratio, threshold):
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
    if (failed := _failed_again(checked, a, b)) is not None:
        return failed
    ratio = ratio_between(a, b, CONFIDENCE)
    return _judged(replace(checked, doubts=tuple(doubts_between(a, b))), b, ratio, threshold)


def confirmed_alone(checked: Checked, b: Side, controls: Sequence[tuple[Side, Side]], threshold: float) -> Checked:
    """What a suspect is after it was measured again without its baseline, beside points in which nothing has changed.

    What the controls' Rounds took longer, turn by turn, is the machine's. Without them that is in the ratio, and then
    only a slowdown that lies beyond the threshold with its whole interval counts.
    """
    assert checked.before is not None
    if (failed := _failed_again(checked, checked.before, b)) is not None:
        return failed
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
    return _judged(told, b, ratio, threshold, surely=not controls)


def _failed_again(checked: Checked, a: Side, b: Side) -> Checked | None:
    for side in (a, b):
        if (why := why_not_compared(*side)) is not None:
            result = side[1].result
            # What failed for a reason of the moment (its model's file was replaced, say) did not break.
            broke = side is b and result.outcome == "failed" and result.code not in OF_THE_MOMENT
            status: Status = "broke" if broke else "suspect"
            return replace(checked, status=status, why=f"measured again: {why}", again_in=b[0].run_id)
    return None


def _judged(checked: Checked, b: Side, ratio: Ratio | None, threshold: float, surely: bool = False) -> Checked:
    checked = replace(checked, again=ratio, again_in=b[0].run_id)
    if ratio is None or ratio.low is None or ratio.high is None:
        return replace(checked, why="measured again: too few rounds that could be compared")
    seen = f"{ratio.value - 1:+.1%} when measured again ({ratio.low - 1:+.1%} to {ratio.high - 1:+.1%})"
    if is_surely_beyond(ratio, threshold) if surely else is_regression(ratio, threshold):
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
    if ratio is not None and is_surely_beyond(ratio, threshold):
        return replace(checked, status="regression", why=f"{checked.why}, not measured again: {because}")
    return replace(checked, why=f"{checked.why}, not measured again: {because}; not decided")


def as_it_was(before: MeasuredCase, after: MeasuredCase, packages: Mapping[str, str]) -> tuple[Case | None, str]:
    """The baseline's Case as it can be asked for today, with the versions it had; None and why where it cannot.

    `packages`: what its browser and its runtimes are published as → the Case's field that asks for a version.
    """
    if before.case.case_id != after.case.case_id:
        return before.case, ""
    if before.versions is None or after.versions is None:
        return None, "the baseline's versions are not known"
    changed = [
        name
        for name in sorted(before.versions.keys() | after.versions.keys())
        if before.versions.get(name) != after.versions.get(name)
    ]
    if not changed:
        return None, "nothing that is versioned has changed since the baseline: the machine has"
    asked: dict[str, str] = {}
    for name in changed:
        field, old = packages.get(name), before.versions.get(name)
        if field is None or old is None:
            what = "our own measuring code" if name == "loop" else "the artifact" if name == "artifact" else name
            return None, f"{what} is not what it was, and cannot be had again here"
        package, _, version = old.rpartition(" ")
        asked[field] = version if field == "browser_version" else f"{name}@{old}"
        if field == "browser_version" and not package:
            return None, f"the browser was {old}, which cannot be asked for by name"
    return before.case.model_copy(update=asked), ""


def any_fails(found: Iterable[Checked]) -> bool:
    return any(each.status in FAILS for each in found)


def summary(found: Sequence[Checked]) -> dict[str, int]:
    """Status → how many, what fails first."""
    order: tuple[Status, ...] = (
        "regression", "broke", "suspect", "passed", "faster", "mended", "not_compared", "gone", "new",
    )  # fmt: skip
    counts = {status: sum(1 for each in found if each.status == status) for status in order}
    return {status: count for status, count in counts.items() if count}
