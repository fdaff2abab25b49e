"""A synthetic history, for benchmarks of the store only: nobody measured any of it, and its Runs and machines say so.

One Run is 10 of 300 models: 150 Cases, 3 Rounds each, 105 Samples a Round. Four machines take turns over two years.
It is made in pieces of some Runs, so that memory does not grow, and written by the store's own ingest.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.nouns import Case, Model, Plan, PlannedCase, Policy
from harness.core.rounds import Run
from harness.store import rows
from harness.store.columns import objects
from harness.store.database import open_for_writing
from harness.store.ingest import append_columns
from tests.bench.synthetic_rounds import ROUNDS, Points, Tables, result_tables, round_tables

MODELS, MODELS_PER_RUN, CASES_PER_RUN = 300, 10, 150
ROUNDS_PER_RUN = CASES_PER_RUN * ROUNDS
MACHINES, DAYS = 4, 730
_GROUPS = MODELS // MODELS_PER_RUN
_RUNS_AT_ONCE = 20
_BEGINS = datetime(2024, 11, 1, tzinfo=UTC)
_FAMILIES = ("text_encoder", "vision", "audio", "speech_text", "diffusion")
# What --hardware says → what the Case says then, and how long it takes beside PyTorch on the CPU.
_PLATFORMS: dict[str, tuple[dict[str, Any], float]] = {
    "cpu": ({"backend": "pytorch", "device": "cpu"}, 1.0),
    "onnxruntime": ({"backend": "onnxruntime", "device": "cpu"}, 0.7),
    "openvino": ({"backend": "openvino", "device": "cpu"}, 0.6),
    "wasm": ({"backend": "ort_web", "device": "wasm", "browser": "chromium"}, 4.0),
    "webgpu": ({"backend": "ort_web", "device": "webgpu", "browser": "chromium"}, 1.6),
}
VERSIONS = {"harness": "synthetic", "artifact": "0" * 64, "python": "3.13.0", "torch": "2.13.0"}


@dataclass(frozen=True)
class Synthetic:
    """A history of at least so many Rounds; the same seed makes the same one."""

    rounds: int
    seed: int = 0

    @property
    def runs(self) -> int:
        return math.ceil(self.rounds / ROUNDS_PER_RUN)

    @cached_property
    def cases(self) -> list[list[Case]]:
        """The Cases of each group of ten models."""
        return [
            [case for place in range(MODELS_PER_RUN) for case in _cases(group * MODELS_PER_RUN + place)]
            for group in range(_GROUPS)
        ]

    def write(self, path: Path) -> None:
        """A database of its own, made from nothing. Raises FileExistsError: never into another one."""
        if path.exists():
            raise FileExistsError(path)
        with open_for_writing(path) as con:
            append_columns(con, self.beginning(), [])
            for run_ids, piece in self.pieces():
                append_columns(con, piece, run_ids)

    def beginning(self) -> Tables:
        """What there is once: the machines and the Cases."""
        return {
            "machines": [rows.machine_row(self.run(number)) for number in range(MACHINES)],
            "cases": [rows.case_row(case) for group in self.cases for case in group],
        }

    def pieces(self) -> Iterator[tuple[list[str], Tables]]:
        """Some Runs at a time: their ids, and the store's tables as columns."""
        for first in range(0, self.runs, _RUNS_AT_ONCE):
            numbers = range(first, min(first + _RUNS_AT_ONCE, self.runs))
            yield [self.run(number).run_id for number in numbers], self._piece(numbers)

    def run(self, number: int) -> Run:
        begins = _BEGINS + timedelta(days=DAYS * number / self.runs)
        return Run(
            run_id=f"{begins:%Y%m%dT%H%M%S}-synthetic-{number:05}",
            started_at=begins.isoformat(),
            ended_at=(begins + timedelta(minutes=30)).isoformat(),
            command="synthetic: for benchmarks of the store only, nobody measured this",
            machine={"machine_id": f"synthetic-{number % MACHINES}", "synthetic": True},
            plan=Plan(cases=(), policy=Policy()),
        )

    def cases_of(self, number: int) -> list[Case]:
        """What the Run with this number measured."""
        return self.cases[number // MACHINES % _GROUPS]

    def _piece(self, numbers: range) -> Tables:
        chance = np.random.default_rng((self.seed, numbers.start))
        runs = [self.run(number) for number in numbers]
        groups = [number // MACHINES % _GROUPS for number in numbers]
        drift = 1 + 0.2 * np.sin(np.array(numbers) / self.runs * 6)
        began = np.array([rows.as_utc(run.started_at) for run in runs], dtype="datetime64[us]")
        points = Points(
            run_ids=np.repeat(objects([run.run_id for run in runs]), CASES_PER_RUN),
            case_ids=np.concatenate([self._planned[group]["case_id"] for group in groups]),
            batch=np.concatenate([self._batch[group] for group in groups]),
            began=np.repeat(began, CASES_PER_RUN),
            level_ns=np.concatenate([self._levels_ns[group] for group in groups]) * np.repeat(drift, CASES_PER_RUN),
            fate=chance.choice(3, len(runs) * CASES_PER_RUN, p=(0.96, 0.02, 0.02)),
        )
        planned = {name: np.concatenate([self._planned[group][name] for group in groups]) for name in self._planned[0]}
        of_rounds, medians_ms = round_tables(points, chance)
        return {
            "runs": [rows.run_row(run) for run in runs],
            "planned_cases": {**planned, "run_id": points.run_ids},
            **of_rounds,
            **result_tables(points, medians_ms),
        }

    @cached_property
    def _planned(self) -> list[dict[str, Any]]:
        """Each group's rows of planned_cases, as columns, without the Run."""
        tables = []
        for group in self.cases:
            each = [
                rows.planned_row("", at, PlannedCase(case=case, versions=VERSIONS)) for at, case in enumerate(group)
            ]
            columns = {name: objects([row[name] for row in each]) for name in each[0]}
            tables.append({**columns, "position": np.arange(len(each))})
        return tables

    @cached_property
    def _batch(self) -> list[Any]:
        return [np.array([float(case.batch_size) for case in group]) for group in self.cases]

    @cached_property
    def _levels_ns(self) -> list[Any]:
        """The usual duration of each Case in nanoseconds."""
        chance = np.random.default_rng(self.seed)
        models = {case.model.name for group in self.cases for case in group}
        level = dict(zip(sorted(models), chance.lognormal(math.log(8e6), 0.8, len(models)), strict=True))
        return [np.array([level[case.model.name] * _slower(case) for case in group]) for group in self.cases]


def _cases(number: int) -> Iterator[Case]:
    """One model in ten is measured in six batches and two precisions, the others in two and one."""
    name = f"synthetic-{number:03}"
    model = Model(
        name=name, kind="architecture", identity=name, architecture=name, weights="random",
        family=_FAMILIES[number % len(_FAMILIES)],
    )  # fmt: skip
    broad = number % MODELS_PER_RUN == number // MODELS_PER_RUN % MODELS_PER_RUN  # of every family some
    for platform, (fields, _) in _PLATFORMS.items():
        for precision in ("fp32", "int8") if broad else ("fp32",):
            for batch in (1, 2, 4, 8, 16, 32) if broad else (1, 8):
                yield Case(
                    model=model, task="feature-extraction", platform=platform, precision=precision, batch_size=batch,
                    length=128, threads=2, **fields,
                )  # fmt: skip


def _slower(case: Case) -> float:
    precision = 0.6 if case.precision == "int8" else 1.0
    return float(_PLATFORMS[case.platform][1] * precision * case.batch_size**0.9)
