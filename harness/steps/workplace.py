"""Where things lie, who does the work, who looks on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.core.events import Event
from harness.core.nouns import ArtifactRequest, Plan, PlannedRound
from harness.core.rounds import CaseResult, Round
from harness.execute.executor import Executor
from harness.measure.host import memory_of_tree


class Watcher(Protocol):
    """Who looks on: told of every step, never asked. All methods return at once."""

    def started(self, run_id: str, plan: Plan) -> None: ...
    def exporting(self, request: ArtifactRequest, text: str) -> None: ...
    def round_started(self, planned: PlannedRound, total: int) -> None: ...
    def heard(self, event: Event) -> None: ...
    def round_ended(self, round_: Round, result: CaseResult) -> None: ...
    def warned(self, text: str) -> None: ...


@dataclass(frozen=True)
class Workplace:
    """Where things lie and who does the work."""

    database: Path
    executors: Mapping[str, Executor]  # "native", "page"
    watcher: Watcher

    @property
    def artifacts(self) -> Path:
        return self.database.parent / "artifacts"


def real_executors(sides: set[str]) -> dict[str, Executor]:
    """The executors of these sides; a native sweep imports nothing that only browsers need."""
    found: dict[str, Executor] = {}
    if "native" in sides:
        from harness.execute.native import NativeExecutor

        found["native"] = NativeExecutor(memory_of_tree)
    if "page" in sides:
        from harness.execute.page import PageExecutor

        found["page"] = PageExecutor(memory_of_tree)
    return found
