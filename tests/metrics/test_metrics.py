"""Each metric on made-up Rounds whose answer is arithmetic."""

import math

import pytest

from harness import catalog
from harness.core.events import Samples
from harness.core.rounds import Round, Verdict
from harness.metrics import latency_estimate, timed_rounds, verdict_clock
from tests.store.made_up import case, round_of, samples

CASE = case(batch_size=4)


def compute(name: str, *rounds: Round) -> float | None:
    return catalog.metrics()[name].compute(rounds, CASE)


def test_one_round() -> None:
    one = round_of(CASE, 1, (1, 2, 3, 4, 10))
    expected = {
        "latency_median_ms": 3,
        "latency_p50_ms": 3,
        "latency_mean_ms": 4,
        "latency_mad_ms": 1,
        "samples": 5,
        "load_ms": 5,
        "first_inference_ms": 9,
        # 4 items in 3 ms.
        "throughput_items_per_second": 4000 / 3,
        "peak_memory_mb": 100.000001,
    }
    for name, value in expected.items():
        assert compute(name, one) == pytest.approx(value), name
    for name in ("latency_p90_ms", "latency_p95_ms", "latency_p99_ms", "prepare_ms"):
        assert compute(name, one) is None


def test_percentiles_appear_where_n_supports_them() -> None:
    one = round_of(CASE, 1, tuple(float(value) for value in range(1, 102)))
    # Type 7 on 1 … 101: rank 1 + 100 q.
    assert compute("latency_p90_ms", one) == pytest.approx(91)
    assert compute("latency_p95_ms", one) == pytest.approx(96)
    assert compute("latency_p99_ms", one) is None


def test_three_rounds_weigh_alike() -> None:
    rounds = [round_of(CASE, 1, (1,)), round_of(CASE, 2, (10,) * 50), round_of(CASE, 3, (100,))]
    assert compute("latency_median_ms", *rounds) == pytest.approx(10)
    assert compute("latency_median_ms", *rounds[:2]) == pytest.approx(10)
    estimate = latency_estimate(rounds)
    assert estimate is not None
    assert estimate.method == "student-t on log medians of 3 rounds"
    assert estimate.interval_ms is not None
    # Logs 0, ln 10, 2 ln 10; t of two degrees 4.302653.
    assert estimate.interval_ms[1] == pytest.approx(math.exp(math.log(10) * (1 + 4.302653 / math.sqrt(3))), rel=1e-5)


def test_runs_of_a_sample_are_divided() -> None:
    one = round_of(CASE, 1, samples=(samples(2, 4, runs=10),))
    assert compute("latency_mean_ms", one) == pytest.approx(3)


def test_wrong_output_keeps_its_timings_but_never_beside_right_ones() -> None:
    wrong = round_of(CASE, 1, (1, 1), outcome="failed", code="wrong_output")
    right = round_of(CASE, 2, (5, 5))
    crashed = round_of(CASE, 3, (9, 9), outcome="failed", code="crash")
    assert compute("latency_median_ms", wrong, crashed) == pytest.approx(1)
    assert compute("latency_median_ms", wrong, right, crashed) == pytest.approx(5)
    assert timed_rounds([crashed]) == []
    assert compute("latency_median_ms", crashed) is None
    assert compute("throughput_items_per_second", crashed) is None
    assert compute("samples", crashed) == 0


def test_submit_is_believed_last() -> None:
    one = round_of(CASE, 1, samples=(samples(0.1, clock="submit"), samples(8, clock="await")))
    assert verdict_clock([one]).clock == "await"
    assert verdict_clock([round_of(CASE, 1, samples=(samples(1, clock="new_clock"),))]).clock == "new_clock"
    assert verdict_clock([round_of(CASE, 1)]).clock is None


def test_memory_comes_from_one_source() -> None:
    page = round_of(CASE, 1, (1,), memory_bytes={"tree_hwm_rss": 9_000_000, "js_heap": 99_000_000})
    native = round_of(CASE, 2, (1,), memory_bytes={"peak_rss": 3_000_000, "tree_hwm_rss": 99_000_000})
    assert compute("peak_memory_mb", page) == 9
    assert compute("peak_memory_mb", page, native) == 3
    assert compute("peak_memory_mb", round_of(CASE, 3, (1,), memory_bytes={})) is None


def test_every_metric_answers_to_its_file_name() -> None:
    for name, metric in catalog.metrics().items():
        assert metric.compute.__module__ == f"harness.metrics.{name}"
        assert metric.better in ("lower", "higher")


def test_the_tail_of_means_is_no_tail() -> None:
    """Where several runs share a Sample, percentiles and spread of single runs are not known and not given."""
    batch = Samples(phase="sample", clock="performance_now", runs_per_sample=40, durations_ns=(40_000_000,) * 500)
    fields = {"round_id": "1", "run_id": "r", "case_id": "c", "number": 1, "started_at": "now", "outcome": "ok"}
    rounds = [Round.model_validate({**fields, "samples": [batch]})]
    known = {name: metric.compute(rounds, CASE) for name, metric in catalog.metrics().items()}
    assert known["latency_median_ms"] == known["latency_mean_ms"] == 1.0
    for name in ("latency_p90_ms", "latency_p95_ms", "latency_p99_ms", "latency_mad_ms"):
        assert known[name] is None


