"""Anything else, by a mapping file (TOML) that says which path of the JSON, or column of the CSV, is what.

`Mapping` is that file's form. A path is `config.model`, `runs[0].mean`, or `$.host.cpu` from the top of the file
instead of from the point. Units have no default, and what neither a path nor `[state]` gives is not known.
"""

from collections.abc import Iterator
from typing import Any, Literal, cast

from pydantic import Field, ValidationError

from harness.core.foreign import BYTES_PER, NS_PER, At, Broken, count_or_none, text_or_none
from harness.core.nouns import Frozen
from harness.core.text import one_line
from harness.imports import Foreign, ForeignPoint, ForeignSamples, Source

DESCRIBE = {
    "name": "mapping",
    "title": "any JSON, JSON lines or CSV, by a mapping file: --from FILE.toml",
    "beside": [],
}
PointField = Literal[
    "model", "model_type", "revision", "weights", "family", "task", "mode", "platform", "backend", "device", "browser",
    "browser_version", "precision", "batch_size", "length", "threads",
]  # fmt: skip
_COUNTS = ("batch_size", "length", "threads")
_CHOICES = {"mode": ("inference", "training"), "weights": ("pretrained", "random")}
_NEEDED = ("model", "platform", "mode")
# Of a browser: there was none, which is something else than that nobody says which.
_NONE = "none"
# Summary in the mapping → our metric, in ms.
_SUMMARIES = {
    "mean": "latency_mean_ms",
    "median": "latency_median_ms",
    "p90": "latency_p90_ms",
    "p95": "latency_p95_ms",
    "p99": "latency_p99_ms",
}


class Tool(Frozen):
    name: str = Field(min_length=1, max_length=100)
    version: str | None = Field(default=None, description="a path")


class Rows(Frozen):
    format: Literal["json", "jsonl", "csv"]
    each: str | None = Field(default=None, description="path to the list of points; null: every row, or the one object")


class Latency(Frozen):
    """Paths; `unit` is one of s, ms, us, ns."""

    unit: str
    samples: str | None = None
    clock: str = Field(default="unknown", description="what the tool reads the time from, as stated")
    mean: str | None = None
    median: str | None = None
    p90: str | None = None
    p95: str | None = None
    p99: str | None = None


class Measured(Frozen):
    path: str
    unit: str


class Mapping(Frozen):
    """The mapping file. Tables whose values are paths: `point`, `options`, `runtime`, `machine`, `metrics`."""

    tool: Tool
    rows: Rows
    point: dict[PointField, str] = Field(default_factory=dict)
    state: dict[PointField, str | int] = Field(default_factory=dict, description="of every point that does not say it")
    values: dict[PointField, dict[str, str]] = Field(
        default_factory=dict, description="what the file calls a value → what it is called here: float32 = 'fp32'"
    )
    latency: Latency
    options: dict[str, str] = Field(default_factory=dict, description="whatever else tells two points apart")
    runtime: dict[str, str] = Field(default_factory=dict, description="package → path of its version")
    machine: dict[str, str] = Field(default_factory=dict, description="what is told of the machine → path from the top")
    phases: dict[str, Measured] = Field(default_factory=dict, description="what happens once: load, first")
    memory: dict[str, Measured] = Field(default_factory=dict, description="source → sizes; sources are never added up")
    metrics: dict[str, str] = Field(
        default_factory=dict, description="metric of the harness → path of a number in that metric's own unit"
    )
    error: str | None = Field(default=None, description="path of a reason; where it has a text, the point has failed")
    measured_at: str | None = Field(default=None, description="path from the top, ISO 8601")


def recognise(content: Any) -> bool:
    """Never by itself: a mapping file is named."""
    return False


def mapping_of(content: Any, file: str) -> Mapping:
    """The mapping in parsed TOML. Raises Broken, with the first key that is wrong."""
    try:
        found = Mapping.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise Broken(f"{file}: {one_line(where, 100)}: {one_line(first['msg'], 200)}") from error
    for unit in (found.latency.unit, *(each.unit for each in found.phases.values())):
        _known(file, unit, NS_PER)
    for unit in (each.unit for each in found.memory.values()):
        _known(file, unit, BYTES_PER)
    latency = found.latency
    if latency.samples is None and not any(getattr(latency, name) for name in _SUMMARIES):
        raise Broken(f"{file}: latency: needs samples, or one of {', '.join(_SUMMARIES)}")
    missing = [name for name in _NEEDED if name not in found.point and name not in found.state]
    if missing:
        raise Broken(f"{file}: {', '.join(missing)}: say where under [point], or what under [state]")
    return found


