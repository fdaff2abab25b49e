"""A real architecture at full size, on the native platforms: the Cases and their Artifacts, for sections that
compare."""

from dataclasses import dataclass
from pathlib import Path

from harness.core.nouns import Artifact, Case, LoopPolicy
from harness.core.statistics import median
from harness.core.units import ms
from harness.execute.executor import Executor
from harness.export.cache import ArtifactCache
from harness.export.process import inspect_model
from harness.export.request import request_for
from harness.plan.cases import make_plan
from harness.plan.selection import make_selection
from tests.bench.ours import do_round, per_run_ns, phase
from tests.bench.pairs import Timed
from tests.bench.section import Bench

MODEL, LENGTH = "bert", 128


@dataclass(frozen=True)
class Prepared:
    """One platform's Case, its Artifact and where that lies."""

    case: Case
    artifact: Artifact
    folder: Path


async def full_size(bench: Bench, hardware: tuple[str, ...]) -> dict[str, Prepared]:
    """`--hardware` name → the model there: fp32, batch 1; tiny where the bench is only tried."""
    flags = {
        "model": (MODEL,), "hardware": hardware, "length": (LENGTH,), "threads": bench.threads, "seed": bench.seed,
        "scale": "tiny" if bench.quick else "full",
    }  # fmt: skip
    cache = ArtifactCache(bench.folder / "artifacts")
    found = {}
    for name, planned in zip(hardware, make_plan(make_selection(None, flags), inspect_model).cases, strict=True):
        request = request_for(planned.case)
        artifact = cache.find(request) or await cache.make(request, lambda text: None)
        found[name] = Prepared(planned.case, artifact, cache.folder / artifact.digest)
    return found


async def time_prepared(real: Executor, each: Prepared, policy: LoopPolicy) -> Timed:
    """Our Round of it as one side of a pair."""
    heard = await do_round(real, each.case, each.artifact, each.folder, policy)
    durations = per_run_ns(heard)
    return Timed(ms(median(durations)), len(durations), ms(phase(heard, "first").duration_ns))
