"""One Round through the real executors: what the harness says of a Case, by the same way that a run takes."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.events import LAST_WORDS, Done, Event, Phase, Samples
from harness.core.nouns import Artifact, Case, LoopPolicy, Policy
from harness.core.statistics import median
from harness.core.units import ms
from harness.execute.executor import Assignment, Executor
from harness.plan.selection import Selection
from harness.steps.workplace import RealExecutors
from tests.bench.pairs import Timed
from tests.bench.standins import StandIn

_SILENCE_S = 120


class RoundFailed(HarnessError):
    """The Round did not end with `done`; its code and reason."""


def isolations() -> tuple[str, ...]:
    """How a Round can be kept apart from the one before, as far as this version lets anyone ask for it."""
    return ("process", "zygote") if "isolation" in Selection.model_fields else ("process",)


def policy_of(slice_s: float) -> LoopPolicy:
    """What the real Policy makes of a budget for one Round."""
    return Policy(rounds=1, budget_ns=round(slice_s * 1e9)).loop()


def warm_and_sample_s(policy: LoopPolicy) -> tuple[float, float]:
    """The longest that such a Round warms up, and what is then left for samples: what a bare loop gets, too."""
    warm_s = max(policy.warm_share * policy.slice_ns, policy.warm_least_ns) / 1e9
    return warm_s, policy.slice_ns / 1e9 - warm_s


@asynccontextmanager
async def executor(side: str) -> AsyncIterator[Executor]:
    """The executor that a run would use for this side."""
    real = RealExecutors()[side]
    try:
        yield real
    finally:
        await real.close()


async def do_round(real: Executor, case: Case, artifact: Artifact, folder: Path, policy: LoopPolicy) -> list[Event]:
    """All Events of a Round that went well; raises RoundFailed for any other."""
    outputs = Path(tempfile.mkdtemp(prefix="bench-outputs-"))
    try:
        # Not the first Round of its Case: what only that one does (placement) is no part of the loop.
        assignment = Assignment("bench", case, artifact, folder, outputs, policy, _SILENCE_S, first_round=False)
        heard: list[Event] = []
        async with aclosing(real.execute(assignment)) as events:
            async for event in events:
                heard.append(event)
                if isinstance(event, LAST_WORDS):
                    break
    finally:
        shutil.rmtree(outputs, ignore_errors=True)
    if not heard or not isinstance(heard[-1], Done):
        raise RoundFailed(f"{case.slug}: {heard[-1] if heard else 'it said nothing'}")
    return heard


async def time_ours(real: Executor, standin: StandIn, policy: LoopPolicy) -> Timed:
    """A stand-in's Round as one side of a pair."""
    heard = await do_round(real, standin.case, standin.artifact, standin.folder, policy)
    durations = per_run_ns(heard)
    return Timed(ms(median(durations)), len(durations), ms(phase(heard, "first").duration_ns))


def per_run_ns(heard: list[Event]) -> list[float]:
    """Nanoseconds per run of every steady-state sample."""
    return [
        duration / event.runs_per_sample
        for event in heard
        if isinstance(event, Samples) and event.phase == "sample"
        for duration in event.durations_ns
    ]


def phase(heard: list[Event], name: str) -> Phase:
    return next(event for event in heard if isinstance(event, Phase) and event.phase == name)
