"""The Rounds and results of a synthetic history, made and summarised in whole numpy arrays.

Durations are lognormal around their Case's level: 3 % between Rounds, 2 % within one, and one in a hundred an outlier.
Samples are independent of each other by construction, so each summary's effective n is n.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from harness.core.rounds import Verdict
from harness.core.statistics import median_interval, t_quantile
from harness.store.columns import Columns, objects
from harness.store.rows import Row, as_json

Array = np.ndarray[Any, Any]
Tables = dict[str, Columns | Sequence[Row]]
ROUNDS, SAMPLES = 3, 105
OK, FAILED, UNSUPPORTED = range(3)
CLOCK = "perf_counter"
RUNTIME = as_json({"torch": "2.13.0", "transformers": "5.9.0", "numpy": "2.4.6"})
PROVENANCE = as_json({
    "synthetic": True, "artifact": "0" * 64, "threads": 2, "clock_step_ns": 30, "isolation": "process",
    "placement": {"device": "cpu"}, "governor": "performance",
})  # fmt: skip
_OUTCOMES = objects(["ok", "failed", "unsupported"])
_CODES = objects([None, "crashed", None])
_REASONS = objects([None, "synthetic: the worker ended", "synthetic: no such device"])
_VERDICT = Verdict(checked=True, passed=True, reference="pytorch-fp32", max_abs=1e-6, tolerance=1e-4, rms_rel=1e-5)


@dataclass(frozen=True)
class Points:
    """The Cases of some Runs, one entry for each time that a Run asked for one."""

    run_ids: Array
    case_ids: Array
    batch: Array
    began: Array
    level_ns: Array
    fate: Array

    @cached_property
    def ok(self) -> Array:
        return np.flatnonzero(self.fate == OK)


def round_tables(points: Points, chance: np.random.Generator) -> tuple[Tables, Array]:
    """Table → columns of all Rounds; and the medians in milliseconds, ok Cases × Rounds."""
    of = np.repeat(np.arange(len(points.fate)), ROUNDS)
    number = np.tile(np.arange(1, ROUNDS + 1), len(points.fate))
    ids = objects(
        [f"{points.case_ids[case]}-{points.run_ids[case][-5:]}-{n}" for case, n in zip(of, number, strict=True)]
    )
    ok = points.fate[of] == OK
    timed = ids[ok]
    level = points.level_ns[of][ok, None] * chance.lognormal(0, 0.03, (len(timed), 1))
    durations = level * chance.lognormal(0, 0.02, (len(timed), SAMPLES))
    durations[chance.random(durations.shape) < 0.01] *= 3
    durations = durations.astype(np.int64)
    once = {"load": level[:, 0] * 40, "first": level[:, 0] * 3, "warm": level[:, 0] * 20}
    memory = (chance.lognormal(19, 0.3, len(timed))).astype(np.int64)
    summary = _summaries(timed, durations)
    verdict = {name: _same(value, len(timed)) for name, value in _VERDICT.model_dump().items()}
    tables: Tables = {
        "rounds": {
            "round_id": ids,
            "run_id": points.run_ids[of],
            "case_id": points.case_ids[of],
            "number": number,
            "started_at": points.began[of] + (number * 5_000_000).astype("timedelta64[us]"),
            "outcome": _OUTCOMES[points.fate[of]],
            "code": _CODES[points.fate[of]],
            "reason": _REASONS[points.fate[of]],
            "stopped_by": _choose(ok, "narrow"),
            "runtime": _same(RUNTIME, len(ids)),
            "provenance": _same(PROVENANCE, len(ids)),
            "fallbacks": _same("[]", len(ids)),
        },
        "phases": {
            "round_id": np.repeat(timed, len(once)),
            "phase": np.tile(objects(list(once)), len(timed)),
            "duration_ns": np.column_stack(list(once.values())).astype(np.int64).ravel(),
            "detail": _same("{}", len(timed) * len(once)),
        },
        "recent_samples": {
            "round_id": np.repeat(timed, SAMPLES),
            "position": np.tile(np.arange(SAMPLES, dtype=np.int32), len(timed)),
            "phase": _same("sample", durations.size),
            "clock": _same(CLOCK, durations.size),
            "duration_ns": durations.ravel(),
            "runs": np.ones(durations.size, dtype=np.int32),
        },
        "memory": {"round_id": timed, "source": _same("tree_hwm_rss", len(timed)), "size_bytes": memory},
        "verdicts": {"round_id": timed, **verdict},
        "summaries": summary,
        "round_metrics": _long(
            {"round_id": timed}, _metrics(summary, once, memory, points.batch[of][ok], summary["median_ns"] / 1e6)
        ),
    }
    return tables, (summary["median_ns"] / 1e6).reshape(-1, ROUNDS)


def result_tables(points: Points, medians_ms: Array) -> Tables:
    """Table → columns of what the Cases have come to; of ok ones the geometric mean of their Rounds' medians."""
    ok, count = points.ok, len(points.fate)
    logs = np.log(medians_ms)
    middle = np.exp(logs.mean(axis=1))
    half = t_quantile(0.975, ROUNDS - 1) * logs.std(axis=1, ddof=1) / np.sqrt(ROUNDS)
    low, high = np.full(count, np.nan), np.full(count, np.nan)
    low[ok], high[ok] = middle * np.exp(-half), middle * np.exp(half)
    is_ok = points.fate == OK
    key = {"run_id": points.run_ids, "case_id": points.case_ids}
    results = {
        **key,
        "outcome": _OUTCOMES[points.fate],
        "code": _CODES[points.fate],
        "reason": _REASONS[points.fate],
        "rounds": np.full(count, ROUNDS),
        "rounds_failed": np.where(points.fate == FAILED, ROUNDS, 0),
        "runtime": _same("torch@2.13.0", count),
        "fallback_share": np.zeros(count),
        "latency_ci95_low_ms": low,
        "latency_ci95_high_ms": high,
        "interval_method": _choose(is_ok, f"student-t on log medians of {ROUNDS} rounds"),
        "checked": _choose(is_ok, True),
        "passed": _choose(is_ok, True),
        "correct": _choose(is_ok, _VERDICT.model_dump_json()),
        "clock": _same(as_json({"verdict": CLOCK}), count),
        "doubts": _same(as_json(["synthetic: nobody measured this"]), count),
        "stopped_by": _same('["narrow"]', count),
    }
    metrics = {
        "latency_median_ms": middle,
        "latency_mean_ms": middle * 1.02,
        "latency_p50_ms": middle,
        "latency_p90_ms": middle * 1.03,
        "latency_p95_ms": middle * 1.05,
        "latency_mad_ms": middle * 0.013,
        "samples": np.full(len(ok), float(ROUNDS * SAMPLES)),
        "throughput_items_per_second": 1000 * points.batch[ok] / middle,
        "load_ms": middle * 40,
        "first_inference_ms": middle * 3,
        "prepare_ms": middle * 20,
        "peak_memory_mb": np.full(len(ok), 180.0),
        "model_size_mb": np.full(len(ok), 90.0),
        "rms_error_share": np.full(len(ok), 1e-5),
    }
    return {"results": results, "result_metrics": _long({name: column[ok] for name, column in key.items()}, metrics)}


