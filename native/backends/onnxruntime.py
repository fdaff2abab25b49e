"""ONNX Runtime on each of its execution providers, on the same graph that the page reads."""

DESCRIBE = {
    "name": "onnxruntime",
    "version": 1,
    "side": "native",
    "formats": ["onnx"],
    "precisions": ["fp32", "fp16", "int8", "int8-static", "int4", "q4f16"],
    "refuses": {"bf16": "no bf16 graph is made, and ONNX Runtime does not compute an fp32 graph in bf16"},
    "platforms": {
        "onnxruntime": {
            "devices": ["cpu", "cuda", "tensorrt", "migraphx", "coreml", "directml", "openvino", "qnn", "webgpu"]
        }
    },
    "packages": ["onnxruntime"],
    "extras": ["onnxruntime-ep-webgpu"],
    "install": "pip install 'model-benchmark-harness[onnxruntime]'",
    "outputs": ["host", "device"],
    "options": ["graph_opt"],
}

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from harness.core.errors import Unsupported
from harness.core.events import CaseMessage
from native.onnxruntime import profile as profiles
from native.onnxruntime import webgpu
from native.onnxruntime.providers import (
    PROVIDERS,
    bind_inputs,
    bind_outputs,
    binding_for,
    missing,
    outcome_of,
    register,
)
from native.seam import Profiled, Session, read_inputs, size_of

