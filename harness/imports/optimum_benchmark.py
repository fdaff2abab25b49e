"""optimum-benchmark: `benchmark.json`, or `benchmark_report.json` with `benchmark_config.json` beside it.

Written after what 0.6.0 saves. Targets of a report become phases: `load_model` is `load`, `first_*` is `first`, and
the one that a scenario is about is `sample`; every other keeps its name. Energy is left where it is, in `more`: it is
CodeCarbon's estimate where no counter is there, and the report does not say which it was.
"""

from collections.abc import Mapping
from typing import Any, Literal

from harness.core.foreign import At, Broken, count_or_none, text_or_none
from harness.imports import Foreign, ForeignPoint, ForeignSamples, Source

DESCRIBE = {
    "name": "optimum-benchmark",
    "title": "optimum-benchmark's benchmark.json, or its benchmark_report.json and benchmark_config.json",
    "beside": ["benchmark_config.json"],
}
_ABOUT = ("forward", "generate", "call", "train")
_ONCE = {"load_model": "load", "first_forward": "first", "first_generate": "first", "first_call": "first"}
# Steps of a training's warm-up are in `overall` too, and `overall` is `warmup` and `train` together.
_TWICE = ("overall",)
_MEASURES = {"memory", "latency", "throughput", "energy", "efficiency"}
_DTYPES = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
# What changes what is measured, where it is not as it was by default.
_BACKEND_OPTIONS = (
    "torch_compile", "attn_implementation", "autocast_dtype", "quantization_scheme", "device_map", "tp_plan",
    "cache_implementation", "peft_type", "export", "provider",
)  # fmt: skip
_MEMORY = ("max_ram", "max_global_vram", "max_process_vram", "max_reserved", "max_allocated")


def recognise(content: Any) -> bool:
    if not isinstance(content, dict):
        return False
    report = content["report"] if set(content) == {"config", "report"} else content
    return isinstance(report, dict) and bool(report) and all(
        isinstance(target, dict) and set(target) == _MEASURES for target in report.values()
    )  # fmt: skip


def read(source: Source) -> Foreign:
    """One point. Raises Broken."""
    top = source.top
    both = top.get("config")
    if both is not None:
        config, report = both, top.need("report")
    else:
        beside = source.beside.get("benchmark_config.json")
        if beside is None:
            raise Broken(f"{source.file}: it says nothing of the model: benchmark_config.json must lie beside it")
        config, report = At("benchmark_config.json", "$", beside), top
    environment = config.need("environment")
    version = text_or_none(environment.get("optimum_benchmark_version"))
    point = _point(config, report)
    return Foreign(tool="optimum-benchmark", version=version, points=[point], machine=_machine(environment))


def _point(config: At, report: At) -> ForeignPoint:
    backend, scenario = config.need("backend"), config.need("scenario")
    name, device = backend.need("name").text(), text_or_none(backend.get("device"))
    mode: Literal["inference", "training"] = "training" if scenario.need("name").value == "training" else "inference"
    samples, phases, memory = _measured(report, _clock(name, device))
    no_weights = backend.get("no_weights")
    return ForeignPoint(
        model=backend.need("model").text(),
        # Of PyTorch the device is what a user asks for, of a runtime the runtime.
        platform=device if name == "pytorch" else name,
        mode=mode,
        task=text_or_none(backend.get("task")),
        backend=name,
        device=device,
        browser=None,
        precision=_precision(backend),
        batch_size=_batch_size(config, mode),
        length=count_or_none(scenario.follow(f"{_shapes(mode)}.sequence_length")),
        threads=count_or_none(backend.get("intra_op_num_threads")),
        model_type=text_or_none(backend.get("model_type")),
        revision=text_or_none(backend.follow("model_kwargs.revision")),
        weights=None if no_weights is None else "random" if no_weights.value is True else "pretrained",
        options=_options(backend, scenario),
        runtime=_runtime(name, backend, config.need("environment")),
        samples=samples,
        phases_ns=phases,
        memory_bytes=memory,
        told=_peak(memory),
        more={"config": config.plain(), "told": _without_values(report)},
    )


