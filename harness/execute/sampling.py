"""What a Round's processes use while they sample: read when the warm-up has ended, and again when the sampling has."""

from collections.abc import Callable, Mapping
from typing import Any

from harness.core.events import Note, Phase
from harness.execute.executor import UsageProbe


class SamplingUsage:
    """Hears a Round's phases. Both readings lie outside the timed regions; the first is a moment late, by the way that
    a message takes, which is nothing beside the least time of sampling."""

    def __init__(self, probe: UsageProbe | None) -> None:
        self._probe = probe
        self._so_far: Callable[[], Mapping[str, Any]] | None = None

    def heard(self, phase: Phase, pid: int) -> Note | None:
        """A note when the sampling has ended; `pid` is the root of the processes."""
        if self._probe is None:
            return None
        if phase.phase == "warm":
            self._so_far = self._probe(pid)
        if phase.phase != "sample" or self._so_far is None:
            return None
        return Note(kind="provenance", text="what sampling used", data={"usage": dict(self._so_far())})