def test_the_parts_of_a_pipeline_are_medians_of_their_own_samples() -> None:
    """Never of the latency's: they are taken after it, with marks."""

    def taken(*infer: float) -> Round:
        parts = [samples(1, 2, 9, phase="part_preprocess"), samples(*infer, phase="part_infer")]
        return round_of(CASE, 1, samples=(samples(100), *parts, samples(4, phase="part_postprocess")))

    rounds = [taken(10, 20, 30), taken(40), taken(50)]
    assert compute("latency_median_ms", *rounds) == pytest.approx(100)
    assert compute("preprocess_ms", *rounds) == 2
    assert compute("infer_ms", *rounds) == 40
    assert compute("postprocess_ms", *rounds) == 4
    for name in ("preprocess_ms", "infer_ms", "postprocess_ms"):
        assert compute(name, round_of(CASE, 1, (1, 2))) is None


def test_what_a_precision_costs_is_the_worst_word_of_the_judge() -> None:
    def judged(rms_rel: float, cosine: float, agreement: float | None) -> Round:
        verdict = Verdict(checked=True, passed=True, rms_rel=rms_rel, cosine=cosine, agreement=agreement)
        return round_of(CASE, 1, (1,), verdict=verdict)

    rounds = [judged(0.1, 0.99, 0.9), judged(0.3, 0.95, 0.8), judged(0.2, 0.97, 1.0)]
    assert compute("rms_error_share", *rounds) == 0.3
    assert compute("cosine_to_reference", *rounds) == 0.95
    assert compute("argmax_agreement", *rounds) == 0.8
    assert compute("argmax_agreement", judged(0.1, 1, None)) is None


def test_the_roof_is_what_the_work_must_take_at_least() -> None:
    """6 GFLOP at 100 GFLOP/s are 60 ms, 1 GB at 20 GB/s 50 ms: the longer one of 120 ms is a half."""
    work = {"flops": 6_000_000_000, "weight_bytes": 990_000_000, "activation_bytes": 10_000_000}
    roof = {"gflops": 100, "gbytes_per_second": 20}
    one = round_of(CASE, 1, (120,), provenance={"work": work, "roof": roof})
    assert compute("roof_share", one) == pytest.approx(0.5)
    assert compute("achieved_gflops", one) == pytest.approx(50)
    assert compute("achieved_gbytes_per_second", one) == pytest.approx(1 / 0.12)
    bound_by_memory = {**work, "flops": 1_000_000_000}
    assert compute("roof_share", round_of(CASE, 1, (100,), provenance={"work": bound_by_memory, "roof": roof})) == 0.5
    assert compute("roof_share", round_of(CASE, 1, (120,), provenance={"work": work})) is None
    assert compute("achieved_gflops", round_of(CASE, 1, (120,))) is None
    nonsense = {"work": {"flops": "many", "weight_bytes": True}, "roof": 7}
    assert compute("roof_share", round_of(CASE, 1, (120,), provenance=nonsense)) is None


def test_energy_is_of_the_counter_that_covers_what_computes() -> None:
    """Batch 4, 5 Samples of 2 runs: 40 items; 8 J are 200 mJ each."""
    counters = {"rapl package-0": 5.0, "rapl package-1": 3.0, "nvml gpu 0": 80.0}
    provenance = {"usage": {"energy_joules": counters, "cpu_cores": 1.5}}
    one = round_of(CASE, 1, samples=(samples(1, 2, 3, 4, 10, runs=2),), provenance=provenance)
    assert compute("energy_mj_per_item", one) == pytest.approx(200)
    assert compute("cpu_cores_used", one) == 1.5
    tries = (samples(9, phase="warm"), samples(1, 1, runs=4, phase="warm"), samples(1, 2, 3, 4, 10, runs=2))
    found = compute("energy_mj_per_item", round_of(CASE, 1, samples=tries, provenance=provenance))
    # 8 more runs lie between the warm-up and the samples, and in the counters.
    assert found == pytest.approx(8000 / (18 * 4))
    metric = catalog.metrics()["energy_mj_per_item"]
    several = {"usage": {"energy_joules": {"nvml gpu 0": 80.0, "nvml gpu 1": 3.0}}}
    cuda = case(platform="cuda", device="cuda", browser=None, batch_size=4)
    assert metric.compute([one], cuda) == pytest.approx(2000)
    assert metric.compute([one], case(platform="webgpu")) is None, "nobody knows which GPU a page computes on"
    assert metric.compute([round_of(CASE, 1, (1,), provenance=several)], cuda) is None, "which of them is not told"
    assert compute("energy_mj_per_item", round_of(CASE, 1, (1,))) is None


def test_sizes_of_files_and_memories_stay_apart() -> None:
    memory = {
        "peak_rss": 9_000_000,
        "tree_pss": 7_000_000,
        "device_peak_cuda_allocated": 5_000_000,
        "device_end_mps_driver": 99_000_000,
    }
    one = round_of(CASE, 1, (1,), memory_bytes=memory, provenance={"model_bytes": 3_000_000})
    told = {name: compute(name, one) for name in ("peak_memory_mb", "pss_mb", "device_memory_mb", "model_size_mb")}
    assert told == {"peak_memory_mb": 9, "pss_mb": 7, "device_memory_mb": 5, "model_size_mb": 3}


def test_a_round_that_profiled_times_nothing() -> None:
    """Its phases and samples are those of a model under its profiler."""
    timing = round_of(CASE, 1, (5,))
    profiled = round_of(CASE, 1, (90,), purpose="profile", phases={"load": 99_000_000, "first": 99_000_000})
    for name, metric in catalog.metrics().items():
        assert metric.compute([timing, profiled], CASE) == metric.compute([timing], CASE), name
    assert timed_rounds([profiled]) == []
