"""OpenVINO, its own runtime and not ONNX Runtime's provider of that name, on the same graph that the page reads.

The precision is always said: left alone, OpenVINO computes fp32 graphs in bf16 where the CPU has it. One request at a
time, which is what a latency is; its throughput mode keeps several in flight, and then neither a duration nor the items
of a run would mean what they mean elsewhere, so it is not offered.
"""

DESCRIBE = {
    "name": "openvino",
    "version": 1,
    "side": "native",
    "formats": ["onnx"],
    "precisions": ["fp32", "fp16", "bf16", "int8", "int8-static", "int4", "q4f16"],
    "reads": {"bf16": "fp32"},
    "platforms": {"openvino": {"devices": ["cpu", "gpu", "npu", "auto"]}},
    "packages": ["openvino"],
    "install": "pip install 'model-benchmark-harness[openvino]'",
}

import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Importing openvino sends usage data over the network, from a thread. Where this package cannot be imported it does
# neither, and says nothing.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import openvino

from harness.core.errors import Unsupported
from harness.core.events import CaseMessage, Operator
from native.seam import Profiled, Session, as_outcome, read_inputs, size_of

_DEVICES = {"cpu": "CPU", "gpu": "GPU", "npu": "NPU", "auto": "AUTO"}
_DRIVERS = {
    "GPU": "install the OpenCL driver of the GPU (on Debian and Ubuntu: apt install intel-opencl-icd)",
    "NPU": "install the NPU's driver (intel-driver-compiler-npu, intel-level-zero-npu)",
}
_PRECISION = {"fp16": "f16", "q4f16": "f16", "bf16": "bf16"}  # any other: f32
_WARM = 3
_VERSION = openvino.get_version().split("-")[0]
# Layer types of its runtime graph that do a model's arithmetic.
_PRODUCTS = ("FullyConnected", "MatMul", "Convolution", "Deconvolution", "GatherMatmul", "RNNCell", "RNNSeq")
_FLOATS = ("f32", "bf16", "f16")
# Its default quantises the activations of a graph whose weights alone are quantised.
_WEIGHTS_ONLY = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
_TOLD = ("NUM_STREAMS", "ENABLE_CPU_PINNING", "ENABLE_HYPER_THREADING", "EXECUTION_DEVICES")


def open_session(message: CaseMessage) -> Session:
    return OpenVinoSession(message)


def available() -> dict[str, str | None]:
    """Each `--hardware` name → None when it can run here, else why not, with what to install."""
    core = openvino.Core()
    return {
        "openvino" if name == "cpu" else f"openvino:{name}": _why_not(core, device) for name, device in _DEVICES.items()
    }


def _why_not(core: Any, device: str) -> str | None:
    found = core.available_devices
    if device == "AUTO" or any(each.split(".")[0] == device for each in found):
        return None
    try:
        core.get_property(device, "AVAILABLE_DEVICES")
        words = "its plug-in finds none"
    except Exception as error:  # its exceptions are RuntimeErrors with C++ files in front
        words = _said(error)
    return f"OpenVINO {_VERSION} has {', '.join(found)} here, no {device}: {words}; {_DRIVERS[device]}"


