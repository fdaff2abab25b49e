"""Where things lie, who does the work, who looks on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.core.events import Event
from harness.core.nouns import ArtifactRequest, Plan, PlannedRound
from harness.core.rounds import CaseResult, Round
from harness.execute.doors import Reception
from harness.execute.executor import Executor, Lingers, Probes
from harness.execute.seeing import NOBODY, Seeing
from harness.export.process import RunWorker, run_worker
from harness.measure.host import memory_of_tree, reset_peaks_of_tree
from harness.measure.usage import usage_since

_PROBES = Probes(memory_of_tree, reset_peaks_of_tree, usage_since)


class Watcher(Protocol):
    """Who looks on: told of every step, never asked. All methods return at once."""

    def started(self, run_id: str, plan: Plan, rounds_done: int) -> None: ...
    def exporting(self, request: ArtifactRequest, text: str) -> None: ...
    def fetching(self, text: str) -> None: ...
    def round_started(self, planned: PlannedRound, total: int) -> None: ...
    def heard(self, event: Event) -> None: ...
    def round_ended(self, round_: Round, result: CaseResult) -> None: ...
    def warned(self, text: str) -> None: ...
    def invited(self, device: str, urls: Sequence[str]) -> None: ...
    def arrived(self, device: str, who: str) -> None: ...


@dataclass(frozen=True)
class Workplace:
    """Where things lie and who does the work; `export` speaks with the exporter."""

    database: Path
    executors: Mapping[str, Executor]  # "native", "page"
    watcher: Watcher
    seeing: Seeing = NOBODY
    export: RunWorker = run_worker

    @property
    def artifacts(self) -> Path:
        return self.database.parent / "artifacts"

    async def linger(self) -> None:
        """Wait for the person who looks at what the latest Round left open, if anything."""
        for executor in self.executors.values():
            if isinstance(executor, Lingers):
                await executor.linger()


class RealExecutors(dict[str, Executor]):
    """Side → who does the work there, made when it is first asked for: a native sweep imports nothing that only
    browsers need."""

    def __init__(self, seeing: Seeing = NOBODY, reception: Reception | None = None) -> None:
        super().__init__()
        self._seeing, self._reception = seeing, reception

    def __missing__(self, side: str) -> Executor:
        if side == "native":
            from harness.execute.native import NativeExecutor

            self[side] = NativeExecutor(_PROBES)
        else:
            from harness.execute.page import PageExecutor

            self[side] = PageExecutor(_PROBES, reception=self._reception, seeing=self._seeing)
        return self[side]