_ERRORS_ONLY = 3
_RECORD_PLACEMENT = "session.record_ep_graph_assignment_info"
_GRAPH_OPT = {
    "disable": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
_WARM = 3


def open_session(message: CaseMessage) -> Session:
    return OnnxRuntimeSession(message)


def available() -> dict[str, str | None]:
    """Each `--hardware` name → None when it can run here, else why not, with what to install."""
    return {"onnxruntime" if device == "cpu" else f"onnxruntime:{device}": _why_not(device) for device in PROVIDERS}


def _why_not(device: str) -> str | None:
    try:
        if device == "webgpu":
            webgpu.plug_in(onnxruntime)
            if sys.platform == "linux" and not webgpu.vulkan_adapters():
                return f"{PROVIDERS[device].name} needs an adapter, and Vulkan offers none: install the GPU's driver"
    except Unsupported as error:
        return str(error)
    return missing(onnxruntime, device)


def _unknown(reason: str) -> dict[str, Any]:
    return {"providers": {}, "fallbacks": [], "fallback_share": None, "reason": reason}


class OnnxRuntimeSession:
    """`InferenceSession.run` from host arrays to host arrays. Where a device has memory of its own, a run begins with
    the inputs on the host too, and ends when the outputs are there, or, left on the device, when that says so.
    """

    def __init__(self, message: CaseMessage) -> None:
        self.runtime = {"onnxruntime": onnxruntime.__version__}
        self._message = message
        self._device = message.case.device
        self._provider = PROVIDERS[self._device]
        graph = message.artifact.onnx[message.case.precision]
        self._files = [Path(message.base) / name for name in (graph.file, *graph.external)]
        self._inputs: dict[str, NDArray[Any]] = {}
        self._session: Any = None
        self._binding: Any = None
        self._names: list[str] = []
        self._latest: list[NDArray[Any]] = []

    def prepare(self) -> dict[str, Any]:
        self._inputs = read_inputs(self._message)
        return {"bytes": size_of(self._files)}

    def load(self) -> dict[str, Any]:
        case = self._message.case
        if reason := self._provider.refuses.get(case.precision):
            raise Unsupported(f"{self._provider.name}, {case.precision}: {reason}")
        os.environ.update(self._provider.environment)
        if case.outputs == "device" and not self._provider.waits:
            raise Unsupported(f"{self._provider.name}: nothing here waits for outputs that stay on the device")
        plugged = webgpu.plug_in(onnxruntime) if self._device == "webgpu" else {}
        self._session = self._open(self._options())
        used = self._session.get_providers()
        if self._provider.name not in used:
            raise Unsupported(f"ONNX Runtime left {self._provider.name} out and would run on {', '.join(used)}")
        self._names = [output.name for output in self._session.get_outputs()]
        self._binding = binding_for(self._session, self._device)
        self.drop_outputs()
        told = {"threads": case.threads, "providers": used, "runtime": plugged}
        if options := self._session.get_provider_options().get(self._provider.name):
            told["provider_options"] = options
        return {**told, "webgpu": webgpu.provenance(onnxruntime)} if plugged else told

    def _options(self) -> Any:
        case = self._message.case
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = case.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        options.add_session_config_entry(_RECORD_PLACEMENT, "1")
        wanted = str(case.options.get("graph_opt", "all"))
        if wanted not in _GRAPH_OPT:
            raise Unsupported(f"graph_opt={wanted}: it is one of {', '.join(_GRAPH_OPT)}")
        options.graph_optimization_level = _GRAPH_OPT[wanted]
        if self._device == "directml":
            options.enable_mem_pattern = False  # it refuses to load with it
        return options

    def _open(self, options: Any) -> Any:
        providers = register(onnxruntime, options, self._device, self._message.case.threads)
        try:
            # Without the last argument a provider that fails is replaced by the CPU's, with a line on stdout.
            return onnxruntime.InferenceSession(str(self._files[0]), options, providers=providers, enable_fallback=0)
        except Exception as error:  # its exceptions share no class but this one
            outcome = outcome_of(self._device, "load_failed", error)
            if self._device == "webgpu" and isinstance(outcome, Unsupported):
                outcome = Unsupported(f"{outcome}{webgpu.offered()}")
            raise outcome from error

    def give(self, inputs: dict[str, NDArray[Any]]) -> None:
        self._inputs = inputs

    def run(self) -> None:
        try:
            if self._binding is None:
                self._latest = self._session.run(self._names, self._inputs)
            else:
                bind_inputs(self._binding, self._inputs)
                self._session.run_with_iobinding(self._binding)
                self._binding.synchronize_outputs()
        except Exception as error:
            raise outcome_of(self._device, "inference_failed", error) from error

    def outputs(self) -> list[tuple[str, NDArray[Any]]]:
        latest = self._latest if self._binding is None else self._binding.copy_outputs_to_cpu()
        return list(zip(self._names, latest, strict=True))

    def placement(self) -> dict[str, Any]:
        """From the session's own record of which provider each node was given to, before a provider fuses them."""
        if not hasattr(self._session, "get_provider_graph_assignment_info"):
            return _unknown(f"ONNX Runtime {onnxruntime.__version__} does not tell where nodes went")
        nodes = [
            (part.ep_name, node)
            for part in self._session.get_provider_graph_assignment_info()
            for node in part.get_nodes()
        ]
        if not nodes:
            return _unknown("no node was recorded")
        names = [name for name, _ in nodes]
        left = [f"{node.op_type} ({node.name})" for name, node in nodes if name != self._provider.name]
        told = {
            "providers": {name: names.count(name) for name in dict.fromkeys(names)},
            "fallbacks": left,
            "fallback_share": len(left) / len(nodes),
        }
        if self._device == "cpu" and self._message.case.precision in ("fp16", "q4f16"):
            self._session = None  # two at a time would stand in the peak of memory
            told |= profiles.computed_in(self._profiled(1)[0])
        return told

    def profile(self, runs: int) -> Profiled:
        """A second session with ONNX Runtime's profiler on, in whole microseconds per kernel. Its bookkeeping, some
        microseconds per kernel, is partly in them; what lies between kernels, and Python, is in no operator.
        """
        if self._provider.memory is not None:
            raise Unsupported(f"{self._provider.name}: ONNX Runtime's profile has only the time to hand kernels over")
        nodes, durations_ns = self._profiled(runs)
        return Profiled("ONNX Runtime's profiler", durations_ns, profiles.operators(nodes, self._provider.name))

    def _profiled(self, runs: int) -> tuple[list[profiles.Event], list[int]]:
        with tempfile.TemporaryDirectory() as folder:
            options = self._options()
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(folder) / "profile")
            session = self._open(options)
            durations_ns = []
            for _ in range(_WARM + runs):
                started = time.perf_counter_ns()
                session.run(self._names, self._inputs)
                durations_ns.append(time.perf_counter_ns() - started)
            nodes = profiles.last_runs(Path(session.end_profiling()), runs)
        return nodes, durations_ns[_WARM:]

    def drop_outputs(self) -> None:
        self._latest = []
        if self._binding is not None:
            bind_outputs(self._binding, self._names, self._device, self._message.case.outputs)