def _said(error: Exception) -> str:
    """The last line that is more than the name of a C++ file."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in reversed(lines) if line and not line.startswith("Exception from")), str(error))


class OpenVinoSession:
    """`InferRequest.infer` from host arrays to host arrays of their own: without the copy the next run writes over
    them.
    """

    def __init__(self, message: CaseMessage) -> None:
        self.runtime = {"openvino": _VERSION}
        self._message = message
        self._device = _DEVICES[message.case.device]
        precision = message.case.precision
        graph = message.artifact.onnx["fp32" if precision == "bf16" else precision]
        self._hint = _PRECISION.get(precision, "f32")
        self._files = [Path(message.base) / name for name in (graph.file, *graph.external)]
        self._inputs: dict[str, NDArray[Any]] = {}
        self._core = openvino.Core()
        self._compiled: Any = None
        self._request: Any = None
        self._latest: Any = None

    def prepare(self) -> dict[str, Any]:
        self._inputs = read_inputs(self._message)
        return {"bytes": size_of(self._files)}

    def load(self) -> dict[str, Any]:
        if reason := _why_not(self._core, self._device):
            raise Unsupported(reason)
        self._compiled = self._compile(profiled=False)
        computed = self._computed_in()
        self._refuse_another_precision(computed)
        self._request = self._request_for(self._compiled)
        threads = self._told("INFERENCE_NUM_THREADS")
        told = {name.lower(): value for name in _TOLD if (value := self._told(name)) is not None}
        doubts = []
        if self._message.case.precision.startswith("int8") and computed and not computed.keys() & {"i8", "u8"}:
            doubts = [f"an int8 graph, but OpenVINO computes its products in {' and '.join(sorted(computed))}"]
        about = {**told, "precision_hint": self._hint, "computed_in": computed}
        return {"threads": threads, "openvino": about, "doubts": doubts}

    def _refuse_another_precision(self, computed: dict[str, int]) -> None:
        """Raises Unsupported where it would compute in another floating type than the one asked for: by what it says of
        its hint, or, where a device (AUTO) says nothing, by the layers themselves."""
        told = self._told("INFERENCE_PRECISION_HINT")
        floats = sorted(name for name in computed if name in _FLOATS)
        effective = [told.get_type_name()] if told is not None else floats
        if set(effective) <= {self._hint}:
            return
        try:
            can = ", ".join(self._core.get_property(self._device, "OPTIMIZATION_CAPABILITIES"))
        except Exception:  # AUTO has none of its own
            can = f"layers in {', '.join(computed)}"
        raise Unsupported(
            f"OpenVINO would compute in {' and '.join(effective)} where {self._hint} was asked for:"
            f" this {self._device} has {can}"
        )

    def _compile(self, profiled: bool) -> Any:
        """No cache is asked for, so the load is a true one."""
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": self._hint}
        if self._device == "CPU":
            settings |= {"INFERENCE_NUM_THREADS": self._message.case.threads, "NUM_STREAMS": 1, **_WEIGHTS_ONLY}
        elif self._device == "GPU":
            settings |= _WEIGHTS_ONLY
        elif self._device == "AUTO":
            settings |= {"INFERENCE_NUM_THREADS": self._message.case.threads}
            settings["DEVICE_PROPERTIES"] = {
                name: _WEIGHTS_ONLY for name in self._core.available_devices if name != "NPU"
            }
            # Else the CPU answers until a slower device is ready, in the same samples.
            settings["ENABLE_STARTUP_FALLBACK"] = False
        if profiled:
            settings["PERF_COUNT"] = True
        try:
            return self._core.compile_model(str(self._files[0]), self._device, settings)
        except Exception as error:
            raise as_outcome("load_failed", RuntimeError(_said(error))) from error

    def _request_for(self, compiled: Any) -> Any:
        """A request that has its inputs."""
        request = compiled.create_infer_request()
        self._fill(request, compiled)
        return request

    def _fill(self, request: Any, compiled: Any) -> None:
        for port in compiled.inputs:
            name = next(name for name in port.get_names() if name in self._inputs)
            request.set_tensor(port, openvino.Tensor(self._inputs[name], shared_memory=True))

    def give(self, inputs: dict[str, NDArray[Any]]) -> None:
        # Shared memory must be in one piece, and must outlive the request's use of it.
        self._inputs = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        self._fill(self._request, self._compiled)

    def _told(self, name: str) -> Any:
        """A property of the compiled model; None where the device does not know it."""
        try:
            found = self._compiled.get_property(name)
        except Exception:
            return None
        return sorted(found) if isinstance(found, set) else found

    def _computed_in(self) -> dict[str, int]:
        """Layers by precision of the matrix products and convolutions; empty where it does not tell."""
        try:
            nodes = self._compiled.get_runtime_model().get_ops()
        except Exception:
            return {}
        about = [node.get_rt_info() for node in nodes]
        precisions = Counter(_text(each["runtimePrecision"]) for each in about if _text(each["layerType"]) in _PRODUCTS)
        return dict(precisions)

    def run(self) -> None:
        self._latest = self._request.infer(share_outputs=False)

    def outputs(self) -> list[tuple[str, NDArray[Any]]]:
        expected = [tensor.name for tensor in self._message.artifact.expected]
        told = []
        for index, port in enumerate(self._compiled.outputs):
            names = port.get_names()
            name = next((name for name in expected if name in names), None) or port.get_any_name()
            told.append((name, self._latest[index]))
        return told

    def placement(self) -> dict[str, Any]:
        # Each device compiles the whole graph or refuses it: only HETERO splits one, which is not asked for.
        devices = self._told("EXECUTION_DEVICES") or [self._device]
        nodes = sum(1 for node in self._compiled.get_runtime_model().get_ops())
        return {"providers": {"+".join(devices): nodes}, "fallbacks": [], "fallback_share": 0.0}

    def profile(self, runs: int) -> Profiled:
        """A second compiled model with PERF_COUNT, which gives each layer's mean over all runs since it was compiled,
        in whole microseconds rounded down: so a layer is told up to some 1 µs too quick per run. What lies between
        layers, and the copy of the outputs, is in no operator.
        """
        request = self._request_for(self._compile(profiled=True))
        for _ in range(_WARM):
            request.infer(share_outputs=False)
        before = list(request.profiling_info)
        durations_ns = []
        kept: list[Any] = []
        for _ in range(runs):
            kept.clear()  # letting go of a run's outputs is not part of the next one
            started = time.perf_counter_ns()
            kept.append(request.infer(share_outputs=False))
            durations_ns.append(time.perf_counter_ns() - started)
        operators = operators_of(before, list(request.profiling_info), runs, self._device)
        return Profiled("OpenVINO's PERF_COUNT", durations_ns, operators)

    def drop_outputs(self) -> None:
        self._latest = None


def _text(value: Any) -> str:
    """Of what a runtime graph says of a node: a string, or openvino's wrapper of one."""
    return value if isinstance(value, str) else str(value.astype(str))


def operators_of(before: list[Any], after: list[Any], runs: int, device: str) -> list[Operator]:
    """Layers by type, from the means over `_WARM` runs and over `runs` more; those that were merged away are left out.

    A layer that works in place is counted and has no time.
    """
    taken: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for early, late in zip(before, after, strict=True):
        if late.exec_type == "undef" or late.node_type in ("Parameter", "Result", "Const"):
            continue
        microseconds = _microseconds(late) * (_WARM + runs) - _microseconds(early) * _WARM
        taken[late.node_type] += max(0, microseconds)
        calls[late.node_type] += runs
    return [
        Operator(operator=kind, device=device, count=calls[kind], self_ns=spent * 1000)
        for kind, spent in sorted(taken.items(), key=lambda each: -each[1])
    ]


def _microseconds(layer: Any) -> int:
    return int(layer.real_time / timedelta(microseconds=1))
