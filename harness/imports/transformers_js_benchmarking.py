"""transformers.js-benchmarking: what its suites yield, `{name, result}` per test, as a list, as JSON lines, or as the
page holds it: an object of name → result.

The tool prints and shows these objects and saves none, so a file of them is what somebody saved. They hold summaries in
milliseconds and no samples; of the model, the device, the precision and the machine they say nothing but the test's
name: `--state platform=webgpu,browser=chrome,precision=fp32` adds what you know, as stated by you.
"""

from collections.abc import Iterator
from typing import Any

from harness.core.foreign import At
from harness.core.text import one_line
from harness.imports import Foreign, ForeignPoint, Source

DESCRIBE = {
    "name": "transformers.js-benchmarking",
    "title": "results of transformers.js-benchmarking's suites, as they yield them: {name, result}",
    "beside": [],
}
_STATS = {
    "mean": "latency_mean_ms",
    "median": "latency_median_ms",
    "p90": "latency_p90_ms",
    "p95": "latency_p95_ms",
    "p99": "latency_p99_ms",
}
_PHASES = {"setupTime": "setup", "disposeTime": "dispose"}


def recognise(content: Any) -> bool:
    if isinstance(content, list):
        return bool(content) and all(_is_named(one) and _is_result(one["result"]) for one in content)
    if not isinstance(content, dict) or not content:
        return False
    return all(map(_is_result, content.values())) or (_is_named(content) and _is_result(content["result"]))


def read(source: Source) -> Foreign:
    """Raises Broken."""
    points = [point for name, result in _results(source.top) for point in _points(name, result)]
    return Foreign(tool="transformers.js-benchmarking", version=None, points=points)


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and {"name", "result"} <= set(value) <= {"name", "result", "status"}


def _is_result(value: Any) -> bool:
    return isinstance(value, dict) and (set(value) == {"error"} or {"setupTime", "stats", "disposeTime"} == set(value))


def _results(top: At) -> Iterator[tuple[str, At]]:
    if isinstance(top.value, list) or _is_named(top.value):
        for one in top.each() if isinstance(top.value, list) else [top]:
            yield one.need("name").text(), one.need("result")
        return
    for name, result in top.items():
        yield At(top.file, top.path, name).text(), result


def _points(name: str, result: At) -> Iterator[ForeignPoint]:
    known: dict[str, Any] = {"model": name, "backend": "transformers_js", "mode": "inference"}
    error = result.get("error")
    if error is not None:
        reason = one_line(str(error.value), 1000)
        yield ForeignPoint(**known, outcome="failed", code="told_failed", reason=reason)
        return
    phases = {phase: at.duration_ns("ms") for key, phase in _PHASES.items() if (at := result.get(key)) is not None}
    for test, stats in result.need("stats").items():
        told = {metric: at.number() for key, metric in _STATS.items() if (at := stats.get(key)) is not None}
        if not {"latency_mean_ms", "latency_median_ms"} <= told.keys():
            raise stats.broken("has no mean or no median")
        yield ForeignPoint(
            **known,
            options={"test": At(stats.file, stats.path, test).text()},
            phases_ns=phases,
            told=told,
            more={"told": stats.plain()},
        )
