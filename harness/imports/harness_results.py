"""This harness's own `run --json` or `show --json`, of any version that had `cases`: summaries, without samples.

A database or journal brings more than this object does: copy those where you can. What its answers were checked against
is kept as it was told; here nothing was checked.
"""

from typing import Any, cast

from harness.core.foreign import At, count_or_none, text_or_none
from harness.imports import Foreign, ForeignPoint, Source

DESCRIBE = {
    "name": "harness",
    "title": "one object that `harness run --json` or `harness show --json` printed",
    "beside": [],
}
_NUMBERS = (
    "latency_median_ms", "latency_mean_ms", "latency_p90_ms", "latency_p95_ms", "latency_p99_ms",
    "throughput_items_per_second", "load_ms", "first_inference_ms", "peak_memory_mb",
)  # fmt: skip
_KEPT = ("case_id", "slug", "correct", "clock", "doubts", "rounds", "rounds_failed", "software", "fallback_share")


def recognise(content: Any) -> bool:
    """Some keys came later; these were there from the first version."""
    if not isinstance(content, dict) or not {"run_id", "machine", "cases"} <= content.keys():
        return False
    cases = content["cases"]
    return isinstance(cases, list) and all(
        isinstance(one, dict) and {"case_id", "metrics"} <= one.keys() for one in cases
    )


def read(source: Source) -> Foreign:
    """Raises Broken."""
    top = source.top
    machine = top.need("machine")
    plain = machine.plain() if isinstance(machine.value, dict) else None
    if plain is None:
        raise machine.broken("should be an object")
    return Foreign(
        tool="harness",
        version=text_or_none(machine.follow("packages.model-benchmark-harness")),
        points=[_point(one) for one in top.need("cases").each()],
        machine=plain,
        measured_at=text_or_none(top.get("started_at")),
        run_id=top.need("run_id").text(),
    )


def _point(at: At) -> ForeignPoint:
    outcome = _one_of(at.need("outcome"), ("ok", "unsupported", "failed"))
    metrics = at.need("metrics")
    label = text_or_none(at.get("runtime"))
    package, _, version = (label or "").rpartition("@")
    return ForeignPoint(
        model=at.need("model").text(),
        platform=text_or_none(at.get("platform")),
        mode=cast(Any, _one_of(at.need("mode"), ("inference", "training"))),
        task=text_or_none(at.get("task")),
        backend=text_or_none(at.get("backend")),
        device=text_or_none(at.get("device")),
        browser=text_or_none(at.get("browser")),
        browser_version=text_or_none(at.get("browser_version")),
        precision=text_or_none(at.get("precision")),
        batch_size=count_or_none(at.get("batch_size")),
        length=count_or_none(at.get("length")),
        threads=count_or_none(at.get("threads")),
        weights=cast(Any, _one_of(at.need("weights"), ("pretrained", "random"))),
        family=text_or_none(at.get("model_family")),
        options=_options(at),
        runtime={package: version} if package else {},
        told={name: told.number() for name in _NUMBERS if (told := metrics.get(name)) is not None},
        more={"told": At(at.file, at.path, {key: at.value.get(key) for key in (*_KEPT, "metrics")}).plain()},
        software=_truth(at.get("software")),
        fallback_share=None if (share := at.get("fallback_share")) is None else share.number(),
        doubts=_doubts(at.get("doubts")),
        outcome=cast(Any, outcome),
        code=text_or_none(at.get("code")),
        reason=None if (reason := at.get("reason")) is None else str(reason.plain()),
    )


def _truth(at: At | None) -> bool | None:
    if at is not None and not isinstance(at.value, bool):
        raise at.broken("should be true or false")
    return None if at is None else bool(at.value)


def _doubts(at: At | None) -> tuple[str, ...]:
    if at is not None and not isinstance(at.value, list):
        raise at.broken("should be a list")
    return () if at is None else tuple(At(at.file, f"{at.path}[{n}]", one).text() for n, one in enumerate(at.value))


def _options(at: At) -> dict[str, str | bool]:
    """Its own, and whatever else was not usual and so tells two points apart."""
    found: dict[str, str | bool] = {}
    options = at.get("options")
    for key, value in options.items() if options is not None else ():
        name = At(value.file, value.path, key).text()
        found[name] = value.value if isinstance(value.value, bool) else value.text()
    for key, usual in (("scale", "full"), ("outputs", "host"), ("cache", "cold"), ("network", None), ("layers", None)):
        told = at.get(key)
        if told is not None and told.value != usual:
            found[key] = told.text()
    return found


def _one_of(at: At, known: tuple[str, ...]) -> str:
    if at.value not in known:
        raise at.broken(f"should be {', '.join(known[:-1])} or {known[-1]}")
    return str(at.value)
