"""ONNX Runtime's execution providers: what each device name means, what brings it, and whether it is there.

A provider is either in the build (`get_available_providers`) or a plug-in that was registered (`get_ep_devices`).
Options are those without which a number would not be what its precision says: TF32 is not fp32.
"""

from dataclasses import dataclass, field
from typing import Any

from harness.core.errors import Unsupported
from native.seam import BackendFailed, as_outcome


@dataclass(frozen=True)
class Provider:
    """`memory` is ORT's name of the memory that inputs are bound in; None: it reads host arrays.

    `waits`: `synchronize_outputs` waits for the device, so that outputs can stay there and a run still be timed.
    """

    name: str
    install: str
    options: dict[str, str] = field(default_factory=dict)
    memory: str | None = None
    waits: bool = False


_HOST_BUILD = "pip install onnxruntime"
PROVIDERS = {
    "cpu": Provider("CPUExecutionProvider", _HOST_BUILD),
    "cuda": Provider(
        "CUDAExecutionProvider",
        "pip install onnxruntime-gpu, beside NVIDIA's driver",
        {"device_id": "0", "use_tf32": "0"},
        memory="cuda",
        waits=True,
    ),
    "tensorrt": Provider(
        "TensorrtExecutionProvider",
        "pip install onnxruntime-gpu tensorrt, beside NVIDIA's driver",
        {"device_id": "0"},
        memory="cuda",
        waits=True,
    ),
    "migraphx": Provider(
        "MIGraphXExecutionProvider",
        "pip install onnxruntime-migraphx, beside ROCm",
        {"device_id": "0"},
        memory="cuda",  # ORT's one name for the memory of a GPU that HIP or CUDA drives
        waits=True,
    ),
    # Of its two formats the older one computes in fp16 on the GPU, whatever the graph says.
    "coreml": Provider("CoreMLExecutionProvider", "pip install onnxruntime, on macOS", {"ModelFormat": "MLProgram"}),
    "directml": Provider(
        "DmlExecutionProvider", "pip install onnxruntime-directml, on Windows", {"device_id": "0"}, memory="dml"
    ),
    "openvino": Provider(
        "OpenVINOExecutionProvider",
        "pip install onnxruntime-openvino",
        {"device_type": "CPU", "precision": "FP32", "num_of_threads": "{threads}"},
    ),
    # Its default is to compute fp32 graphs in fp16.
    "qnn": Provider(
        "QNNExecutionProvider",
        "pip install onnxruntime-qnn, on Windows for Arm",
        {"backend_type": "htp", "enable_htp_fp16_precision": "0"},
    ),
    # Its `synchronize_outputs` was seen to return in microseconds while the adapter had 13 ms of work left.
    "webgpu": Provider("WebGpuExecutionProvider", "pip install onnxruntime-ep-webgpu", memory="webgpu"),
}
_GONE = ("device lost", "device removed", "device hung", "dxgi_error_device", "cudaerrordevicesunavailable")
_NO_DEVICE = (
    "driver version is insufficient",
    "no cuda-capable device",
    "failed to get a webgpu adapter",
    "no supported adapters",
)


def missing(runtime: Any, device: str) -> str | None:
    """Why this build of ONNX Runtime has no such provider, with the install line; None when it has it."""
    provider = PROVIDERS[device]
    offered = runtime.get_available_providers()
    plugged = sorted({found.ep_name for found in runtime.get_ep_devices()} - set(offered))
    if provider.name in (*offered, *plugged):
        return None
    has = ", ".join([*offered, *plugged])
    return f"ONNX Runtime {runtime.__version__} has no {provider.name} here, but {has}: {provider.install}"


def register(runtime: Any, options: Any, device: str, threads: int) -> list[Any]:
    """What `InferenceSession` takes as `providers`; a plug-in goes into `options` instead, and the list is empty.

    Raises Unsupported where the provider is not there.
    """
    if reason := missing(runtime, device):
        raise Unsupported(reason)
    provider = PROVIDERS[device]
    settings = {key: value.format(threads=threads) for key, value in provider.options.items()}
    if provider.name in runtime.get_available_providers():
        # What it does not take goes to the CPU provider, which is counted and told.
        rest = [] if device == "cpu" else ["CPUExecutionProvider"]
        return [(provider.name, settings), *rest]
    found = next(each for each in runtime.get_ep_devices() if each.ep_name == provider.name)
    options.add_provider_for_devices([found], settings)
    return []


def bind_inputs(runtime: Any, session: Any, device: str, inputs: dict[str, Any]) -> Any:
    """A binding with the inputs copied to the device once; None for a provider that reads host arrays."""
    memory = PROVIDERS[device].memory
    if memory is None:
        return None
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_ortvalue_input(name, runtime.OrtValue.ortvalue_from_numpy(array, memory, 0))
    return binding


def bind_outputs(binding: Any, names: list[str], device: str, outputs: str) -> None:
    """Anew, which lets go of those of the run before; ORT allocates them as it runs."""
    binding.clear_binding_outputs()
    for name in names:
        binding.bind_output(name, PROVIDERS[device].memory if outputs == "device" else "cpu")


def outcome_of(device: str, code: str, error: Exception) -> BackendFailed | Unsupported:
    """A foreign error as the Round's outcome: a device that is not there is Unsupported, one that went is a failure."""
    words = str(error)
    if device != "cpu" and any(each in words.lower() for each in _NO_DEVICE):
        return Unsupported(f"{PROVIDERS[device].name}: {_tail(words)}")
    if any(each in words.lower() for each in _GONE):
        return BackendFailed("device_lost", _tail(words))
    return as_outcome(code, error)


def _tail(words: str, most: int = 300) -> str:
    """ORT begins with files, lines and signatures; what is to be said stands at the end."""
    line = words.strip().splitlines()[-1] if words.strip() else "it gave no reason"
    return line if len(line) <= most else f"… {line[-most:]}"
