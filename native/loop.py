"""The timing loop of a Round: first, warm, sample. Twin of `browser_assets/loop.js`.

The twins obey one rule and emit the same Events for the same clock; `tests/golden` holds them to it, to the bit. So a
change here is a change there, in the same order of operations: all decisions are made with integers below 2^53
and IEEE doubles. Nothing but the work lies between the two readings of the clock.
"""

import gc
import math
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from harness.core.events import Event, Phase, Samples
from harness.core.nouns import LoopPolicy

# 95 % of a normal; the median's standard error over the mean's; a normal's sigma over its MAD.
_HALF_WIDTH_PER_MAD = 1.96 * 1.2533 * 1.4826
# A sample aims above the least number of clock steps, and a try is good enough a little below that aim: the work may
# still become quicker (a just-in-time compiler), and were it the least itself, half of the samples would fall below it.
_HEADROOM = 1.5
_ENOUGH = 1.25
# How fast the runs per sample grow while not even one step of the clock was seen.
_BLIND_GROWTH = 10


@dataclass(frozen=True)
class Clock:
    """`now` gives nanoseconds from any origin; `step_ns` is the smallest difference it can show, as measured."""

    name: str
    step_ns: int
    now: Callable[[], int]


def _nothing() -> None:
    """The default of a hook."""


@dataclass(frozen=True)
class Work:
    """What is timed. Only `run` lies in the timed region.

    `after_first` keeps the outputs of the first run; `before_sample` drops those of the run before.
    """

    run: Callable[[], None]
    after_first: Callable[[], None] = _nothing
    before_sample: Callable[[], None] = _nothing


Emit = Callable[[Event], None]


def perf_counter_clock() -> Clock:
    """The finest clock Python has, with its step measured: the smallest difference of readings that differ."""
    readings = [time.perf_counter_ns() for _ in range(10_000)]
    steps = [later - earlier for earlier, later in pairwise(readings) if later > earlier]
    return Clock("perf_counter", min(steps, default=1), time.perf_counter_ns)


def run_loop(clock: Clock, work: Work, policy: LoopPolicy, emit: Emit) -> str:
    """Emit the phases `first`, `warm` and `sample`; returns the rule that stopped it.

    `budget`: the slice was used up (at least one sample is always taken); `narrow`: the median is known closely
    enough; `most_samples`. What `run` raises passes through, after the garbage collector is as it was.
    """
    with _no_garbage_collection():
        _first(clock, work, emit)
        began_ns = clock.now()
        typical_ns = _warm(clock, work, policy, emit)
        runs = _runs_per_sample(clock, work, policy, emit, _Warmed(began_ns, typical_ns))
        return _sample(clock, work, policy, emit, _Batched(began_ns, runs))


@dataclass(frozen=True)
class _Warmed:
    began_ns: int
    typical_ns: float


@dataclass(frozen=True)
class _Batched:
    began_ns: int
    runs: int


