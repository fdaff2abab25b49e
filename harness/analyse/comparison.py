"""How many times as long one point takes as another, with an interval over Rounds, a verdict and its doubts; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from harness.analyse.pairs import Pair, Point, side_by_side
from harness.core.clocks import same_quantity
from harness.core.imported import doubts_of, imported_from
from harness.core.measured import MeasuredCase, MeasuredRun
from harness.core.noise import was_quiet
from harness.core.ratios import (
    Ratio,
    Verdict,
    paired_ratio,
    rounds_needed,
    unpaired_ratio,
    verdict_of,
)
from harness.core.statistics import LEAST_ROUNDS

# What counts as the same where nobody says: what pages and processes differ by from one build to the next.
USUAL_MARGIN = 0.02
# Of a latency, what the wait for nothing may be without being said.
_FLOOR_SAID = 0.1
# Parts of a Case in which two may differ and still be compared; each is said.
_SAID = ("precision", "batch_size", "length", "threads", "outputs", "cache", "isolation", "affinity", "network")


@dataclass(frozen=True)
class Comparison:
    """`ratio`: the latency of `b` ÷ that of `a`: below 1, `b` is faster. `needed`: about how many Rounds more each
    side needs for a verdict, where it is undecided and Rounds would do."""

    a: Point
    b: Point
    ratio: Ratio
    margin: float
    verdict: Verdict
    needed: int | None
    doubts: tuple[str, ...]

    @property
    def ci95(self) -> tuple[float, float] | None:
        """None below three Rounds."""
        return self.ratio.interval


@dataclass(frozen=True)
class LeftOut:
    """A point that is compared with nothing, and why."""

    point: Point
    why: str


Side = tuple[MeasuredRun, MeasuredCase]


def comparisons(pairs: Iterable[Pair], run: MeasuredRun, margin: float | None = None) -> list[Comparison]:
    """Of one Run's pairs in which both gave the right answer and were measured here and now.

    `margin`: None is that of the Run, if it decided by one, or the usual.
    """
    known = {one.case.case_id: one for one in run.cases}
    sides = [((run, known[a[0].case_id]), (run, known[b[0].case_id])) for a, b in pairs]
    return [found for a, b in sides if isinstance(found := compare(a, b, margin), Comparison)]


def decided_pairs(run: MeasuredRun) -> list[Pair]:
    """The pairs that a Run until decided was made for."""
    points = {one.case.case_id: (one.case, one.result) for one in run.cases}
    return [(points[a], points[b]) for a, b in run.policy.pairs if a in points and b in points]


def compared_within(run: MeasuredRun) -> list[Comparison]:
    """Of one Run: what it was made to decide, else the versions that stand side by side in it."""
    points = [(one.case, one.result) for one in run.cases]
    return comparisons(decided_pairs(run) or side_by_side(points), run)


def compare(a: Side, b: Side, margin: float | None) -> Comparison | LeftOut:
    """Two points of one Run in pairs of Rounds, of two Runs by Welch. Nothing but right answers is compared."""
    for run, one in (a, b):
        if (why := why_not_compared(run, one)) is not None:
            return LeftOut((one.case, one.result), why)
    same_run = a[0].run_id == b[0].run_id
    decision = a[0].policy.decision if same_run else None
    ratio = ratio_between(a, b)
    if ratio is None:
        return LeftOut((b[1].case, b[1].result), "no turn in which both were measured, or a median of 0")
    if margin is None:
        margin = decision.size if decision is not None and decision.kind == "difference" else USUAL_MARGIN
    doubts = doubts_between(a, b)
    if ratio.interval is None:
        unit = "turns in which both were measured" if ratio.paired else "rounds on both sides"
        doubts.insert(0, f"no interval: {ratio.rounds} of {LEAST_ROUNDS} {unit}")
    same_clock = same_quantity(a[1].clock, b[1].clock)
    verdict = verdict_of(ratio, margin) if same_clock else "undecided"
    needed = rounds_needed(ratio, margin) if same_clock and ratio.interval is not None else None
    return Comparison((a[1].case, a[1].result), (b[1].case, b[1].result), ratio, margin, verdict, needed, tuple(doubts))


def ratio_between(a: Side, b: Side, confidence: float = 0.95) -> Ratio | None:
    """The second's latency ÷ the first's; where it was looked at until decided, with an interval that allows for it.

    Two Runs have no common turns; the same point in both has one variance.
    """
    if a[0].run_id != b[0].run_id:
        alike = a[1].case.case_id == b[1].case.case_id
        return unpaired_ratio(a[1].medians, b[1].medians, confidence, alike)
    return paired_ratio(a[1].medians, b[1].medians, confidence, looked=a[0].policy.schedule == "until_decided")


def why_not_compared(run: MeasuredRun, one: MeasuredCase) -> str | None:
    """Why a point is compared with nothing; None where it can be."""
    result = one.result
    if result.code == "wrong_output":
        return "wrong output: fast but wrong has failed"
    if result.outcome != "ok":
        return f"{result.outcome}: {result.reason or result.code or 'no reason was given'}"
    # Nobody but its own tool can have checked an imported answer: who names such a run asks for it, and is told.
    if not result.is_right and imported_from(run.run_id, run.machine) is None:
        return "its answer was not checked against anything independent"
    if run.policy.purpose == "coverage":
        return "coverage times nothing"
    if result.reused_from is not None:
        return f"not measured in run {run.run_id}, but in {result.reused_from}"
    return None if one.medians else "its rounds are gone: the journal that held them is not there"


def doubts_between(a: Side, b: Side) -> list[str]:
    """Whatever makes the ratio mean something else than one side's speed against the other's."""
    (run_a, one_a), (run_b, one_b) = a, b
    found = [
        f"{run.run_id} was {doubts_of(imported)[0]}"
        for run in (run_a, run_b)
        if (imported := imported_from(run.run_id, run.machine)) is not None
    ]
    if not same_quantity(one_a.clock, one_b.clock):
        found.append(f"two clocks: {one_a.clock} and {one_b.clock} are not the same quantity")
    for name in _SAID:
        values = [getattr(one.case, name) for one in (one_a, one_b)]
        if values[0] != values[1]:
            found.append(f"not the same {name.replace('_', ' ')}: {_told(values[0])} and {_told(values[1])}")
    if None not in (one_a.adapter, one_b.adapter) and one_a.adapter != one_b.adapter:
        found.append(f"not the same adapter or driver: {one_a.adapter} and {one_b.adapter}")
    models = (one_a.case.model, one_b.case.model)
    if models[0].name == models[1].name and models[0].identity != models[1].identity:
        found.append(f"{models[0].short_name} is not the same model on both sides: its files were changed")
    results = (one_a.result, one_b.result)
    if results[0].fallback_share != results[1].fallback_share:
        found.append("not the same share of nodes on the CPU, or not known")
    if any(one.software for one in results):
        found.append("a software adapter")
    for one in (one_a, one_b):
        floor, latency = one.result.clock.get("wait_floor_ms"), one.result.metrics.get("latency_median_ms")
        if one.clock != "await" or not isinstance(floor, int | float) or not latency:
            continue  # from a slope it has cancelled out
        if floor > _FLOOR_SAID * latency:
            found.append(f"{one.case.hardware}: the wait itself takes {floor:.3g} of {latency:.3g} ms")
    return [*found, *_doubts_between_runs(run_a, run_b)]


def _doubts_between_runs(a: MeasuredRun, b: MeasuredRun) -> list[str]:
    found = []
    if a.run_id != b.run_id:
        found.append("measured at two times: what the machine was like at each is in the ratio")
        slices = [run.policy.loop().slice_ns / 1e9 for run in (a, b)]
        if all(slices) and not 0.5 < slices[0] / slices[1] < 2:
            found.append(f"rounds of {slices[0]:.3g} s and of {slices[1]:.3g} s: the shorter warm up less")
        if a.machine.get("machine_id") != b.machine.get("machine_id"):
            names = [str(run.machine.get("cpu") or "an unknown one") for run in (a, b)]
            what = f"{names[0]} and {names[1]}" if names[0] != names[1] else "they differ in what is not the CPU"
            found.append(f"two machines: {what}")
    noisy = list(dict.fromkeys(run.run_id for run in (a, b) if was_quiet(run.machine) is False))
    if noisy:
        found.append("a noisy machine" if a.run_id == b.run_id else f"a noisy machine in run {', '.join(noisy)}")
    return found


def _told(value: object) -> str:
    return "the usual" if value is None else str(value)