def read(source: Source) -> Foreign:
    """Raises Broken. The mapping is `source.beside["mapping"]`."""
    mapping = cast(Mapping, source.beside["mapping"])
    top = source.top
    machine = {key: at.plain() for key, path in mapping.machine.items() if (at := _found(top, top, path)) is not None}
    return Foreign(
        tool=mapping.tool.name,
        version=_text(top, top, mapping.tool.version),
        points=[_point(one, top, mapping) for one in _each(top, mapping)],
        machine=machine,
        measured_at=_text(top, top, mapping.measured_at),
    )


def _known(file: str, unit: str, known: dict[str, int]) -> None:
    if unit not in known:
        raise Broken(f"{file}: unit {one_line(unit, 40)!r} is not known; known: {', '.join(known)}")


def _each(top: At, mapping: Mapping) -> Iterator[At]:
    path = mapping.rows.each
    if path is None:
        yield from top.each() if isinstance(top.value, list) else [top]
        return
    found = _found(top, top, path.removesuffix("[*]"))
    if found is None:
        raise top.broken(f"there is nothing at {one_line(path, 100)}")
    yield from found.each()


def _found(at: At, top: At, path: str) -> At | None:
    """An empty cell of a CSV says nothing."""
    found = top.follow(path.removeprefix("$.")) if path.startswith("$.") else at.follow(path)
    return None if found is None or found.value == "" else found


def _text(at: At, top: At, path: str | None) -> str | None:
    return None if path is None else text_or_none(_found(at, top, path))


def _point(at: At, top: At, mapping: Mapping) -> ForeignPoint:
    fields = {name: value for name in (*mapping.point, *mapping.state) if (value := _field(name, at, top, mapping))}
    for name in _NEEDED:
        if name not in fields:
            raise at.broken(f"says no {name}, and [state] neither")
    reason = None if mapping.error is None else _found(at, top, mapping.error)
    known: dict[str, Any] = {
        **{name: None if (name, value) == ("browser", _NONE) else value for name, value in fields.items()},
        "options": {key: text for key, path in mapping.options.items() if (text := _text(at, top, path))},
        "runtime": {key: text for key, path in mapping.runtime.items() if (text := _text(at, top, path))},
    }
    if reason is not None:
        told = one_line(str(reason.plain()), 1000)
        return ForeignPoint(**known, outcome="failed", code="told_failed", reason=told)
    samples, summaries = _latency(at, top, mapping.latency)
    return ForeignPoint(
        **known,
        samples=samples,
        phases_ns={
            name: found.duration_ns(each.unit)
            for name, each in mapping.phases.items() if (found := _found(at, top, each.path)) is not None
        },
        memory_bytes={
            name: found.size_bytes(each.unit)
            for name, each in mapping.memory.items() if (found := _found(at, top, each.path)) is not None
        },
        told=summaries | {
            name: found.number()
            for name, path in mapping.metrics.items() if (found := _found(at, top, path)) is not None
        },
    )  # fmt: skip


def _field(name: PointField, at: At, top: At, mapping: Mapping) -> str | int | None:
    """By its path, else as stated."""
    found = _found(at, top, mapping.point[name]) if name in mapping.point else None
    if found is None:
        stated = mapping.state.get(name)
        if stated is None:
            return None
        found = At(f"{at.file} ([state] of the mapping)", name, stated)
    if name in _COUNTS:
        return count_or_none(found)
    text = found.text()
    text = mapping.values.get(name, {}).get(text, text)
    if name in _CHOICES and text not in _CHOICES[name]:
        raise found.broken(f"{one_line(text, 60)!r} is no {name}: {' or '.join(_CHOICES[name])}; see [values.{name}]")
    return text


def _latency(at: At, top: At, latency: Latency) -> tuple[dict[str, ForeignSamples], dict[str, float]]:
    """Samples, and summaries in ms; one of the two there must be."""
    samples: dict[str, ForeignSamples] = {}
    taken = None if latency.samples is None else _found(at, top, latency.samples)
    if taken is not None:
        samples["sample"] = ForeignSamples(taken.durations_ns(latency.unit), latency.clock)
    told = {
        metric: found.duration_ns(latency.unit) / NS_PER["ms"]
        for name, metric in _SUMMARIES.items()
        if (path := getattr(latency, name)) is not None and (found := _found(at, top, path)) is not None
    }
    if not samples and not told:
        raise at.broken("has no latency where the mapping says")
    return samples, told
