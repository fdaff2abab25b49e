"""The real command line, reading its own CPU time at each phase: `python -m tests.bench.conducting OUT run …`.

From outside, a process's CPU time can be read at any time but not at the right one: only the conductor knows when
the loop began. The reading costs a microsecond, a few times a second.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from harness.cli import main
from harness.core.events import Event
from harness.core.nouns import PlannedRound
from harness.show.progress import Progressing

_Reading = tuple[str, str, int, int]


class Readings:
    """(platform, phase, wall ns, CPU ns) at each phase's end, Round by Round."""

    def __init__(self) -> None:
        self.rounds: list[list[_Reading]] = []
        self._platform = ""

    def watch(self, progressing: type[Progressing]) -> None:
        began, heard = progressing.round_started, progressing.heard

        def round_started(watcher: Any, planned: PlannedRound, total: int) -> None:
            self._platform = planned.case.platform
            self.rounds.append([])
            began(watcher, planned, total)

        def hear(watcher: Any, event: Event) -> None:
            if event.event == "phase":
                # All threads of this process, so that the live bar's own thread counts; its children do not.
                reading = (self._platform, event.phase, time.perf_counter_ns(), time.process_time_ns())
                self.rounds[-1].append(reading)
            heard(watcher, event)

        # By name, because the class of a live object is what is changed.
        setattr(progressing, "round_started", round_started)  # noqa: B010
        setattr(progressing, "heard", hear)  # noqa: B010


if __name__ == "__main__":
    out, sys.argv[1:] = Path(sys.argv[1]), sys.argv[2:]
    readings = Readings()
    readings.watch(Progressing)
    try:
        main()
    finally:
        out.write_text(json.dumps(readings.rounds))
