"""Is a backend honest: what its audit came to, as MLPerf loadgen's compliance tests ask it (TEST01, TEST04). Pure.

outputs   what the timed Rounds answered against one single run in a fresh process or tab
caching   the frozen inputs, run again and again, against inputs never seen before, in pairs
clock     the clock that times against the conductor's own, over seconds
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeGuard

from harness.core.clocks import FLOOR_SHARE
from harness.core.rounds import Round
from harness.core.statistics import LEAST_FOR_INTERVAL, median, median_interval

Status = Literal["passed", "failed", "not_possible"]
Number = float | int | None

# Repeating may be quicker by this share: the caches of a CPU know what was there a moment ago. Loadgen's TEST04 allows
# the same, and twice as much below 0.2 ms; here the whole interval must lie beyond, so short runs need no more.
QUICKER_SHARE = 0.10
# Two clocks may differ by this share. Over three seconds the quickest messages of the first third and of the last come
# alike within a few milliseconds (11 at most, seen from a page on a busy machine: 0.4 %), and crystals differ by
# 0.01 %; a clock that is off by more would be a larger error than what the loop calls narrow.
CLOCK_SHARE = 0.02
LEAST_TICKS = 6
LEAST_SPAN_NS = 1_000_000_000
# A ratio is of two durations that last so many steps of the clock: a step is then a tenth, which the interval over many
# of them averages out. Adding up more than that would let every pause of a busy machine into it: with a hundred steps,
# seen in Firefox under load, honest medians of 600 µs and 600 µs gave ratios of 0.76 to 0.98.
_STEPS = 10
# Where noise hides what is looked for, the check has said nothing.
_UNDECIDED = "undecided: {low:.2f} to {high:.2f} times as long"


@dataclass(frozen=True)
class Check:
    status: Status
    reason: str | None = None
    numbers: Mapping[str, Number] = field(default_factory=dict)


@dataclass(frozen=True)
class Audit:
    outputs: Check
    caching: Check
    clock: Check

    @property
    def checks(self) -> dict[str, Check]:
        return {"outputs": self.outputs, "caching": self.caching, "clock": self.clock}

    @property
    def failed(self) -> dict[str, Check]:
        return {name: check for name, check in self.checks.items() if check.status == "failed"}


def audits_of(rounds: Sequence[Round]) -> dict[str, Audit]:
    """case_id → its latest audit, of every Case that was audited."""
    return {one.case_id: audit_of(one) for one in rounds if one.purpose == "audit"}


def audit_doubts(rounds: Sequence[Round]) -> list[str]:
    """Of one Case's Rounds: what its latest audit found against the backend, or that there was none."""
    audits = [one for one in rounds if one.purpose == "audit"]
    if not audits:
        return []
    one = audits[-1]
    if one.outcome != "ok" and "audit" not in one.provenance:
        return [f"no audit: {_why(one)}"]
    return [f"audit: {name}: {check.reason}" for name, check in audit_of(one).failed.items()]


def audit_of(one: Round) -> Audit:
    """The three checks by what the Round that audits has told; a wrong answer does not keep them from being told."""
    told = one.provenance.get("audit")
    if not isinstance(told, Mapping):
        nothing = Check("not_possible", _why(one))
        return Audit(nothing, nothing, nothing)
    return Audit(_outputs(_part(told, "outputs")), _caching(one, _part(told, "caching")), _clock(_part(told, "clock")))


def _why(one: Round) -> str:
    return f"{one.code or one.outcome}: {one.reason}" if one.outcome != "ok" else "the round told nothing of it"


