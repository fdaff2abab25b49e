"""Clocks around the real parts of a Round: a Watcher that notes when what was heard, and calls that time themselves."""

import functools
import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from harness.core.events import Event
from harness.core.nouns import ArtifactRequest, Plan, PlannedRound
from harness.core.rounds import CaseResult, Round


@dataclass
class RoundClock:
    """One Round on one clock, in seconds: its limits, its Events, and how long the calls within it took."""

    planned: PlannedRound
    began_s: float
    ended_s: float = 0.0
    events: list[tuple[float, Event]] = field(default_factory=list)
    calls: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    trouble: str | None = None  # why it was not ok

    def spent_s(self, call: str) -> float:
        return sum(ended - began for began, ended in self.calls.get(call, ()))

    def heard_s(self, kind: str, phase: str | None = None) -> float:
        """When the first such Event was heard."""
        return next(
            at
            for at, event in self.events
            if event.event == kind and (phase is None or getattr(event, "phase", None) == phase)
        )

    def phase_s(self, name: str) -> float:
        """How long a phase took, in the worker's or the page's own words."""
        found = [event for _, event in self.events if event.event == "phase" and event.phase == name]
        return sum(event.duration_ns for event in found) / 1e9


class RoundWatcher:
    """A Watcher with a clock: told of every step, it writes down when."""

    def __init__(self, say: Callable[[str], None] = lambda _: None) -> None:
        self.rounds: list[RoundClock] = []
        self._say = say

    def started(self, run_id: str, plan: Plan, rounds_done: int) -> None: ...

    def exporting(self, request: ArtifactRequest, text: str) -> None: ...
    def fetching(self, text: str) -> None: ...

    def round_started(self, planned: PlannedRound, total: int) -> None:
        self.rounds.append(RoundClock(planned, time.perf_counter()))

    def heard(self, event: Event) -> None:
        self.rounds[-1].events.append((time.perf_counter(), event))

    def round_ended(self, round_: Round, result: CaseResult) -> None:
        self.rounds[-1].ended_s = time.perf_counter()
        if round_.outcome != "ok":
            self.rounds[-1].trouble = f"{round_.outcome}: {round_.reason}"
        self._say(f"{self.rounds[-1].planned.case.slug} #{round_.number}: {round_.outcome}")

    def warned(self, text: str) -> None:
        self._say(f"warning: {text}")

    def invited(self, device: str, urls: Sequence[str]) -> None: ...

    def arrived(self, device: str, who: str) -> None: ...

    @contextmanager
    def timing(self, owner: Any, name: str) -> Iterator[None]:
        """The real `owner.name`, which also writes down in the Round under way when it began and ended."""
        real = getattr(owner, name)

        def note(began: float) -> None:
            if self.rounds:
                self.rounds[-1].calls.setdefault(name, []).append((began, time.perf_counter()))

        @functools.wraps(real)
        async def waited(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return await real(*args, **kwargs)
            finally:
                note(began)

        @functools.wraps(real)
        def called(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return real(*args, **kwargs)
            finally:
                note(began)

        setattr(owner, name, waited if inspect.iscoroutinefunction(real) else called)
        try:
            yield
        finally:
            setattr(owner, name, real)
