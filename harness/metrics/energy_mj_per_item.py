"""Millijoules per item while sampling, median over the Rounds: of the whole package or device that the counter belongs
to, idle power and other programs included. CPU packages (RAPL) for what computes on the CPU, the GPU's (NVML) for CUDA.
Null where the machine has no such counter that can be read (the run's machine says why), and for pages that compute on
a GPU: nobody can tell which one that is.
"""

from collections.abc import Mapping, Sequence

from harness.core.nouns import Case
from harness.core.rounds import Round
from harness.core.statistics import median
from harness.metrics import first_clock, timed_rounds, told_number

DESCRIBE = {
    "name": "energy_mj_per_item",
    "title": "Energy",
    "unit": "mJ/item",
    "better": "lower",
}


def compute(rounds: Sequence[Round], case: Case) -> float | None:
    counted_by = _counters_of(case)
    told = []
    for one in timed_rounds(rounds):
        joules = _joules(one, counted_by)
        runs = _runs_since_warm_up(one)
        if joules is not None and runs:
            told.append(1000 * joules / (runs * case.batch_size))
    return median(told) if told else None


def _runs_since_warm_up(one: Round) -> int:
    """The counters begin when the warm-up has ended: what was then tried to find how many runs make a Sample, which are
    warm batches of several runs, is in them as well."""
    tried = [batch for batch in one.samples if batch.phase == "warm" and batch.runs_per_sample > 1]
    return sum(batch.runs_per_sample * len(batch.durations_ns) for batch in (*first_clock(one), *tried))


def _counters_of(case: Case) -> str | None:
    """How the names of the counters begin that cover what computes; None: none does."""
    if case.device in ("cuda", "tensorrt"):
        return "nvml"
    return "rapl" if case.computes_on_cpu else None


def _joules(one: Round, counted_by: str | None) -> float | None:
    """Of all packages or devices of that kind together, which cover different things; None without any."""
    usage = one.provenance.get("usage")
    counters = usage.get("energy_joules") if isinstance(usage, Mapping) else None
    if counted_by is None or not isinstance(counters, Mapping):
        return None
    told = [told_number(one, "usage", "energy_joules", name) for name in counters if name.startswith(counted_by)]
    known = [joules for joules in told if joules is not None]
    if counted_by == "nvml" and len(known) > 1:
        return None  # which of them computed is not told, and the others' idle power is not its own
    return sum(known) if known else None