def _part(told: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = told.get(key)
    return found if isinstance(found, Mapping) else {}


def _outputs(told: Mapping[str, Any]) -> Check:
    keys = ("answers", "same_bytes", "not_kept", "different", "furthest", "within")
    numbers = {key: value for key in keys if _is_number(value := told.get(key))}
    if "within" not in numbers:
        return Check("not_possible", "the answers were not compared")
    if numbers.get("different"):
        of_all = f"{numbers['different']} of {numbers['answers']} answers are not the single run's"
        return Check("failed", f"{of_all}: {told.get('reason')}", numbers)
    if numbers.get("not_kept"):
        reason = f"{numbers['not_kept']} answers of an earlier sitting are other bytes, which were not kept"
        return Check("not_possible", reason, numbers)
    if not numbers.get("answers"):
        return Check("not_possible", "no timed round has told its answer", numbers)
    return Check("passed", None, numbers)


def _caching(one: Round, told: Mapping[str, Any]) -> Check:
    """By pairs, so that what drifts falls on both of a pair alike; short runs are added up until a clock sees them."""
    compared, same = (value if _is_number(value := told.get(key)) else 0 for key in ("compared", "same"))
    step_ns = one.provenance.get("clock_step_ns")
    least_ns = _STEPS * step_ns if _is_number(step_ns) else 0
    ratios = _ratios(one.per_run_ns("repeated"), one.per_run_ns("varied"), least_ns)
    numbers: dict[str, Number] = {"compared": compared, "same_answers": same, "pairs": len(ratios)}
    if compared and same:
        reason = (
            f"{same} of {compared} other inputs got the very answer of the frozen ones: kept, or of no input at all"
        )
        return Check("failed", reason, numbers)
    if told.get("reason") and not ratios:
        return Check("not_possible", str(told["reason"]), numbers)
    if len(ratios) < LEAST_FOR_INTERVAL:
        return Check(
            "not_possible",
            f"pairs of runs that the clock can show: {len(ratios)}, an interval needs {LEAST_FOR_INTERVAL}",
            numbers,
        )
    low, high = median_interval(ratios) or (0.0, float("inf"))
    numbers |= {"ratio": median(ratios), "low": low, "high": high, "allowed": 1 - QUICKER_SHARE}
    if high < 1 - QUICKER_SHARE:
        reason = f"the same inputs again take {median(ratios):.3g} times as long as others ({low:.3g} to {high:.3g})"
        return Check("failed", reason, numbers)
    if low <= 1 - QUICKER_SHARE:
        return Check("not_possible", _UNDECIDED.format(low=low, high=high), numbers)
    if (why := _drowned(one)) is not None:
        return Check("not_possible", why, numbers)
    return Check("passed", None, numbers)


def _ratios(repeated: Sequence[float], varied: Sequence[float], least_ns: float) -> list[float]:
    """repeated ÷ varied, one for each run of neighbouring pairs in which both last so long."""
    found, again, other = [], 0.0, 0.0
    for one, another in zip(repeated, varied, strict=False):  # a Round that was cut short may lack its last half pair
        again, other = again + one, other + another
        # A cache may answer in no time at all: then the other one's length is enough.
        if other > 0 and other >= least_ns:
            found.append(again / other)
            again = other = 0.0
    return found


def _drowned(one: Round) -> str | None:
    """Where waiting takes most of a run, two runs look alike whatever they do."""
    floor_ns, taken = one.provenance.get("wait_floor_ns"), one.per_run_ns("varied")
    if not _is_number(floor_ns) or not taken or floor_ns < FLOOR_SHARE * median(taken):
        return None
    return f"the wait itself takes {floor_ns / median(taken):.0%} of a run: what is computed cannot be told from it"


def _clock(told: Mapping[str, Any]) -> Check:
    """By two ticks, one of the first third and one of the last, those whose messages were the quickest of theirs."""
    found = told.get("ticks")
    ticks = [tick for tick in found if _is_tick(tick)] if isinstance(found, list | tuple) else []
    if len(ticks) < LEAST_TICKS:
        return Check("not_possible", f"{len(ticks)} readings of two clocks", {"ticks": len(ticks)})
    third = len(ticks) // 3
    early = min(ticks[:third], key=lambda tick: tick[2] - tick[0])
    late = min(ticks[-third:], key=lambda tick: tick[2] - tick[0])
    said_ns, second_ns, heard_ns = (after - before for before, after in zip(early, late, strict=True))
    numbers: dict[str, Number] = {"ticks": len(ticks), "span_ms": heard_ns / 1e6}
    if heard_ns < LEAST_SPAN_NS:
        return Check("not_possible", f"two clocks were held together for {heard_ns / 1e9:.2g} s only", numbers)
    numbers |= {"speed": said_ns / heard_ns, "second_speed": second_ns / heard_ns, "allowed": CLOCK_SHARE}
    if abs(said_ns / heard_ns - 1) > CLOCK_SHARE:
        reason = f"the clock that times goes {said_ns / heard_ns:.3f} times as fast as the conductor's"
        return Check("failed", reason, numbers)
    return Check("passed", None, numbers)


def _is_tick(value: Any) -> TypeGuard[Sequence[float]]:
    return isinstance(value, list | tuple) and len(value) == 3 and all(_is_number(each) for each in value)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
