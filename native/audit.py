"""The Round that audits: one single run, then the frozen inputs by turns with others, under two clocks.

Twin of `browser_assets/audit.js`. It tells what it saw and judges nothing: `harness/analyse/audit.py` does.

    outputs first   of one single run in this fresh process, before anything else: what accuracy is judged by
    repeated        Samples of the frozen inputs, each right after another run of them
    varied          Samples of inputs never seen before, each right after another such run; the i-th of both are a pair,
                    whose order is drawn
    progress        `clock_ns`, `second_ns`: two clocks of this process since it began, for the conductor to hold its
                    own against
    provenance      audit.caching: how many varied answers were compared with the frozen one, how many were the same
    outputs last    of the frozen inputs again, after all others
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from harness.core.events import CaseMessage, Event, Note, Outputs, Samples
from native.loop import Clock
from native.seam import Session, TakesInputs, as_outcome, read_inputs
from native.varied import Draws, Inputs, Varied

Emit = Callable[[Event], None]
Deliver = Callable[[str], Outputs]
# Two clocks are held against each other for at least so long: what a message needs is then far below a hundredth.
LEAST_STRETCH_NS = 3_000_000_000
TICKS = 40
# Of a Round's slice; where a slow model would have too few pairs, so many slices at most.
SHARE = 0.5
MOST_SLICES = 4
WARM = 5
ENOUGH_PAIRS = 12
MOST_PAIRS = 1_000
MOST_COMPARED = 8
_IDLE_S = 0.05
_NO_OTHERS = "this backend takes no inputs but those of its own"
_NO_MORE = "there are no more inputs that differ"
_NONE_VARY = "no input may be varied: masks, positions and sizes alone, or the same number everywhere"


def audit_runs(session: Session, message: CaseMessage, clock: Clock, emit: Emit, deliver: Deliver) -> list[Outputs]:
    """Gives the outputs of the first and the last run, to be told. What a run of the frozen inputs raises passes."""
    session.run()
    delivered = [deliver("first")]
    watch = _Watch(clock, emit, stretch_ns=round(max(LEAST_STRETCH_NS, SHARE * message.policy.slice_ns)))
    audit = _Audit(session, watch, read_inputs(message) if isinstance(session, TakesInputs) else {})
    audit.warm()
    limit_ns = max(watch.stretch_ns, MOST_SLICES * message.policy.slice_ns)
    while not audit.enough(limit_ns):
        audit.pair()
    audit.run(audit.frozen)
    delivered.append(deliver("last"))
    while watch.elapsed_ns() < LEAST_STRETCH_NS:
        time.sleep(_IDLE_S)
        watch.tick()
    watch.flush()
    data = {"audit": {"caching": audit.told(), "second_clock": second_clock()}}
    emit(Note(kind="provenance", text="audited", data=data))
    return delivered


def second_clock() -> str:
    return "CLOCK_MONOTONIC_RAW" if hasattr(time, "CLOCK_MONOTONIC_RAW") else "monotonic"


def _second_ns() -> int:
    """Not disciplined by a time server, where there is such a clock; `perf_counter` is."""
    if hasattr(time, "CLOCK_MONOTONIC_RAW"):
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    return time.monotonic_ns()


@dataclass
class _Watch:
    """Tells now and then what the clocks show, and the Samples since."""

    clock: Clock
    emit: Emit
    stretch_ns: int
    pending: dict[str, list[int]] = field(default_factory=lambda: {"repeated": [], "varied": []})

    def __post_init__(self) -> None:
        self._began = (self.clock.now(), _second_ns())
        self._ticked_ns = -self.stretch_ns

    def elapsed_ns(self) -> int:
        return self.clock.now() - self._began[0]

    def tick(self) -> None:
        """Never in a timed region."""
        clock_ns, second_ns = self.elapsed_ns(), _second_ns() - self._began[1]
        if clock_ns - self._ticked_ns < self.stretch_ns / TICKS:
            return
        self._ticked_ns = clock_ns
        self.emit(Note(kind="progress", text="clocks", data={"clock_ns": clock_ns, "second_ns": second_ns}))
        self.flush()

    def flush(self) -> None:
        for phase, durations in self.pending.items():
            if durations:
                self.emit(Samples(phase=phase, clock=self.clock.name, runs_per_sample=1, durations_ns=tuple(durations)))
                durations.clear()


@dataclass
class _Audit:
    session: Session
    watch: _Watch
    frozen: Inputs
    pairs: int = 0
    compared: int = 0
    same: int = 0
    no_others: str | None = None
    others: Varied = field(init=False)
    _answer: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.others = Varied(self.frozen, Draws())
        if not isinstance(self.session, TakesInputs):
            self.no_others = _NO_OTHERS
        elif not self.others.names:
            self.no_others = _NONE_VARY

    def told(self) -> dict[str, Any]:
        return {"compared": self.compared, "same": self.same, "reason": self.no_others}

    def warm(self) -> None:
        for _ in range(WARM):
            self.run(self.frozen)
        self._answer = self._bytes()

    def run(self, inputs: Inputs) -> int:
        """One run on these inputs, in nanoseconds."""
        taken = self.timed(inputs)
        self.watch.tick()
        return taken

    def timed(self, inputs: Inputs) -> int:
        session, now = self.session, self.watch.clock.now
        if isinstance(session, TakesInputs):
            session.give(inputs)
        session.drop_outputs()
        started = now()
        session.run()
        return now() - started

    def enough(self, limit_ns: int) -> bool:
        elapsed_ns = self.watch.elapsed_ns()
        if self.pairs >= ENOUGH_PAIRS and elapsed_ns >= self.watch.stretch_ns:
            return True
        return self.pairs >= MOST_PAIRS or elapsed_ns >= limit_ns

    def pair(self) -> None:
        """Both of a pair, in a drawn order; the frozen inputs alone where there are no others."""
        self.pairs += 1
        drawn = self._drawn()
        frozen_first = drawn is None or self.others.draws.below(2) == 0
        if frozen_first:
            self._repeat()
        if drawn is not None:
            self._vary(*drawn)
        if not frozen_first:
            self._repeat()

    def _drawn(self) -> tuple[Inputs, Inputs] | None:
        if self.no_others is not None:
            return None
        before, timed = self.others.next(), self.others.next()
        if before is None or timed is None:
            self.no_others = _NO_MORE
            return None
        return before, timed

    def _repeat(self) -> None:
        self.timed(self.frozen)
        self.watch.pending["repeated"].append(self.timed(self.frozen))
        self.watch.tick()

    def _vary(self, before: Inputs, timed: Inputs) -> None:
        """Both are new, as what is repeated has been there twice: a memory of one answer is no help here."""
        try:
            self.timed(before)
            self.watch.pending["varied"].append(self.timed(timed))
        except Exception as error:  # whatever a library raises for inputs that our rule should not have made
            self.no_others = f"the varied inputs were refused: {as_outcome('inference_failed', error)}"
            return
        if self.compared < MOST_COMPARED:
            self.compared += 1
            self.same += self._bytes() == self._answer
        self.watch.tick()

    def _bytes(self) -> list[bytes]:
        return [array.tobytes() for _, array in self.session.outputs()]
