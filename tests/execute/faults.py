"""Runs with the `faulty` backend: the real pipeline and real workers; and a memory cgroup where one may be made."""

import asyncio
import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.nouns import Case, Plan, PlannedCase, Policy
from harness.core.rounds import CaseResult
from harness.execute.executor import Probes
from harness.execute.native import NativeExecutor
from harness.export.request import digest_of_request, request_for
from harness.measure.host import memory_of_tree
from harness.pipeline import run_plan
from harness.steps.workplace import Workplace
from tests.making import make_artifact, make_case
from tests.test_pipeline import Silent


@dataclass(frozen=True)
class Fault:
    """A fault, and the outcome, code and words of the reason that it must come to."""

    options: dict[str, Any]
    outcome: str
    code: str | None = None
    words: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return "-".join(str(value) for key, value in self.options.items() if key in ("fault", "at"))

    def case(self, **changes: Any) -> Case:
        return make_case(platform="faulty", backend="faulty", options=self.options, **changes)

    def judge(self, result: CaseResult) -> None:
        told = f"{result.outcome} {result.code}: {result.reason}"
        assert (result.outcome, result.code) == (self.outcome, self.code), told
        for word in self.words:
            assert word in (result.reason or ""), told


def measure(folder: Path, cases: list[Case], silence_s: float = 60, rounds: int = 1) -> dict[str, CaseResult]:
    """case_id → what it came to, all in one Run."""
    for case in cases:
        place = folder / "artifacts" / digest_of_request(request_for(case))
        if not place.exists():
            place.mkdir(parents=True)
            make_artifact(place)
    policy = Policy(rounds=rounds, budget_ns=rounds * 100_000_000, silence_limit_ns=round(silence_s * 1e9))
    plan = Plan(cases=tuple(PlannedCase(case=case) for case in cases), policy=policy)
    workplace = Workplace(folder / "t.duckdb", {"native": NativeExecutor(Probes(memory_of_tree))}, Silent())
    outcome = asyncio.run(run_plan(plan, workplace, "harness run"))
    return {case.case_id: result for case, result in outcome.results}


@contextlib.contextmanager
def memory_cgroup(limit_mb: int) -> Iterator[Path | None]:
    """A memory cgroup inside our own, of version 1 or 2; None where none may be made."""
    made = next(filter(None, (_make(path, limit_mb) for path in _own_cgroups())), None)
    try:
        yield made
    finally:
        if made is not None:
            made.rmdir()


def _own_cgroups() -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in ("memory", ""):
                root = Path("/sys/fs/cgroup/memory" if controllers else "/sys/fs/cgroup")
                yield root / path.lstrip("/") / f"harness-test-{secrets.token_hex(4)}"


def _make(path: Path, limit_mb: int) -> Path | None:
    try:
        path.mkdir()
    except OSError:
        return None
    for name in ("memory.limit_in_bytes", "memory.max"):
        with contextlib.suppress(OSError):
            if (path / name).exists():
                (path / name).write_text(str(limit_mb * 1024 * 1024))
                return path
    path.rmdir()
    return None
