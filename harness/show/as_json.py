"""Results as the JSON object that programs read: fixed names, null for what does not apply."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.analyse.coverage import Total, coverage_of
from harness.analyse.pairs import Point
from harness.analyse.why import ranked, why
from harness.core.nouns import Case, PlannedCase
from harness.core.rounds import CaseResult, Run
from harness.show.coverage_why import causes_as_json, why_as_json

_METRICS = (
    "latency_median_ms", "latency_mean_ms", "latency_p90_ms", "latency_p95_ms", "latency_p99_ms", "samples",
    "throughput_items_per_second", "load_ms", "first_inference_ms", "peak_memory_mb",
)  # fmt: skip


def run_as_json(
    run: Run, results: Iterable[tuple[Case, CaseResult]], profiles: Mapping[str, Any] | None = None,
    audits: Mapping[str, Any] | None = None, **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """A run: its id, machine and every point that was asked for; `more` adds top-level keys.

    `profiles` and `audits` go by case_id; a case that was not profiled, or audited, has null.
    """
    profiled, audited = profiles or {}, audits or {}
    return {
        "run_id": run.run_id,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "machine": run.machine,
        "interrupted": run.interrupted,
        "resumed_at": list(run.resumed_at),
        **more,
        "cases": [
            {**case_as_json(case, result), "profile": profiled.get(case.case_id), "audit": audited.get(case.case_id)}
            for case, result in results
        ],
    }


def coverage_as_json(run: Run, results: Sequence[Point], stages: Mapping[str, str | None]) -> dict[str, Any]:
    """A coverage: its run, each cell as a case with the `stage` where it stopped (`stages` goes by case_id) and `why`,
    the `table` of family × column, and the `causes` of what is missing."""
    coverage = coverage_of(results, stages)
    return {
        "run_id": run.run_id,
        "machine": run.machine,
        "interrupted": run.interrupted,
        "cells": [_cell_as_json(case, result, stages.get(case.case_id)) for case, result in results],
        "table": [_total_as_json(*key, total) for key, total in coverage.totals.items()],
        "causes": causes_as_json(ranked(coverage)),
    }


def _cell_as_json(case: Case, result: CaseResult, stage: str | None) -> dict[str, Any]:
    cause = None if result.outcome == "ok" else why(stage or "plan", result.code, result.reason)
    return {**case_as_json(case, result), "stage": stage, "why": why_as_json(cause)}


def _total_as_json(family: str | None, column: str, total: Total) -> dict[str, Any]:
    """`family` is null for all of them; `asked` leaves out what is not here, whose names are there all the same."""
    return {
        "family": family,
        "column": column,
        "ok": total.ok,
        "asked": total.asked,
        "percent": total.percent,
        "agreed": None if total.agreed is None else len(total.agreed),
        "percent_of_agreed": total.percent_of_agreed,
        "names": {state: list(names) for state, names in total.names.items()},
    }


def case_as_json(case: Case, result: CaseResult) -> dict[str, Any]:
    """One point: what was asked for, and what it came to."""
    return {**_asked(case), **_answered(case, result)}


def plan_point_as_json(point: PlannedCase, measured_at: str | None, measured_again: str | None) -> dict[str, Any]:
    """One point of a plan: `outcome` is null where it can be tried, `reused_from` where it is to be measured;
    `browser_version` and `runtime` where none was asked for.

    `measured_at` is the date of what is reused, `measured_again` why an earlier result is not.
    """
    return {
        **_asked(point.case),
        "browser_version": point.case.browser_version,
        "runtime": point.case.runtime,
        "outcome": point.outcome,
        "reason": point.reason,
        "reused_from": point.reused_from,
        "measured_at": measured_at,
        "measured_again": measured_again,
    }


def _asked(case: Case) -> dict[str, Any]:
    return {
        "case_id": case.case_id,
        "slug": case.slug,
        "model": case.model.name,
        "model_family": case.model.family,
        "task": case.task,
        "mode": case.mode,
        "weights": case.model.weights,
        "scale": case.model.scale,
        "layers": case.model.layers,
        "platform": case.platform,
        "backend": case.backend,
        "device": case.device,
        "browser": case.browser,
        "precision": case.precision,
        "batch_size": case.batch_size or None,
        "length": case.length,
        "threads": case.threads or None,
        "affinity": None if case.affinity is None else list(case.affinity),
        "outputs": case.outputs,
        "cache": case.cache,
        "network": case.network,
        "dims": case.dims,
        "seed": case.seed,
        "options": case.options,
    }


def _answered(case: Case, result: CaseResult) -> dict[str, Any]:
    verdict = result.correct
    metrics: dict[str, Any] = {name: result.metrics.get(name) for name in _METRICS}
    metrics |= {name: value for name, value in result.metrics.items() if name not in metrics}
    metrics["peak_memory_source"] = None
    if result.metrics.get("peak_memory_mb") is not None:
        # One process has one high-water mark; of a browser's tree they are added up, which is an upper bound.
        metrics["peak_memory_source"] = "tree_hwm_rss" if case.browser else "peak_rss"
    metrics["latency_ci95_ms"] = None if result.latency_ci95_ms is None else list(result.latency_ci95_ms)
    return {
        "browser_version": result.browser_version,
        "runtime": result.runtime,
        "asked": {"browser_version": case.browser_version, "runtime": case.runtime},
        "outcome": result.outcome,
        "code": result.code,
        "reason": result.reason,
        "rounds": result.rounds,
        "rounds_failed": result.rounds_failed,
        "software": result.software,
        "fallback_share": result.fallback_share,
        "metrics": metrics,
        "correct": {
            "checked": bool(verdict and verdict.checked),
            "reference": verdict.reference if verdict else None,
            "max_abs": verdict.max_abs if verdict else None,
            "cosine": verdict.cosine if verdict else None,
            "rms_rel": verdict.rms_rel if verdict else None,
            "agreement": verdict.agreement if verdict else None,
            "tolerance": verdict.tolerance if verdict else None,
        },
        "clock": result.clock or None,
        "interval_method": result.interval_method,
        "stopped_by": list(result.stopped_by),
        "doubts": list(result.doubts),
        "reused_from": result.reused_from,
        "measured_at": result.measured_at,
    }
