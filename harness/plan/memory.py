"""How much memory a Case needs: an estimate before anything has run, better ones from what ran; and what has no room.

Before: a process's own share + copies of the weights while loading. Activations are not in it, since nobody knows them
yet, so for a worker it is too low rather than too high. Of a page it is the sum over the browser's processes, in which
shared pages count several times. A Case is refused only where it is *clearly* beyond what is there.
After: memory is a fixed part and a part per item, so two measured sizes of a group give a line, and one the least.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness import catalog
from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.core.units import human_bytes
from harness.metrics.device_memory_mb import DEVICE_PEAK
from harness.metrics.peak_memory_mb import SOURCES
from harness.plan.order import at_size, not_smaller, same_group
from harness.plan.sizes import parameters_of

# An estimate must not refuse what would fit. Full BERT's peaks lie within 3 % of what is said below, which was made
# from them, but other models will do otherwise; and a line through two batches bends at an allocator's steps.
CLEARLY = 1.25
# int4 has a scale of half precision for each block of 32.
_BYTES_PER_WEIGHT = {
    "fp32": 4.0, "fp16": 2.0, "bf16": 2.0, "int8": 1.0, "int8-static": 1.0, "int4": 0.5625, "q4f16": 0.5625,
}  # fmt: skip


class Loading(NamedTuple):
    """What a process holds before any model, and how many copies of the weights at its peak while it loads."""

    base_bytes: int
    copies: float


# From peaks of BERT, tiny and full (438 MB of weights in fp32), batch 1, length 128: the base is the tiny one's peak.
_LOADING = {
    "pytorch": Loading(425_000_000, 1.0),  # 426 → 875 MB: the mapped file's pages become the module's weights
    "onnxruntime": Loading(75_000_000, 0.9),  # 76 → 477 MB: what is packed for the kernels is no longer kept as it came
    "ort_web": Loading(665_000_000, 2.3),  # 666 → 1,693 MB, the browser's tree: what was downloaded, and wasm's own
}
# Of a backend that was not measured: one copy is the least that any can hold.
_UNKNOWN_LOADING = Loading(0, 1.0)
_IN_MAIN_MEMORY = ("cpu", "wasm")
# The exporter holds the module and the graph that it makes of it, both in fp32: 564 → 1,413 MB.
_EXPORTING = Loading(560_000_000, 1.9)


class Measured(NamedTuple):
    """A Case that ran, and the most memory that one of its Rounds took."""

    case: Case
    peak_bytes: int


def run_estimate_bytes(case: Case) -> int | None:
    """What running needs at least of the machine's memory, before anything was measured; None where that is not known:
    of models without a size, and of devices with a memory of their own."""
    parameters = parameters_of(case.model)
    if parameters is None or case.device not in _IN_MAIN_MEMORY:
        return None
    backend = catalog.backends()[case.backend]
    read = backend.reads.get(case.precision, case.precision)
    loading = _LOADING.get(case.backend, _UNKNOWN_LOADING)
    return round(loading.base_bytes + loading.copies * parameters * _BYTES_PER_WEIGHT.get(read, 0.5))


def export_estimate_bytes(case: Case) -> int | None:
    """What making its Artifact needs at least; None where that is not known. Whatever the precision, it begins with
    fp32; a bare graph is there already, and only its reference is computed."""
    parameters = parameters_of(case.model)
    if parameters is None:
        return None
    if case.model.kind == "onnx":
        return round(_LOADING["onnxruntime"].base_bytes + parameters * _BYTES_PER_WEIGHT["fp32"])
    return round(_EXPORTING.base_bytes + _EXPORTING.copies * parameters * _BYTES_PER_WEIGHT["fp32"])


def measured_in(history: Sequence[Round], by_id: Mapping[str, Case]) -> list[Measured]:
    """Each Case's highest peak over its Rounds that timed, from one source: the one that is shown; of a device with a
    memory of its own, that memory's."""
    peaks: dict[str, int] = {}
    for round_ in history:
        own = [size for source, size in round_.memory_bytes.items() if source.startswith(DEVICE_PEAK)]
        host = [round_.memory_bytes[source] for source in SOURCES if source in round_.memory_bytes]
        sizes = [max(own)] if own else host
        if sizes and round_.purpose == "timing" and round_.outcome != "unsupported":
            peaks[round_.case_id] = max(peaks.get(round_.case_id, 0), sizes[0])
    return [Measured(by_id[case_id], peak) for case_id, peak in peaks.items() if case_id in by_id]


