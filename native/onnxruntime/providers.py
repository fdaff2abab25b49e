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
    """`memory` is ORT's name of the device's own memory; None: it computes on host arrays. `environment` is set
    before the first session, for what no option says; `refuses` gives the precisions that it would compute otherwise.

    `waits`: `synchronize_outputs` waits for the device, so that outputs can stay there and a run still be timed.
    """

    name: str
    install: str
    options: dict[str, str] = field(default_factory=dict)
    memory: str | None = None
    waits: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)


PROVIDERS = {
    "cpu": Provider("CPUExecutionProvider", "pip install 'model-benchmark-harness[onnxruntime]'"),
    "cuda": Provider(
        "CUDAExecutionProvider",
        "pip install onnxruntime-gpu in place of onnxruntime, beside NVIDIA's driver",
        {"device_id": "0", "use_tf32": "0"},
        memory="cuda",
        waits=True,
    ),
    "tensorrt": Provider(
        "TensorrtExecutionProvider",
        "pip install onnxruntime-gpu tensorrt in place of onnxruntime, beside NVIDIA's driver",
        {"device_id": "0"},
        memory="cuda",
        waits=True,
        environment={"NVIDIA_TF32_OVERRIDE": "0"},  # TensorRT's default is TF32, and the provider has no option for it
    ),
    "migraphx": Provider(
        "MIGraphXExecutionProvider",
        "pip install onnxruntime-migraphx in place of onnxruntime, beside ROCm",
        {"device_id": "0"},
        memory="cuda",  # ORT's one name for the memory of a GPU that HIP or CUDA drives
        waits=True,
    ),
    # Of its two formats the older one computes in fp16 on the GPU, whatever the graph says.
    "coreml": Provider("CoreMLExecutionProvider", "pip install onnxruntime, on macOS", {"ModelFormat": "MLProgram"}),
    "directml": Provider(
        "DmlExecutionProvider",
        "pip install onnxruntime-directml in place of onnxruntime, on Windows",
        {"device_id": "0"},
        memory="dml",
    ),
    "openvino": Provider(
        "OpenVINOExecutionProvider",
        "pip install onnxruntime-openvino in place of onnxruntime",
        {"device_type": "CPU", "precision": "FP32", "num_of_threads": "{threads}"},
        refuses=dict.fromkeys(
            ("fp16", "q4f16"), "the provider is told to compute in fp32: --hardware openvino is told more"
        ),
    ),
    # Its default is to compute fp32 graphs in fp16.
    "qnn": Provider(
        "QNNExecutionProvider",
        "pip install onnxruntime-qnn in place of onnxruntime, on Windows for Arm",
        {"backend_type": "htp", "enable_htp_fp16_precision": "0"},
    ),
    # Its `synchronize_outputs` was seen to return in microseconds while the adapter had 13 ms of work left.
    "webgpu": Provider("WebGpuExecutionProvider", "pip install 'model-benchmark-harness[webgpu]'", memory="webgpu"),
}
_GONE = ("device lost", "device removed", "device hung", "dxgi_error_device", "cudaerrordevicesunavailable")
_ARENA_FULL = "smaller than requested bytes"
_NOT_HERE = (
    "driver version is insufficient",
    "no cuda-capable device",
    "failed to get a webgpu adapter",
    "but the device does not support it",  # a shader needs f16, which this adapter has not
)


def missing(runtime: Any, device: str) -> str | None:
    """Why this ONNX Runtime has no such provider, with the install line; None when it has it."""
    provider, offered = PROVIDERS[device], runtime.get_available_providers()
    if provider.name in offered or _plugged(runtime, provider):
        return None
    has = ", ".join(offered)
    return f"ONNX Runtime {runtime.__version__} has no {provider.name} here, but {has}: {provider.install}"


def register(runtime: Any, options: Any, device: str, threads: int) -> list[Any] | None:
    """What `InferenceSession` takes as `providers`; None for a plug-in, whose device goes into `options`.

    Raises Unsupported where the provider is not there.
    """
    if reason := missing(runtime, device):
        raise Unsupported(reason)
    provider = PROVIDERS[device]
    settings = {key: value.format(threads=threads) for key, value in provider.options.items()}
    # A plug-in stands among the available ones too, but a session that is given its name alone leaves it out.
    if plugged := _plugged(runtime, provider):
        options.add_provider_for_devices(plugged[:1], settings)
        return None
    # What it does not take goes to the CPU provider, which is counted and told.
    return [(provider.name, settings), *([] if device == "cpu" else [PROVIDERS["cpu"].name])]


def _plugged(runtime: Any, provider: Provider) -> list[Any]:
    """The devices of a provider that came from a library of its own."""
    devices = runtime.get_ep_devices()
    return [each for each in devices if each.ep_name == provider.name and "library_path" in each.ep_metadata]


def binding_for(session: Any, device: str) -> Any:
    """A binding of inputs and outputs; None for a provider that reads and writes host arrays."""
    return None if PROVIDERS[device].memory is None else session.io_binding()


def bind_inputs(binding: Any, inputs: dict[str, Any]) -> None:
    """From the host, part of every run: as a page's are, and PyTorch's."""
    for name, array in inputs.items():
        binding.bind_cpu_input(name, array)


def bind_outputs(binding: Any, names: list[str], device: str, outputs: str) -> None:
    """Anew, which lets go of those of the run before; ORT allocates them as it runs."""
    binding.clear_binding_outputs()
    for name in names:
        binding.bind_output(name, PROVIDERS[device].memory if outputs == "device" else "cpu")


def outcome_of(device: str, code: str, error: Exception) -> BackendFailed | Unsupported:
    """A foreign error as the Round's outcome: what a device cannot do is Unsupported, one that went is a failure."""
    words = str(error)
    if device != "cpu" and any(each in words.lower() for each in _NOT_HERE):
        return Unsupported(f"{PROVIDERS[device].name}: {_tail(words)}")
    if any(each in words.lower() for each in _GONE):
        return BackendFailed("device_lost", _tail(words))
    if _ARENA_FULL in words.lower():
        return BackendFailed("out_of_memory", _tail(words))
    return as_outcome(code, error)


def _tail(words: str, most: int = 300) -> str:
    """ORT begins with files, lines and signatures; what is to be said stands at the end."""
    line = words.strip().splitlines()[-1] if words.strip() else "it gave no reason"
    line = line.rsplit(" was false. ", 1)[-1]
    return line if len(line) <= most else f"… {line[-most:]}"
