"""Each foreign format: what its real output says arrives as it was told, and what it does not say stays unknown.

`fixtures/optimum-benchmark` is what optimum-benchmark 0.6.0 wrote here of two tiny random models of our own, with the
folder of the models and the kernel's name taken out. transformers.js-benchmarking saves no file: those are written by
hand in the shape that its suites yield.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from harness import catalog
from harness.core.foreign import Broken
from harness.imports import Foreign, ForeignPoint, Source
from harness.imports.mapping import mapping_of

FIXTURES = Path(__file__).parent / "fixtures"
STATS = {"min": 1.0, "max": 9.0, "mean": 2.5, "median": 2.25, "p1": 1, "p5": 1, "p10": 1, "p90": 4, "p95": 5, "p99": 8}
SUITE: dict[str, Any] = {
    "Fill Mask": {"setupTime": 812.5, "stats": {"Default": {**STATS, "stdDev": 0.5}}, "disposeTime": 3.5},
    "Translation": {"error": "no available backend found"},
}
MAPPING: dict[str, Any] = {
    "tool": {"name": "my-bench"},
    "rows": {"format": "json", "each": "runs"},
    "point": {"model": "model", "platform": "$.host.device", "precision": "dtype"},
    "state": {"mode": "inference", "browser": "none"},
    "values": {"precision": {"float32": "fp32"}},
    "latency": {"unit": "us", "samples": "times", "mean": "mean"},
}


def read(name: str, content: Any, **beside: Any) -> Foreign:
    return catalog.imports()[name].read(Source("some.json", content, beside))


def optimum(name: str) -> ForeignPoint:
    folder = FIXTURES / "optimum-benchmark" / name
    parsed = {path.name: json.loads(path.read_text("utf-8")) for path in folder.iterdir()}
    content = parsed.pop("benchmark.json", None) or parsed.pop("benchmark_report.json")
    foreign = read("optimum-benchmark", content, **parsed)
    assert (foreign.tool, foreign.version, foreign.machine["cpu"]) == ("optimum-benchmark", "0.6.0", "AMD EPYC")
    (point,) = foreign.points
    return point


def mapped(content: Any, **changes: Any) -> Foreign:
    return read("mapping", content, mapping=mapping_of({**MAPPING, **changes}, "my.toml"))


def test_an_inference_by_optimum_benchmark() -> None:
    point = optimum("bert-inference")
    # Its own numbers are in seconds: 0.0004259449924575165 is the first, 0.01365708900266327 the loading.
    assert len(point.samples["sample"].durations_ns) == 8
    assert point.samples["sample"].durations_ns[0] == 425_945
    assert point.samples["sample"].clock == "perf_counter"
    assert point.phases_ns == {"load": 13_657_089, "first": 6_177_349}
    assert point.memory_bytes == {"max_ram": 866_041_856}
    assert (point.batch_size, point.length, point.threads) == (2, 16, 1)
    assert (point.platform, point.backend, point.device, point.browser) == ("cpu", "pytorch", "cpu", None)
    assert (point.model, point.model_type, point.task) == ("bert-tiny-random", "bert", "fill-mask")
    assert next(iter(point.runtime.items())) == ("torch", "2.14.1")
    # torch_dtype is null: which precision that was is not in the file.
    assert point.precision is None


def test_a_generation_keeps_its_parts_and_a_training_counts_no_step_twice() -> None:
    generation, training = optimum("gpt2-generation"), optimum("bert-training")
    lengths = {phase: len(each.durations_ns) for phase, each in generation.samples.items()}
    assert lengths == {"sample": 8, "prefill": 8, "decode": 8, "per_token": 136}
    assert generation.options == {"max_new_tokens": "4"}
    assert training.mode == "training"
    # 8 steps, 2 of which warmed up; `overall` has all 8 once more.
    assert {phase: len(each.durations_ns) for phase, each in training.samples.items()} == {"warmup": 2, "sample": 6}


def test_summaries_of_transformers_js_benchmarking_are_no_samples() -> None:
    ok, failed = read("transformers.js-benchmarking", SUITE).points
    assert (ok.model, ok.backend, ok.options) == ("Fill Mask", "transformers_js", {"test": "Default"})
    assert (ok.platform, ok.precision, ok.batch_size, ok.browser) == (None, None, None, "unknown")
    assert ok.samples == {} and ok.phases_ns == {"setup": 812_500_000, "dispose": 3_500_000}
    assert ok.told == {
        "latency_mean_ms": 2.5, "latency_median_ms": 2.25,
        "latency_p90_ms": 4, "latency_p95_ms": 5, "latency_p99_ms": 8,
    }  # fmt: skip
    assert (failed.outcome, failed.reason) == ("failed", "no available backend found")


@pytest.mark.parametrize("content", [
    SUITE, [{"name": name, "result": result} for name, result in SUITE.items()],
    {"status": "update", "name": "Fill Mask", "result": SUITE["Fill Mask"]},
])  # fmt: skip
def test_each_way_to_save_a_suite_is_known_by_its_shape(content: Any) -> None:
    known = [name for name, form in catalog.imports().items() if form.recognise(content)]
    assert known == ["transformers.js-benchmarking"]
    assert read(known[0], content).points[0].model == "Fill Mask"


def test_no_two_formats_know_the_same_fixture() -> None:
    for path in FIXTURES.rglob("benchmark*.json"):
        known = [
            name for name, form in catalog.imports().items() if form.recognise(json.loads(path.read_text("utf-8")))
        ]
        assert known == ([] if path.name == "benchmark_config.json" else ["optimum-benchmark"])


@pytest.mark.parametrize("form", catalog.imports().values(), ids=lambda form: form.name)
@pytest.mark.parametrize(
    "content", [None, True, 0, "text", [], {}, [[]], [{}], {"a": None}, {"report": 1, "config": 2}]
)
def test_nothing_is_taken_for_a_result_that_is_none(form: catalog.Import, content: Any) -> None:
    assert form.title and not form.recognise(content)


def test_a_mapping_says_where_everything_stands() -> None:
    content = {"host": {"device": "npu"}, "runs": [{"model": "m", "dtype": "float32", "times": [1.5, 2], "mean": 1750}]}
    (point,) = mapped(content).points
    assert (point.model, point.platform, point.precision, point.browser) == ("m", "npu", "fp32", None)
    assert point.samples["sample"].durations_ns == (1500, 2000)
    assert point.told == {"latency_mean_ms": 1.75}
    assert (point.batch_size, point.threads, point.task, point.device) == (None, None, None, None)


def test_a_mapping_reads_columns_whose_names_have_dots() -> None:
    rows = [{"model.name": "m", "latency": "2.5", "batch": ""}]
    (point,) = mapped(
        rows, rows={"format": "csv"}, point={"model": "model.name", "batch_size": "batch"},
        state={"mode": "training", "platform": "cpu"}, latency={"unit": "ms", "median": "latency"},
    ).points  # fmt: skip
    assert (point.model, point.mode, point.batch_size, point.told) == (
        "m",
        "training",
        None,
        {"latency_median_ms": 2.5},
    )


@pytest.mark.parametrize(("changes", "words"), [
    ({"latency": {"samples": "times"}}, "latency.unit"),
    ({"latency": {"unit": "minutes", "samples": "times"}}, "unit 'minutes' is not known; known: s, ms, us, ns"),
    ({"latency": {"unit": "ms"}}, "needs samples, or one of mean, median"),
    ({"state": {}}, "mode: say where under [point], or what under [state]"),
    ({"point": {"modle": "model"}}, "point.modle"),
    ({"memory": {"rss": {"path": "rss", "unit": "Mb"}}}, "unit 'Mb' is not known"),
])  # fmt: skip
def test_a_mapping_that_leaves_something_to_guess_is_refused(changes: Any, words: str) -> None:
    with pytest.raises(Broken) as caught:
        mapped({}, **changes)
    assert words in str(caught.value)


@pytest.mark.parametrize(("run", "words"), [
    ({"times": [1, -2]}, "some.json: $.runs[0].times[1]: is negative: -2"),
    ({"times": []}, "$.runs[0].times: should hold 1 to"),
    ({"times": [1, True]}, "$.runs[0].times[1]: should be a number, is true or false"),
    ({"times": "fast"}, "$.runs[0].times: should be a list, is a text"),
    ({"times": [float("nan")]}, "$.runs[0].times[0]: is no finite number"),
    ({"times": [1e15]}, "is longer than a week: is that the unit?"),
    ({"model": "a\nb", "times": [1]}, "$.runs[0].model: is empty, too long, or has characters"),
    ({}, "$.runs[0]: has no latency where the mapping says"),
    ({"model": None, "times": [1]}, "$.runs[0]: says no model, and [state] neither"),
])  # fmt: skip
def test_what_no_result_can_be_is_refused_with_its_place(run: Any, words: str) -> None:
    with pytest.raises(Broken) as caught:
        mapped({"host": {"device": "npu"}, "runs": [{"model": "m", **run}]})
    assert words in str(caught.value)


def test_a_report_without_its_config_says_what_is_missing() -> None:
    report = json.loads(
        (FIXTURES / "optimum-benchmark" / "bert-inference" / "benchmark_report.json").read_text("utf-8")
    )
    with pytest.raises(Broken, match=r"benchmark_config\.json must lie beside it"):
        read("optimum-benchmark", report)
    config = json.loads(
        (FIXTURES / "optimum-benchmark" / "bert-inference" / "benchmark_config.json").read_text("utf-8")
    )
    report["forward"]["latency"]["unit"] = "parsec"
    with pytest.raises(Broken, match=r"some\.json: \$\.forward\.latency\.values\[0\]: unit 'parsec'"):
        read("optimum-benchmark", report, **{"benchmark_config.json": config})
    report["forward"]["latency"] |= {"unit": "s", "count": 9}
    with pytest.raises(Broken, match="says count 9 and holds 8 values"):
        read("optimum-benchmark", report, **{"benchmark_config.json": config})
