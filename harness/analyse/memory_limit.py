"""The largest batch that fits a budget of memory, per precision, and the best choice: from what was measured alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.core.nouns import Case
from harness.core.rounds import CaseResult
from harness.core.units import BYTES_PER_MB

Results = Sequence[tuple[Case, CaseResult]]


@dataclass(frozen=True)
class Fit:
    """The largest that fits of one model, place and precision; `result` is null where not even the smallest does.

    `after` is the next larger one and what came of it; null where nothing larger was asked for.
    """

    case: Case
    result: CaseResult | None
    after: tuple[Case, CaseResult] | None

    def nothing_fits(self, limit_bytes: int) -> bool:
        """Whether even the smallest was measured to be over the limit: else nobody knows."""
        peak_mb = None if self.after is None else peak_mb_of(self.after[1])
        return self.result is None and peak_mb is not None and peak_mb * BYTES_PER_MB > limit_bytes

    def why_not_more(self, limit_bytes: int) -> str:
        """What forbids the next larger batch, in the words of whoever said no."""
        if self.after is None:
            return "no larger batch was asked for"
        result = self.after[1]
        peak = peak_mb_of(result)
        if result.outcome == "ok" and peak is not None and peak * BYTES_PER_MB > limit_bytes:
            return "measured: over the limit"
        if result.outcome == "ok":
            return "its answer was not checked" if peak is not None else "its memory could not be measured"
        return result.reason or result.outcome


def peak_mb_of(result: CaseResult) -> float | None:
    """The memory that is limited: of a device with a memory of its own that one, else the process's."""
    device_mb = result.metrics.get("device_memory_mb")
    return result.metrics.get("peak_memory_mb") if device_mb is None else device_mb


def fits(results: Results, limit_bytes: int) -> list[Fit]:
    """One for each group of points that differ in batch alone, in the Plan's order. Only what ran, was right and whose
    peak was measured can fit. A platform that refused all of a group has no Fit: its reason stands in the table.
    """
    return [_fit(points, limit_bytes) for points in _groups(results) if any(_ran(result) for _, result in points)]


def best_choices(results: Results, limit_bytes: int) -> list[tuple[Case, CaseResult]]:
    """The highest throughput of each model in each place at each length, of any precision and batch that fits. It need
    not be at the largest batch."""
    rivals: dict[str, list[tuple[Case, CaseResult]]] = {}
    for case, result in results:
        if _is_inside(result, limit_bytes):
            place = case.model_copy(update={"batch_size": 1, "precision": "fp32"}).case_id
            rivals.setdefault(place, []).append((case, result))
    return [max(points, key=lambda point: _throughput(point[1])) for points in rivals.values()]


def _groups(results: Results) -> Iterable[list[tuple[Case, CaseResult]]]:
    groups: dict[str, list[tuple[Case, CaseResult]]] = {}
    for case, result in results:
        groups.setdefault(case.model_copy(update={"batch_size": 1}).case_id, []).append((case, result))
    return [sorted(points, key=lambda point: point[0].batch_size) for points in groups.values()]


def _ran(result: CaseResult) -> bool:
    """Or was refused for its size."""
    return result.outcome != "unsupported" or result.code is not None


def _fit(points: list[tuple[Case, CaseResult]], limit_bytes: int) -> Fit:
    inside = [index for index, (_, result) in enumerate(points) if _is_inside(result, limit_bytes)]
    if not inside:
        return Fit(points[0][0], None, points[0])
    largest = inside[-1]
    after = points[largest + 1] if largest + 1 < len(points) else None
    return Fit(*points[largest], after)


def _is_inside(result: CaseResult, limit_bytes: int) -> bool:
    peak_mb = peak_mb_of(result)
    return result.is_right and peak_mb is not None and peak_mb * BYTES_PER_MB <= limit_bytes


def _throughput(result: CaseResult) -> float:
    return result.metrics.get("throughput_items_per_second") or 0.0
