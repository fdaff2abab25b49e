"""The executor seam: an Assignment in, Events out, whoever answers. A fake stands beside the real ones."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from harness.core.events import CaseMessage, Event
from harness.core.nouns import Artifact, Case, LoopPolicy, Outcome, Purpose

# process id of a worker or a browser's root → bytes by source
MemoryProbe = Callable[[int], dict[str, int]]
# process id of a browser's root → whether the high-water marks of all its processes begin anew
PeakReset = Callable[[int], bool]
# process id of a worker or a browser's root → a function that gives what was used since: {"cpu_cores": …, …}
UsageProbe = Callable[[int], Callable[[], Mapping[str, Any]]]


class Probes(NamedTuple):
    """How an executor asks the host about the processes it has started; the host's own room knows how."""

    memory: MemoryProbe
    reset_peaks: PeakReset | None = None
    usage: UsageProbe | None = None


@dataclass(frozen=True)
class Assignment:
    """One Round to do: everything an executor needs, and where the output bytes are to lie."""

    round_id: str
    case: Case
    artifact: Artifact
    artifact_dir: Path
    outputs_dir: Path
    policy: LoopPolicy
    silence_limit_s: float
    first_round: bool = True
    number: int = 1
    purpose: Purpose = "timing"

    def message(self, base: str, outputs_to: str, rehearse_for: str | None = None) -> CaseMessage:
        """The `case` message; `base` and `outputs_to` are folders for a worker, URL prefixes for a page."""
        return CaseMessage(
            round_id=self.round_id, case=self.case, artifact=self.artifact, base=base, outputs_to=outputs_to,
            policy=self.policy, purpose=self.purpose, first_round=self.first_round, rehearse_for=rehearse_for,
        )  # fmt: skip


class Executor(Protocol):
    """Yields a Round's Events; always ends with one of the last words, whatever happens to who answers."""

    def execute(self, assignment: Assignment) -> AsyncGenerator[Event, None]: ...

    async def close(self) -> None: ...


@runtime_checkable
class Lingers(Protocol):
    """An executor that may leave windows open after a Round, for a person to look at."""

    async def linger(self) -> None:
        """Until the person has closed them."""


class FakeExecutor:
    """Plays a script: what the pipeline's own tests run on, in no time and with no process."""

    def __init__(self, script: Callable[[Assignment], Sequence[Event]]) -> None:
        self._script = script
        self.assignments: list[Assignment] = []

    async def execute(self, assignment: Assignment) -> AsyncGenerator[Event, None]:
        self.assignments.append(assignment)
        for event in self._script(assignment):
            await asyncio.sleep(0)
            yield event

    async def close(self) -> None:
        return None


@dataclass(frozen=True)
class Invitation:
    """A device that is to open our URL, and what will be asked of it; "" is the device without a name."""

    device: str
    cases: tuple[str, ...]
    rounds: int


def as_its_device_sees(case: Case) -> str:
    """A Case in words for the device that is to do it, which knows who it is."""
    return case.model_copy(update={"browser": None, "browser_version": None}).slug


@runtime_checkable
class Inviting(Protocol):
    """An Executor for devices that come by themselves."""

    async def receive(
        self,
        invitations: Sequence[Invitation],
        invited: Callable[[str, Sequence[str]], None],
        arrived: Callable[[str, str], None],
    ) -> dict[str, str]:
        """Waits until all are here; gives device → why it is not. `invited` hears each device's URLs, the best first;
        `arrived` who came, in words."""
        ...

    async def wait_for_return(self, case: Case, say: Callable[[str], None]) -> None:
        """Wait for the Case's device, if it has one that is away; after it was waited for in vain, no more."""
        ...

    async def tell(self, case: Case, outcome: Outcome, reason: str | None) -> None:
        """Tell the Case's device, if it has one, how its Round ended."""
        ...