def _measured(
    report: At, clock: str
) -> tuple[dict[str, ForeignSamples], dict[str, int], dict[str, int]]:  # fmt: skip
    samples: dict[str, ForeignSamples] = {}
    phases: dict[str, int] = {}
    memory: dict[str, int] = {}
    for name, target in report.items():
        latency, used = target.get("latency"), target.get("memory")
        if used is not None:
            unit = used.need("unit").text()
            for source in _MEMORY:
                if (size := used.get(source)) is not None:
                    memory[source] = max(memory.get(source, 0), size.size_bytes(unit))
        if latency is None or name in _TWICE:
            continue
        durations = latency.need("values").durations_ns(latency.need("unit").text())
        _as_many_as_told(latency, len(durations))
        if name in _ONCE:
            phases[_ONCE[name]] = durations[0]
        else:
            samples["sample" if name in _ABOUT else name] = ForeignSamples(durations, clock)
    if "sample" not in samples:
        raise report.broken(f"has no latency of {', '.join(_ABOUT)}: it was made without latency=true")
    return samples, phases, memory


def _as_many_as_told(latency: At, held: int) -> None:
    count = latency.get("count")
    if count is not None and count.count() != held:
        raise latency.broken(f"says count {count.count()} and holds {held} values")


def _clock(backend: str, device: str | None) -> str:
    """Its latency tracker takes CUDA's events for PyTorch on CUDA, else `time.perf_counter`."""
    return "cuda_event" if (backend, device) == ("pytorch", "cuda") else "perf_counter"


def _precision(backend: At) -> str | None:
    """None where nobody asked for one: which it was then is the model's and the library's choice."""
    if any(backend.get(key) is not None for key in ("quantization_scheme", "autocast_dtype")):
        return None
    dtype = text_or_none(backend.get("torch_dtype"))
    return None if dtype is None else _DTYPES.get(dtype, dtype)


def _shapes(mode: str) -> str:
    return "dataset_shapes" if mode == "training" else "input_shapes"


def _batch_size(config: At, mode: str) -> int | None:
    """Items per sample; None of a training on several devices, where a sample is one device's."""
    scenario = config.need("scenario")
    if mode == "inference":
        return count_or_none(scenario.follow("input_shapes.batch_size"))
    per_device = count_or_none(scenario.follow("training_arguments.per_device_train_batch_size"))
    steps = count_or_none(scenario.follow("training_arguments.gradient_accumulation_steps"))
    if per_device is None or steps is None or config.need("launcher").need("name").value == "torchrun":
        return None
    return per_device * steps


def _options(backend: At, scenario: At) -> dict[str, str | bool]:
    found: dict[str, str | bool] = {}
    for key in _BACKEND_OPTIONS:
        option = backend.get(key)
        if option is not None and option.value is not False:
            found[key] = True if option.value is True else option.text()
    if (most := scenario.follow("generate_kwargs.max_new_tokens")) is not None:
        found["max_new_tokens"] = most.text()
    return found


def _runtime(name: str, backend: At, environment: At) -> dict[str, str]:
    """What computed first, then the libraries whose versions it tells."""
    package = {"pytorch": "torch"}.get(name, name)
    found = {package: version} if (version := text_or_none(backend.get("version"))) else {}
    for key, value in environment.items():
        if key.endswith("_version") and value.value is not None:
            found.setdefault(key.removesuffix("_version"), value.text())
    return found


def _machine(environment: At) -> dict[str, Any]:
    """Its own description, without the versions of libraries: those change on one machine."""
    left_out = ("_version", "_commit")
    told = {key: each for key, each in environment.plain().items() if not key.endswith(left_out) and each is not None}
    cpu = told.get("cpu")
    return {**told, **({"cpu": cpu.strip()} if isinstance(cpu, str) else {})}


def _peak(memory: Mapping[str, int]) -> dict[str, float]:
    """The highest resident size that it saw, asking every 10 ms: as near as it comes to a high-water mark."""
    return {"peak_memory_mb": memory["max_ram"] / 1e6} if "max_ram" in memory else {}


def _without_values(report: At) -> dict[str, Any]:
    """What it says beside the samples, which are kept as samples."""
    told: dict[str, Any] = {}
    for name, target in report.items():
        told[name] = {
            key: {inner: each for inner, each in value.items() if inner != "values"}
            for key, value in target.value.items()
            if isinstance(value, dict)
        }
    plain: dict[str, Any] = At(report.file, report.path, told).plain()
    return plain