@dataclass
class _Record:
    """The samples of one phase, and which of them were sent: at most every `send_every_ns`."""

    phase: str
    clock: str
    runs: int
    send_every_ns: int
    emit: Emit
    sent_at_ns: int
    durations_ns: "array[int]" = field(default_factory=lambda: array("q"))
    sent: int = 0

    def add(self, duration_ns: int, at_ns: int) -> None:
        self.durations_ns.append(duration_ns)
        if at_ns - self.sent_at_ns >= self.send_every_ns:
            self.flush(at_ns)

    def flush(self, at_ns: int) -> None:
        if self.sent < len(self.durations_ns):
            batch = tuple(self.durations_ns[self.sent :])
            self.sent = len(self.durations_ns)
            self.sent_at_ns = at_ns
            self.emit(Samples(phase=self.phase, clock=self.clock, runs_per_sample=self.runs, durations_ns=batch))


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A collection costs milliseconds whenever it likes; what the model's load left behind need not be walked at all.

    Reference counting still frees what each run makes. The page cannot do the same: its pauses stay in the samples.
    """
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()


def _timed(clock: Clock, work: Work, runs: int) -> tuple[int, int]:
    """Duration of `runs` runs together and the moment they ended, both in nanoseconds."""
    work.before_sample()
    now, run = clock.now, work.run
    started = now()
    for _ in range(runs):
        run()
    ended = now()
    return ended - started, ended


def _first(clock: Clock, work: Work, emit: Emit) -> None:
    duration_ns, _ = _timed(clock, work, 1)
    work.after_first()
    emit(Phase(phase="first", duration_ns=duration_ns))


def _warm(clock: Clock, work: Work, policy: LoopPolicy, emit: Emit) -> float:
    """Run until steady, or until the share of the slice is used; returns the median of the latest window in ns.

    The share wins over `warm_least`, so that a slow model has time left for its samples.
    """
    began_ns = clock.now()
    limit_ns = policy.warm_share * policy.slice_ns
    record = _Record("warm", clock.name, 1, policy.send_every_ns, emit, began_ns)
    durations = record.durations_ns
    steady = False
    while True:
        duration_ns, ended_ns = _timed(clock, work, 1)
        record.add(duration_ns, ended_ns)
        n = len(durations)
        ripe = n >= policy.warm_least and ended_ns - began_ns >= policy.warm_least_ns
        steady = ripe and _is_steady(durations, policy, clock.step_ns)
        if steady or ended_ns - began_ns >= limit_ns or n >= policy.most_samples:
            break
    record.flush(ended_ns)
    detail = {"steady": steady, "iterations": n}
    emit(Phase(phase="warm", duration_ns=ended_ns - began_ns, detail=detail))
    return _median(durations[-policy.steady_window :])


def _is_steady(durations: "array[int]", policy: LoopPolicy, step_ns: int) -> bool:
    """Whether two windows agree; a difference below one step of the clock is none."""
    window = policy.steady_window
    if len(durations) < 2 * window:
        return False
    earlier = _median(durations[-2 * window : -window])
    later = _median(durations[-window:])
    return abs(later - earlier) <= max(policy.steady_within * earlier, float(step_ns))


def _runs_per_sample(clock: Clock, work: Work, policy: LoopPolicy, emit: Emit, warmed: _Warmed) -> int:
    """How many runs make a sample that lasts `steps_per_sample` steps of the clock.

    A coarse clock shows a quick run as 0 or 1 step, and cannot show that it is steady. So the guess is tried, grown
    while it is too short, and tried until it is steady; the tries are part of the warm-up and are emitted as such.
    """
    target_ns = policy.steps_per_sample * clock.step_ns
    if warmed.typical_ns >= _ENOUGH * target_ns:
        return 1
    limit_ns = policy.warm_share * policy.slice_ns
    runs = _grown(1, warmed.typical_ns, target_ns)
    while True:
        record = _Record("warm", clock.name, runs, policy.send_every_ns, emit, clock.now())
        enough, over = True, False
        while enough and not over:
            duration_ns, ended_ns = _timed(clock, work, runs)
            record.add(duration_ns, ended_ns)
            enough = duration_ns >= _ENOUGH * target_ns
            elapsed_ns = ended_ns - warmed.began_ns
            over = elapsed_ns >= policy.slice_ns or (
                enough and (elapsed_ns >= limit_ns or _is_steady(record.durations_ns, policy, clock.step_ns))
            )
        record.flush(ended_ns)
        if over:
            return runs
        runs = _grown(runs, float(duration_ns), target_ns)


def _grown(runs: int, duration_ns: float, target_ns: int) -> int:
    if duration_ns <= 0:
        return runs * _BLIND_GROWTH
    return max(runs + 1, math.ceil(runs * _HEADROOM * target_ns / duration_ns))


def _sample(clock: Clock, work: Work, policy: LoopPolicy, emit: Emit, batched: _Batched) -> str:
    began_ns = clock.now()
    record = _Record("sample", clock.name, batched.runs, policy.send_every_ns, emit, began_ns)
    # Looked up once: what lies between two samples is time that a quick model does not get.
    add, durations, runs = record.add, record.durations_ns, batched.runs
    most_samples = policy.most_samples
    ends_at_ns = batched.began_ns + policy.slice_ns
    ripe_at_ns = began_ns + policy.least_time_ns
    check_at = policy.least_samples
    stopped_by = ""
    while not stopped_by:
        duration_ns, ended_ns = _timed(clock, work, runs)
        add(duration_ns, ended_ns)
        n = len(durations)
        if ended_ns >= ends_at_ns:
            stopped_by = "budget"
        elif n >= most_samples:
            stopped_by = "most_samples"
        elif n >= check_at and ended_ns >= ripe_at_ns:
            check_at = n + max(1, n // 4)
            if _is_narrow(record.durations_ns, clock.step_ns, policy.narrow_within):
                stopped_by = "narrow"
    record.flush(ended_ns)
    detail = {"samples": n, "runs_per_sample": batched.runs, "stopped_by": stopped_by}
    emit(Phase(phase="sample", duration_ns=ended_ns - began_ns, detail=detail))
    return stopped_by


def _is_narrow(durations: "array[int]", step_ns: int, narrow_within: float) -> bool:
    """Whether the median's 95 % interval is narrow, by normal approximation.

    A coarse clock can show the same number every time: the interval is then never taken for narrower than one step.
    """
    middle = _median(durations)
    if middle <= 0:
        return False
    mad = _median([abs(duration - middle) for duration in durations])
    half_width = max(_HALF_WIDTH_PER_MAD * mad / math.sqrt(len(durations)), float(step_ns))
    return half_width / middle <= narrow_within


def _median(values: "array[int] | list[float]") -> float:
    """Sum of the middle two, halved; not `core.statistics.median`, whose arithmetic the twin does not share."""
    ordered = sorted(values)
    n = len(ordered)
    return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
