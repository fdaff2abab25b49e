"""How a worker ended that did not say so itself: the Round's last word, with what is knowable and no more."""

import contextlib
import signal
from pathlib import Path

from harness.core.events import Failed
from harness.core.wording import code_by_words

_KILLED = -9
# Where the kernel counts the processes that it killed for want of memory: of the whole machine; and of the container's
# own cgroup, version 2 and 1, where a sandbox hides the first.
_COUNTERS = ("/proc/vmstat", "/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


def oom_kills() -> int | None:
    """Processes that the kernel has killed for want of memory so far; None where it does not tell."""
    for file in _COUNTERS:
        with contextlib.suppress(OSError, ValueError):
            for line in Path(file).read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return None


def how_it_ended(
    code: int, error: str | None, reached: str | None, kills: tuple[int | None, int | None], who: str = "the worker"
) -> Failed:
    """`code` as `subprocess` has it; `error` is the last line on stderr, `reached` the last phase that was finished,
    `kills` what `oom_kills` said before and after."""
    where = f"after its phase {reached}" if reached else "before its first phase"
    if code == _KILLED:
        return _killed(f"{who} was killed (SIGKILL) {where}", kills)
    ended = f"{who} ended {_how(code)} {where}, without a last word"
    said = f": {error}" if error else "; it said nothing on stderr"
    return Failed(code=code_by_words(error or "") or "crashed", reason=ended + said)


def _killed(what: str, kills: tuple[int | None, int | None]) -> Failed:
    before, after = kills
    if before is None or after is None:
        reason = "whether by the kernel for want of memory or by somebody is not knowable here"
        return Failed(code="killed", reason=f"{what}: {reason}")
    if after > before:
        counted = f"its count went from {before} to {after}"
        return Failed(code="out_of_memory", reason=f"{what}, while the kernel killed for want of memory ({counted})")
    reason = "not by this harness, and the kernel counted no kill for want of memory: so by a person or a service"
    return Failed(code="killed", reason=f"{what}: {reason}")


def _how(code: int) -> str:
    if code >= 0:
        return f"with exit code {code}" if code < 256 else f"with exit code {code:#x}"  # Windows' own are 32 bits
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"by signal {-code}"
