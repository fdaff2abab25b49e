"""Nouns → rows of the schema's tables, as dictionaries by column; one place that knows both sides."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from harness.core.digest import digest_of
from harness.core.nouns import Case, PlannedCase
from harness.core.rounds import CaseResult, Round, Run
from harness.core.statistics import effective_n, mad, mean, median, median_interval, percentile_supported, quantile

Row = dict[str, Any]
Metrics = Mapping[str, float | None]
_CASE_COLUMNS = (
    *("task", "mode", "platform", "backend", "device", "browser", "precision", "batch_size"),
    *("length", "threads", "outputs", "cache", "isolation", "network", "browser_version", "runtime"),
)
_SAMPLE_COLUMNS = ("phase", "clock", "duration_ns", "runs")


def machine_id(run: Run) -> str:
    """What the fingerprint calls itself, else its digest."""
    return str(run.machine.get("machine_id") or digest_of(run.machine))


def machine_row(run: Run) -> Row:
    return {"machine_id": machine_id(run), "fingerprint": as_json(run.machine)}


def run_row(run: Run) -> Row:
    return {
        "run_id": run.run_id,
        "started_at": as_utc(run.started_at),
        "ended_at": as_utc(run.ended_at) if run.ended_at else None,
        "command": run.command,
        "machine_id": machine_id(run),
        "machine": as_json(run.machine),
        "policy": as_json(run.plan.policy.model_dump(mode="json")),
        "interrupted": run.interrupted,
        "resumed_at": list(run.resumed_at) or None,
    }


def case_row(case: Case) -> Row:
    return {
        "case_id": case.case_id,
        "model_identity": case.model.identity,
        "architecture": case.model.architecture,
        "weights": case.model.weights,
        "scale": case.model.scale,
        **{column: getattr(case, column) for column in _CASE_COLUMNS},
        "options": as_json(case.options),
        "affinity": None if case.affinity is None else list(case.affinity),
    }


def planned_row(run_id: str, position: int, planned: PlannedCase) -> Row:
    case = planned.case
    return {
        "run_id": run_id,
        "position": position,
        "case_id": case.case_id,
        "slug": case.slug,
        "model_name": case.model.name,
        "model_family": case.model.family,
        "asked": as_json(case.model_dump(mode="json")),
        "outcome": planned.outcome,
        "reason": planned.reason,
        "versions": None if planned.versions is None else as_json(planned.versions),
        "reused_from": planned.reused_from,
    }


def round_rows(one: Round, metrics: Metrics) -> dict[str, list[Row]]:
    """Table → rows; everything about one Round, but its Samples."""
    key = {"round_id": one.round_id}
    plain = ("run_id", "case_id", "number", "outcome", "code", "reason", "stopped_by", "purpose")
    rows: dict[str, list[Row]] = {
        "rounds": [
            {
                **key,
                **{column: getattr(one, column) for column in plain},
                "started_at": as_utc(one.started_at),
                "runtime": as_json(one.runtime),
                "provenance": as_json(one.provenance),
                "placement": None if one.placement is None else as_json(one.placement),
                "fallbacks": list(one.fallbacks),
            }
        ],
        "phases": [
            {**key, "phase": phase, "duration_ns": duration, "detail": as_json(one.phase_details.get(phase, {}))}
            for phase, duration in one.phases.items()
        ],
        "recent_samples": [],  # one by one they would be most of the work: `sample_columns` has them
        "memory": [{**key, "source": source, "size_bytes": size} for source, size in one.memory_bytes.items()],
        "notes": [{**key, "position": position, "text": text} for position, text in enumerate(one.notes)],
        "profiles": [{**key, "source": one.profile.source, "runs": one.profile.runs}] if one.profile else [],
        "operators": [
            {**key, "position": position, **operator.model_dump()}
            for position, operator in enumerate(one.profile.operators if one.profile else ())
        ],
        "verdicts": [{**key, **one.verdict.model_dump()}] if one.verdict else [],
        "summaries": summary_rows(one),
        "round_metrics": [{**key, "metric": name, "value": value} for name, value in metrics.items()],
    }
    return rows


def sample_columns(rounds: Sequence[Round]) -> dict[str, list[Any]]:
    """Column → values of all Samples of the Rounds."""
    columns: dict[str, list[Any]] = {name: [] for name in ("round_id", "position", *_SAMPLE_COLUMNS)}
    for one in rounds:
        count = 0
        for batch in one.samples:
            n = len(batch.durations_ns)
            count += n
            columns["phase"] += [batch.phase] * n
            columns["clock"] += [batch.clock] * n
            columns["duration_ns"] += batch.durations_ns
            columns["runs"] += [batch.runs_per_sample] * n
        columns["round_id"] += [one.round_id] * count
        columns["position"] += range(count)
    return columns


def result_rows(result: CaseResult) -> dict[str, list[Row]]:
    """Table → rows; everything that follows from a Case's Rounds."""
    key = {"run_id": result.run_id, "case_id": result.case_id}
    low, high = result.latency_ci95_ms or (None, None)
    plain = (
        *("outcome", "code", "reason", "rounds", "rounds_failed", "runtime", "browser_version"),
        *("software", "fallback_share", "interval_method", "stage"),
    )
    return {
        "results": [
            {
                **key,
                **{column: getattr(result, column) for column in plain},
                "latency_ci95_low_ms": low,
                "latency_ci95_high_ms": high,
                "checked": result.correct.checked if result.correct else None,
                "passed": result.correct.passed if result.correct else None,
                "correct": result.correct.model_dump_json() if result.correct else None,
                "clock": as_json(result.clock),
                "doubts": list(result.doubts),
                "stopped_by": list(result.stopped_by),
            }
        ],
        "result_metrics": [{**key, "metric": name, "value": value} for name, value in result.metrics.items()],
    }


def as_json(value: Any) -> str:
    """JSON in one order of keys, so that a rebuilt database is the same to the byte."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def as_utc(text: str) -> datetime:
    """ISO 8601 → UTC without a zone, as the TIMESTAMP columns hold it; a text without a zone is UTC already."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def from_utc(moment: datetime) -> str:
    """The ISO 8601 text, with its zone, of what a TIMESTAMP column holds."""
    return moment.replace(tzinfo=UTC).isoformat()


def summary_rows(one: Round) -> list[Row]:
    rows = []
    for phase, clock in dict.fromkeys((batch.phase, batch.clock) for batch in one.samples):
        values = one.per_run_ns(phase, clock)
        if not values:
            continue
        n = len(values)
        low, high = median_interval(values) or (None, None)
        percentiles = {
            f"p{q}_ns": quantile(values, q / 100) if percentile_supported(n, q / 100) else None for q in (90, 95, 99)
        }
        rows.append(
            {
                "round_id": one.round_id,
                "phase": phase,
                "clock": clock,
                "n": n,
                "median_ns": median(values),
                "mean_ns": mean(values),
                "mad_ns": mad(values),
                "least_ns": min(values),
                "most_ns": max(values),
                **percentiles,
                "ci95_low_ns": low,
                "ci95_high_ns": high,
                "effective_n": effective_n(values),
            }
        )
    return rows
