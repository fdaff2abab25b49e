"""Readers of other tools' results: ONE FILE = ONE FOREIGN FORMAT, a literal `DESCRIBE` and pure functions; no I/O.

A reader has `recognise(content)`, whether parsed JSON is of its format, and `read(source)`, what it says. A value that
the file does not give stays None: nothing here may guess. Here is what the readers share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.core.foreign import At
from harness.core.imported import UNKNOWN
from harness.core.nouns import Outcome


@dataclass(frozen=True)
class Source:
    """A file as it was parsed; `beside` holds those that its format wants from the same folder, by name."""

    file: str
    content: Any
    beside: Mapping[str, Any] = field(default_factory=dict)

    @property
    def top(self) -> At:
        return At(self.file, "$", self.content)


@dataclass(frozen=True)
class ForeignSamples:
    """Raw observations of one phase, in nanoseconds, in the order of the file; `clock` as the tool names it."""

    durations_ns: tuple[int, ...]
    clock: str = UNKNOWN


@dataclass(frozen=True)
class ForeignPoint:
    """One point of a foreign file. None: the file does not say; but of `browser` None means that there was none.

    `told` are summaries, by the names of our metrics and in their units; `more` is kept as it is.
    """

    model: str
    platform: str | None = None
    mode: Literal["inference", "training"] | None = None
    task: str | None = None
    backend: str | None = None
    device: str | None = None
    browser: str | None = UNKNOWN
    precision: str | None = None
    batch_size: int | None = None
    length: int | None = None
    threads: int | None = None
    model_type: str | None = None
    revision: str | None = None
    weights: Literal["pretrained", "random"] | None = None
    family: str | None = None
    options: Mapping[str, str | bool] = field(default_factory=dict)
    runtime: Mapping[str, str] = field(default_factory=dict)
    browser_version: str | None = None
    samples: Mapping[str, ForeignSamples] = field(default_factory=dict)
    phases_ns: Mapping[str, int] = field(default_factory=dict)
    memory_bytes: Mapping[str, int] = field(default_factory=dict)
    told: Mapping[str, float] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    software: bool | None = None
    fallback_share: float | None = None
    doubts: Sequence[str] = ()
    outcome: Outcome = "ok"
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Foreign:
    """All that one file says. `machine` is its own description of where it was measured, empty where there is none."""

    tool: str
    version: str | None
    points: Sequence[ForeignPoint]
    machine: Mapping[str, Any] = field(default_factory=dict)
    measured_at: str | None = None
    run_id: str | None = None
