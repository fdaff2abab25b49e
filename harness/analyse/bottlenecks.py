"""Where a Case's time goes: its profile as shares of the profiled wall time, and what the profiler cost. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.rounds import Round
from harness.core.units import ms


@dataclass(frozen=True)
class OperatorShare:
    """One type of operator on one device, per run; `share` is of the profiled wall time of a run."""

    operator: str
    device: str
    calls: float
    duration_ms: float
    share: float
    fallback: bool


@dataclass(frozen=True)
class Bottlenecks:
    """`wall_ms` and `plain_ms` are means of a run with and without the profiler, in the same process: of medians the
    operators' times would be no parts.

    `operators_ms` is what the operators' times add up to per run. It can be less than the wall (what the runtime does
    between operators, and what this profiler does not see), or more (operators beside each other on several threads).
    """

    source: str
    runs: int
    wall_ms: float
    plain_ms: float
    operators_ms: float
    operators: tuple[OperatorShare, ...]

    @property
    def profiler_cost(self) -> float:
        """How many times as long a run takes under the profiler."""
        return self.wall_ms / self.plain_ms

    @property
    def seen_share(self) -> float:
        """How much of the profiled wall time the operators account for."""
        return self.operators_ms / self.wall_ms


def bottlenecks(rounds: Sequence[Round]) -> Bottlenecks | None:
    """Of the latest profile among a Case's Rounds, the longest operators first; None where there is none, or where its
    Round failed: a wrong answer's operators say nothing."""
    profiled = [one for one in rounds if one.profile is not None and one.outcome == "ok"]
    if not profiled:
        return None
    one = profiled[-1]
    wall, plain = one.per_run_ns("profiled"), one.per_run_ns("unprofiled")
    if one.profile is None or not wall or not plain or not sum(wall) or not sum(plain):
        return None
    runs = one.profile.runs
    mean_ns = sum(wall) / len(wall)
    shares = [
        OperatorShare(
            each.operator, each.device, each.count / runs, ms(each.self_ns / runs), each.self_ns / runs / mean_ns,
            each.fallback,
        )
        for each in one.profile.operators
    ]  # fmt: skip
    total_ms = sum(each.duration_ms for each in shares)
    ordered = tuple(sorted(shares, key=lambda each: -each.duration_ms))
    return Bottlenecks(one.profile.source, runs, ms(mean_ns), ms(sum(plain) / len(plain)), total_ms, ordered)


def profiles_of(rounds: Sequence[Round]) -> dict[str, Bottlenecks]:
    """case_id → where its time goes, of every Case that was profiled."""
    by_case: dict[str, list[Round]] = {}
    for one in rounds:
        by_case.setdefault(one.case_id, []).append(one)
    return {case_id: found for case_id, mine in by_case.items() if (found := bottlenecks(mine)) is not None}
