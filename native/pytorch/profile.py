"""torch.profiler's events as a table: the time of each operator on the device that computed it."""

import time
from collections.abc import Callable
from typing import Any

from torch.profiler import ProfilerActivity, profile, supported_activities

from harness.core.errors import Unsupported
from harness.core.events import Operator
from native.seam import Profiled

_ACTIVITIES = {"cuda": ProfilerActivity.CUDA, "xpu": ProfilerActivity.XPU}


def profiled(run: Callable[[], None], drop: Callable[[], None], runs: int, device: str) -> Profiled:
    """So many `run`s under torch.profiler.

    On a CPU the times of the table are less than the wall of the runs: what is missing is Python between the operators
    (modules' `forward`, dispatch from Python) and the profiler's own recording, which a small model is mostly made of.
    What torch.compile made is one row per graph, `## Call CompiledFxGraph`: fused kernels have no rows of their own.
    On an accelerator the rows are its kernels; what the host does to launch them runs beside them and is left out.
    Raises Unsupported where the profiler cannot see that device.
    """
    activities = {ProfilerActivity.CPU}
    if device != "cpu":
        wanted = _ACTIVITIES.get(device)
        if wanted is None or wanted not in supported_activities():  # type: ignore[no-untyped-call]
            raise Unsupported(f"torch.profiler has no activity for {device}: it would see only the host that launches")
        activities.add(wanted)
    # The first start of the profiler sets it up, for up to a second.
    with profile(activities=activities):
        run()
    durations_ns = []
    with profile(activities=activities) as watched:
        for _ in range(runs):
            drop()
            started = time.perf_counter_ns()
            run()
            durations_ns.append(time.perf_counter_ns() - started)
    rows = [_row(event) for event in watched.key_averages()]
    on_device = [row for row in rows if row.device == device and row.self_ns > 0]
    named = " and ".join(sorted(activity.name for activity in activities))
    return Profiled(f"torch.profiler, {named}", durations_ns, sorted(on_device, key=lambda row: -row.self_ns))


def _row(event: Any) -> Operator:
    device = event.device_type.name.lower()
    self_us = event.self_cpu_time_total if device == "cpu" else event.self_device_time_total
    return Operator(operator=event.key, device=device, count=event.count, self_ns=round(self_us * 1000))
