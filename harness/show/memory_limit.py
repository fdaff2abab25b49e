"""What `--memory-limit` found, for people and programs: the largest batch that fits, and what forbids the next."""

from collections.abc import Sequence
from typing import Any

from harness.analyse.memory_limit import Fit, best_choices, fits, peak_mb_of
from harness.core.nouns import Case
from harness.core.rounds import CaseResult, Run
from harness.core.text import one_line
from harness.core.units import BYTES_PER_MB
from harness.show.table import browser_label, times

Results = Sequence[tuple[Case, CaseResult]]


def memory_limit_as_json(run: Run, results: Results) -> dict[str, Any]:
    """`{"memory_limit": {"limit_mb", "found": […], "best": […]}}`; without a limit nothing."""
    limit_bytes = run.plan.policy.memory_limit_bytes
    if limit_bytes is None:
        return {}
    found = [_as_json(fit, limit_bytes) for fit in fits(results, limit_bytes)]
    best = [_point(case, result) for case, result in best_choices(results, limit_bytes)]
    return {"memory_limit": {"limit_mb": limit_bytes // BYTES_PER_MB, "found": found, "best": best}}


def memory_limit_lines(run: Run, results: Results) -> list[str]:
    """A line for each model, place and precision, then the best choice of each place. Without a limit none."""
    limit_bytes = run.plan.policy.memory_limit_bytes
    if limit_bytes is None:
        return []
    lines = [f"Largest batch within {limit_bytes // BYTES_PER_MB:,} MB:"]
    lines += [_line(fit, limit_bytes) for fit in fits(results, limit_bytes)]
    for case, result in best_choices(results, limit_bytes):
        lines.append(one_line(f"Best in {_where(case)}{_at(case)}: {case.precision}, {_took(case, result)}", 400))
    return lines


def _line(fit: Fit, limit_bytes: int) -> str:
    nothing = "none fits" if fit.nothing_fits(limit_bytes) else "not known"
    found = nothing if fit.result is None else _took(fit.case, fit.result)
    head = f"{_where(fit.case)} {fit.case.precision}{_at(fit.case)}"
    return "  " + one_line(f"{head}: {found}; {_then(fit, limit_bytes)}", 400)


def _at(case: Case) -> str:
    return f", length {case.length}" if case.length else ""


def _where(case: Case) -> str:
    return " ".join(filter(None, (case.model.short_name, case.hardware, case.unusual_backend, browser_label(case))))


def _took(case: Case, result: CaseResult) -> str:
    """Batch, memory, and throughput where there is one."""
    size, rate = peak_mb_of(result), result.metrics.get("throughput_items_per_second")
    parts = [f"batch {case.batch_size}", None if size is None else f"{size:,.0f} MB"]
    return ", ".join(filter(None, [*parts, None if rate is None else f"{times(rate)} items/s"]))


def _then(fit: Fit, limit_bytes: int) -> str:
    if fit.after is None:
        return fit.why_not_more(limit_bytes)
    case, result = fit.after
    peak_mb = peak_mb_of(result)
    took = "" if peak_mb is None else f" {peak_mb:,.0f} MB,"
    return f"batch {case.batch_size}:{took} {fit.why_not_more(limit_bytes)}"


def _as_json(fit: Fit, limit_bytes: int) -> dict[str, Any]:
    found = _point(fit.case, fit.result)
    if fit.after is None:
        return {**found, "next": None}
    case, result = fit.after
    peak_mb = peak_mb_of(result)
    return {
        **found,
        "next": {"batch_size": case.batch_size, "peak_memory_mb": peak_mb, "why": fit.why_not_more(limit_bytes)},
    }


def _point(case: Case, result: CaseResult | None) -> dict[str, Any]:
    """Where it ran and what it took; null where nothing fits."""
    metrics = result.metrics if result else {}
    return {
        "model": case.model.name, "platform": case.platform, "device": case.device, "backend": case.backend,
        "browser": browser_label(case), "precision": case.precision, "length": case.length,
        "batch_size": case.batch_size if result else None, "case_id": case.case_id if result else None,
        "peak_memory_mb": peak_mb_of(result) if result else None,
        "throughput_items_per_second": metrics.get("throughput_items_per_second"),
    }  # fmt: skip