def _summaries(round_ids: Array, durations: Array) -> Columns:
    values = np.sort(durations, axis=1).astype(float)
    low, high = (rank - 1 for rank in _interval_ranks())
    median = np.median(values, axis=1)
    return {
        "round_id": round_ids,
        "phase": _same("sample", len(values)),
        "clock": _same(CLOCK, len(values)),
        "n": np.full(len(values), SAMPLES),
        "median_ns": median,
        "mean_ns": values.mean(axis=1),
        "mad_ns": np.median(np.abs(values - median[:, None]), axis=1),
        "least_ns": values[:, 0],
        "most_ns": values[:, -1],
        "p90_ns": np.quantile(values, 0.90, axis=1),
        "p95_ns": np.quantile(values, 0.95, axis=1),
        "ci95_low_ns": _at(values, low),
        "ci95_high_ns": _at(values, high),
        "effective_n": np.full(len(values), float(SAMPLES)),
    }


def _interval_ranks() -> tuple[float, float]:
    """Where the interval of a median lies among so many independent Samples: asked of the ranks themselves.

    In an order without dependence, so that nothing is widened.
    """
    ranks = np.random.default_rng(1).permutation(np.arange(1.0, SAMPLES + 1)).tolist()
    return median_interval(ranks) or (1.0, float(SAMPLES))


def _at(ordered: Array, index: float) -> Array:
    below = int(index)
    share = index - below
    return np.asarray(ordered[:, below] * (1 - share) + ordered[:, min(below + 1, SAMPLES - 1)] * share)


def _metrics(
    summary: Columns, once: Mapping[str, Array], memory: Array, batch: Array, median_ms: Array
) -> dict[str, Array]:
    count = len(batch)
    return {
        "latency_median_ms": median_ms,
        "latency_mean_ms": summary["mean_ns"] / 1e6,
        "latency_p50_ms": median_ms,
        "latency_p90_ms": summary["p90_ns"] / 1e6,
        "latency_p95_ms": summary["p95_ns"] / 1e6,
        "latency_mad_ms": summary["mad_ns"] / 1e6,
        "samples": np.full(count, float(SAMPLES)),
        "throughput_items_per_second": 1000 * batch / median_ms,
        "load_ms": once["load"] / 1e6,
        "first_inference_ms": once["first"] / 1e6,
        "prepare_ms": once["warm"] / 1e6,
        "peak_memory_mb": memory / 1e6,
        "model_size_mb": np.full(count, 90.0),
        "rms_error_share": np.full(count, 1e-5),
    }


def _long(key: Mapping[str, Array], metrics: Mapping[str, Array]) -> Columns:
    """One row per key and metric."""
    count = len(next(iter(key.values())))
    repeated = {name: np.repeat(column, len(metrics)) for name, column in key.items()}
    values = np.column_stack(list(metrics.values())).ravel()
    return {**repeated, "metric": np.tile(objects(list(metrics)), count), "value": values}


def _same(value: Any, count: int) -> Array:
    column = np.empty(count, dtype=object)
    column[:] = value
    return column


def _choose(where: Array, value: Any) -> Array:
    """The value there, None elsewhere."""
    column = _same(None, len(where))
    column[where] = value
    return column
