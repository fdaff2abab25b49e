"""Made-up Runs for reports; nobody measured these numbers."""

from collections.abc import Sequence
from typing import Any

from harness.analyse.comparison import Side
from harness.core.measured import MeasuredCase, MeasuredRun
from harness.core.nouns import Case
from harness.core.rounds import Verdict
from tests.analyse.made_runs import made_run, measured
from tests.store.made_up_results import case_of

RIGHT = Verdict(checked=True, passed=True, reference="pytorch-fp32", max_abs=1e-6)
WRONG = Verdict(checked=True, passed=False, reference="pytorch-fp32", max_abs=9.0)


def point(case: Case, latencies_ms: Sequence[float], run_id: str = "r", **result: Any) -> MeasuredCase:
    """An ok point: throughput is the batch over the median; the interval is wide enough to hold all Rounds."""
    middle = sorted(latencies_ms)[len(latencies_ms) // 2]
    metrics = {
        "latency_median_ms": middle, "throughput_items_per_second": case.batch_size * 1000 / middle,
        "load_ms": 12.0, "first_inference_ms": 3.5, "peak_memory_mb": 256.0, "samples": 90.0,
    }  # fmt: skip
    fields = {
        "metrics": {**metrics, **result.pop("metrics", {})}, "rounds": len(latencies_ms), "correct": RIGHT,
        "latency_ci95_ms": (min(latencies_ms), max(latencies_ms)), "interval_method": "made up",
        "clock": {"kind": "perf_counter", "step_us": 0.04, "verdict": "perf_counter"},
        "measured_at": "2026-01-02T03:04:05+00:00", "runtime": "torch@2.13.0", **result,
    }  # fmt: skip
    return measured(case, latencies_ms, run_id, result=fields)


def without_numbers(case: Case, outcome: str, reason: str, run_id: str = "r") -> MeasuredCase:
    return measured(case, (), run_id, result={"outcome": outcome, "reason": reason, "correct": None, "metrics": {}})


def wrong(case: Case, latencies_ms: Sequence[float]) -> MeasuredCase:
    return point(case, latencies_ms, outcome="failed", code="wrong_output", reason="wrong output", correct=WRONG)


def sides(*points: MeasuredCase, **changes: Any) -> list[Side]:
    run = made_run(*points, **changes)
    return [(run, one) for one in run.cases]


def three() -> list[Side]:
    """One model natively, in a page on the CPU, and in a page whose adapter is software; each Round by each."""
    return sides(
        point(case_of("bert", "cpu"), (10.0, 10.1, 9.9)),
        point(case_of("bert", "wasm"), (25.0, 25.3, 24.8)),
        point(case_of("bert", "webgpu"), (500.0, 505.0, 498.0), software=True, doubts=("software adapter: made up",)),
    )


def many(models: int = 300, places: int = 10) -> MeasuredRun:
    """`models` × `places` points, of which every seventh has failed and every eleventh is unsupported."""
    names = ["cpu", "onnxruntime", "openvino", "wasm", "webgpu", "webnn", *(f"place-{n}" for n in range(6, places))]
    points = []
    for m in range(models):
        for p, name in enumerate(names[:places]):
            case = case_of(f"model-{m:03}", name, family=("text_encoder", "vision", "audio")[m % 3])
            if (m * places + p) % 7 == 6:
                points.append(without_numbers(case, "failed", f"a made-up reason number {m % 5}"))
            elif (m * places + p) % 11 == 10:
                points.append(without_numbers(case, "unsupported", "a made-up device is not here"))
            else:
                base = (1 + m % 17) * (1 + p * (1 + m % 3) / 2)
                points.append(point(case, (base, base * 1.01, base * 0.99)))
    return made_run(*points)
