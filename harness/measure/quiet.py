"""Is the machine quiet enough to measure on? What was read → what is wrong with it, purely.

The reading is done in `quiet_readings.py`. A threshold is where noise begins to show in a latency, not where a
machine is busy; null means that the system does not tell, and then nothing is found.
"""

from collections.abc import Sequence
from typing import Any

from harness.core.nouns import Frozen

# A worker uses up to all cores, so a quarter of one, taken by others, is already in the numbers; an idle desktop
# stays below.
OTHERS_MOST_CORES = 0.25
# A process is named from here on; several small ones make a large sum.
NAMED_FROM_CORES = 0.05
NAMED_MOST = 5
# What the host of a virtual machine took: an idle neighbour costs less than this, and nothing here can give it back.
STEAL_MOST_SHARE = 0.01
# With less, loading a model pushes something else out, or itself.
AVAILABLE_LEAST_SHARE = 0.10
# Below are a few pages that the kernel moves at leisure.
SWAP_MOST_BYTES_PER_S = 1_000_000
# A cap a percent below the maximum is rounding.
FREQUENCY_LEAST_SHARE = 0.99
# These choose a clock by recent load, so the first samples run slower than the last.
SLOW_GOVERNORS = ("powersave", "schedutil", "ondemand", "conservative")
# Findings that waiting can mend.
PASSING = ("other_processes", "another_run", "steal", "swapping", "throttled")

Finding = dict[str, str]


class Heavy(Frozen):
    """A process that is not ours; `cores` is its share of one core."""

    name: str
    pid: int
    cores: float


class OtherRun(Frozen):
    """A harness that measures here, too."""

    pid: int
    command: str


class Readings(Frozen):
    """What the machine tells of itself over `window_s`; null where it does not."""

    window_s: float
    cores: int | None = None
    load_average_1m: float | None = None  # for eyes: it still holds our own exporting
    load_per_core: float | None = None
    others_cores: float | None = None  # CPU that is not ours, in cores; also of what cannot be seen from a container
    heavy: tuple[Heavy, ...] = ()
    other_runs: tuple[OtherRun, ...] = ()
    steal_share: float | None = None
    on_battery: bool | None = None
    governors: tuple[str, ...] | None = None
    turbo: bool | None = None  # for eyes: on or off, it is how this machine is
    throttle_events: int | None = None
    frequency_cap_share: float | None = None  # of what the processor can do at most
    cpu_quota_cores: float | None = None
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    swap_used_bytes: int | None = None
    swap_in_bytes: int | None = None
    swap_out_bytes: int | None = None


def findings_of(readings: Readings) -> list[Finding]:
    """Each disturbance as a code and a sentence with its numbers."""
    found = [
        ("other_processes", _others(readings)),
        ("another_run", _another_run(readings.other_runs)),
        ("steal", _steal(readings.steal_share)),
        ("on_battery", "on battery: the processor may be held back" if readings.on_battery else None),
        ("governor", _governor(readings.governors)),
        ("throttled", _throttled(readings.throttle_events)),
        ("frequency_cap", _frequency_cap(readings.frequency_cap_share)),
        ("cpu_quota", _cpu_quota(readings.cpu_quota_cores, readings.cores)),
        ("low_memory", _low_memory(readings)),
        ("swapping", _swapping(readings)),
    ]
    return [{"code": code, "text": text} for code, text in found if text]


def can_pass(findings: Sequence[Finding]) -> bool:
    """Whether waiting could mend all of them."""
    return all(each["code"] in PASSING for each in findings)


def quiet_of(policy: str, readings: Readings | None, counters: dict[str, Any] | None) -> dict[str, Any]:
    """What is stored with the Run as `machine["quiet"]`; `counters` are what the end is compared with."""
    return {
        "policy": policy,
        "findings": [] if readings is None else findings_of(readings),
        "readings": None if readings is None else readings.model_dump(mode="json"),
        "counters": counters,
        "end": None,
    }


def _others(readings: Readings) -> str | None:
    if readings.others_cores is None or readings.others_cores <= OTHERS_MOST_CORES:
        return None
    named = [each for each in readings.heavy if each.cores >= NAMED_FROM_CORES][:NAMED_MOST]
    together: dict[str, list[float]] = {}
    for each in named:
        together.setdefault(each.name, []).append(each.cores)
    names = ", ".join(
        f"{name}{f' (×{len(cores)})' if len(cores) > 1 else ''} {_percent(sum(cores))}"
        for name, cores in together.items()
    )
    unseen = readings.others_cores - sum(each.cores for each in readings.heavy)
    if unseen > OTHERS_MOST_CORES:
        names += f"{', ' if names else ''}{_percent(unseen)} by what cannot be seen from here"
    text = f"other processes use {_percent(readings.others_cores)} of a core"
    return f"{text}: {names}" if names else text


def _another_run(runs: Sequence[OtherRun]) -> str | None:
    if not runs:
        return None
    return "another harness measures at the same time: " + ", ".join(f"{run.command} (pid {run.pid})" for run in runs)


def _steal(share: float | None) -> str | None:
    if share is None or share <= STEAL_MOST_SHARE:
        return None
    return f"the host of this virtual machine took {_percent(share)} of its CPU"


def _governor(governors: Sequence[str] | None) -> str | None:
    slow = sorted(set(governors or ()) & set(SLOW_GOVERNORS))
    return f"the CPU governor is {' and '.join(slow)}: the clock follows the load" if slow else None


def _throttled(events: int | None) -> str | None:
    return f"the processor throttled itself {events} times, from heat" if events else None


def _frequency_cap(share: float | None) -> str | None:
    if share is None or share >= FREQUENCY_LEAST_SHARE:
        return None
    return f"the clock is capped at {_percent(share)} of the processor's maximum"


def _cpu_quota(quota: float | None, cores: int | None) -> str | None:
    if quota is None or cores is None or quota >= cores:
        return None
    return f"a CPU quota of {quota:g} of {cores} cores: threads are stopped when it is used up"


def _low_memory(readings: Readings) -> str | None:
    total, available = readings.memory_total_bytes, readings.memory_available_bytes
    if not total or available is None or available / total >= AVAILABLE_LEAST_SHARE:
        return None
    swap = f", {readings.swap_used_bytes / 1e6:.0f} MB are swapped out" if readings.swap_used_bytes else ""
    return f"only {available / 1e6:.0f} of {total / 1e6:.0f} MB of memory are available{swap}"


def _swapping(readings: Readings) -> str | None:
    moved = (readings.swap_in_bytes or 0) + (readings.swap_out_bytes or 0)
    if moved <= SWAP_MOST_BYTES_PER_S * readings.window_s:
        return None
    return f"{moved / 1e6:.0f} MB went to or from swap in {readings.window_s:.0f} s"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.1f} %"
