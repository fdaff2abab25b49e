"""One scripted scenario, played through both twins of the timing loop."""

import json
import math
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.core.events import Event
from harness.core.nouns import LoopPolicy
from native.loop import Clock, Work, run_loop


@dataclass(frozen=True)
class Script:
    """A clock that moves only as written: by each run, by each reading, by each emission; it shows multiples of grain.

    A reading that costs time makes the twins differ if one of them reads the clock once more than the other.
    """

    policy: LoopPolicy
    durations_ns: list[int]
    step_ns: int = 1
    grain_ns: int = 1
    read_ns: int = 40
    emit_ns: int = 13_000


class NodeTwin:
    """`browser_assets/loop.js` in one Node process for all scenarios of a test module."""

    def __enter__(self) -> "NodeTwin":
        command = ["node", str(Path(__file__).with_name("play.mjs"))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)

    def play(self, script: Script) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        line = json.dumps({**asdict(script), "policy": script.policy.model_dump()})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        return said


def play_python(script: Script) -> dict[str, Any]:
    """The same through `native/loop.py`."""
    time_ns = 0
    calls = {"run": 0, "after_first": 0, "before_sample": 0}
    events: list[dict[str, Any]] = []

    def now() -> int:
        nonlocal time_ns
        shown = math.floor(time_ns / script.grain_ns) * script.grain_ns
        time_ns += script.read_ns
        return shown

    def run() -> None:
        nonlocal time_ns
        time_ns += script.durations_ns[calls["run"] % len(script.durations_ns)]
        calls["run"] += 1

    def count(name: str) -> None:
        calls[name] += 1

    def emit(event: Event) -> None:
        nonlocal time_ns
        time_ns += script.emit_ns
        events.append(event.model_dump(mode="json"))

    work = Work(run, lambda: count("after_first"), lambda: count("before_sample"))
    stopped_by = run_loop(Clock("scripted", script.step_ns, now), work, script.policy, emit)
    return {"events": events, "stopped_by": stopped_by, "calls": calls, "time_ns": time_ns}