def predicted_bytes(case: Case, measured: Sequence[Measured]) -> int | None:
    """What the Case will need, from smaller Cases of its group that ran; None where none did.

    The line through the two nearest that differ from it in the same one size (batch, else length). With one alone its
    own peak: at least so much.
    """
    smaller = _smaller(case, measured)
    if not smaller:
        return None
    by_batch = sorted((one.case.batch_size, one.peak_bytes) for one in smaller if one.case.length == case.length)
    by_length = sorted(
        (one.case.length or 0, one.peak_bytes) for one in smaller if one.case.batch_size == case.batch_size
    )
    for points, size in ((by_batch, case.batch_size), (by_length, case.length or 0)):
        if len(points) >= 2:
            (x1, y1), (x2, y2) = points[-2:]
            per_item = max(0.0, (y2 - y1) / (x2 - x1))  # noise does not make the larger one smaller
            return round(y2 + per_item * (size - x2))
    nearest = max(smaller, key=lambda one: one.case.batch_size * (one.case.length or 1))
    return nearest.peak_bytes


def needed_bytes(case: Case, measured: Sequence[Measured] = ()) -> int | None:
    """The best that is known of what running the Case needs: from what ran, else the estimate."""
    predicted = predicted_bytes(case, measured)
    return run_estimate_bytes(case) if predicted is None else predicted


def no_room_to_run(case: Case, measured: Sequence[Measured], available_bytes: int) -> str | None:
    """Why the Case is not started, given the memory that is available; None where it may fit."""
    needed = needed_bytes(case, measured) if case.device in _IN_MAIN_MEMORY else None
    if needed is None or needed <= CLEARLY * available_bytes:
        return None
    return f"needs about {human_bytes(needed)}, {human_bytes(available_bytes)} are available: not started"


def no_room_to_export(case: Case, available_bytes: int) -> str | None:
    """Why its Artifact is not made, given the memory that is available; None where it may fit."""
    needed = export_estimate_bytes(case)
    if needed is None or needed <= CLEARLY * available_bytes:
        return None
    cut = "; --layers N keeps its width and cuts its depth" if case.model.kind == "architecture" else ""
    there = f"{human_bytes(available_bytes)} are available"
    return f"exporting it needs about {human_bytes(needed)}, {there}: not started{cut}"


def smaller_was_over(case: Case, measured: Sequence[Measured], limit_bytes: int) -> str | None:
    """Why a search does not try the Case where a smaller one was measured to be over the limit."""
    over = [one for one in _smaller(case, measured) if one.peak_bytes > limit_bytes]
    if not over:
        return None
    least = min(over, key=lambda one: one.peak_bytes)
    took = f"at {at_size(least.case)} it took {human_bytes(least.peak_bytes)}"
    return f"not tried: {took}, more than the limit of {human_bytes(limit_bytes)}"


def will_be_over(case: Case, measured: Sequence[Measured], limit_bytes: int) -> str | None:
    """Why a search does not try the Case where it will be over the limit, clearly, by the best that is known."""
    needed = needed_bytes(case, measured)
    if needed is None or needed <= CLEARLY * limit_bytes:
        return None
    known_from = "what smaller ones took" if _smaller(case, measured) else "the size of its weights"
    said = f"not tried: by {known_from} it needs about {human_bytes(needed)}"
    return f"{said}, clearly more than the limit of {human_bytes(limit_bytes)}"


def _smaller(case: Case, measured: Sequence[Measured]) -> list[Measured]:
    """Those of the Case's group that are smaller in batch or length, and larger in neither."""
    among = [one for one in measured if same_group(case, one.case) and not_smaller(case, one.case)]
    return [one for one in among if not not_smaller(one.case, case)]
