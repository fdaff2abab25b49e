"""PyTorch: the module that transformers, or diffusers, builds from the Artifact's `hf/` folder, on each of its devices.

`run` begins with inputs on the host, as a page's does, and ends when the work is done and its outputs are where the
Case wants them. PYTORCH_ENABLE_MPS_FALLBACK is left alone, and is off unless the user sets it: an operator that a
device lacks then raises instead of running elsewhere.
"""

DESCRIBE = {
    "name": "pytorch",
    "version": 1,
    "side": "native",
    "formats": ["hf"],
    "precisions": ["fp32", "fp16", "bf16", "int8"],
    "reads": {"fp16": "fp32", "bf16": "fp32", "int8": "fp32"},
    "refuses": {
        "int8-static": "static quantisation in PyTorch needs a graph from torch.export and a calibration: not here",
        "int4": "PyTorch's int4 kernels are made for bf16 activations; for fp32 ones, which int4 means here, its CPU"
        " code is many times slower than fp32 itself",
        "q4f16": "PyTorch's int4 kernels are made for bf16 activations, not for fp16",
    },
    "platforms": {
        "cpu": {"devices": ["cpu"]},
        "cuda": {"devices": ["cuda"]},
        "rocm": {"devices": ["rocm"]},
        "mps": {"devices": ["mps"]},
        "xpu": {"devices": ["xpu"]},
    },
    "packages": ["torch", "transformers"],
    "extras": ["torchao", "diffusers"],
    "install": "pip install 'model-benchmark-harness[pytorch]'",
    "outputs": ["host", "device"],
    "options": ["compile", "channels_last", "autocast"],
}

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
import transformers.modeling_utils  # what every model class imports when it is looked up: here a zygote has it already
from numpy.typing import NDArray
from transformers.cache_utils import DynamicCache
from transformers.dynamic_module_utils import get_class_from_dynamic_module

from harness.core.calls import CALL_FILE, Call
from harness.core.errors import Unsupported
from harness.core.events import CaseMessage
from harness.core.leaves import named_tensors
from harness.core.past import call
from native.pytorch.devices import DEVICES
from native.pytorch.diffusion import class_in_diffusers, load_part, version_of_diffusers
from native.pytorch.errors import outcome_of
from native.pytorch.options import autocast_of, compiled, images_last, import_compiler, to_channels_last
from native.pytorch.profile import profiled
from native.pytorch.quantise import import_torchao, quantise_int8
from native.seam import Profiled, Session, read_inputs, size_of

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16, "int8": torch.float32}


def available() -> dict[str, str | None]:
    """Platform → None where it can run here, else why not and what to install."""
    return {name: device.why_not() for name, device in DEVICES.items()}


def open_session(message: CaseMessage) -> Session:
    torch.set_num_threads(message.case.threads)
    # One inference at a time: a second pool could only take cores from the first.
    torch.set_num_interop_threads(1)
    # TF32 is not fp32; for convolutions it is PyTorch's default.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return PyTorchSession(message)


def _call_in(folder: Path) -> Call | None:
    """How a module of another library than transformers is called; None for transformers' own."""
    told = folder / CALL_FILE
    return Call.model_validate_json(told.read_text("utf-8")) if told.is_file() else None


def _class_of(message: CaseMessage, folder: Path) -> Any:
    """transformers' class of that name; the model's own, from the code in its folder, only if the user allowed it."""
    built_by = message.artifact.built_by or ""
    if (call := _call_in(folder)) is not None:
        return class_in_diffusers(call)
    if message.case.model.trust_remote_code:
        offered = json.loads((folder / "config.json").read_text("utf-8")).get("auto_map", {})
        for reference in (each for each in offered.values() if isinstance(each, str)):
            if reference.rsplit(".", 1)[-1] == built_by:
                return get_class_from_dynamic_module(reference, folder, local_files_only=True)
    found = getattr(transformers, built_by, None)
    if found is None:
        raise Unsupported(f"transformers {transformers.__version__} has no class {built_by!r}")
    return found


def _kept_otherwise(module: Any, dtype: torch.dtype) -> dict[str, Any]:
    """Parameters by type and a doubt, where transformers keeps some in another floating type than was asked for."""
    counted: dict[str, int] = {}
    for parameter in module.parameters():
        name = str(parameter.dtype).removeprefix("torch.")
        counted[name] = counted.get(name, 0) + parameter.numel()
    others = {name: count for name, count in counted.items() if name != str(dtype).removeprefix("torch.")}
    if not others:
        return {}
    share = sum(others.values()) / sum(counted.values())
    doubt = f"{share:.1%} of the parameters are kept in {' and '.join(others)} by transformers"
    return {"parameters_by_dtype": counted, "doubts": [doubt]}


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def _mps_falls_back() -> bool:
    return os.environ.get("PYTORCH_ENABLE_MPS_FALLBACK", "0") != "0"


class PyTorchSession:
    """`forward` under `inference_mode`, from inputs on the host to outputs where the Case wants them."""

    def __init__(self, message: CaseMessage) -> None:
        self.runtime = {"torch": torch.__version__, "transformers": transformers.__version__}
        self._message, self._case = message, message.case
        self._device = DEVICES[self._case.device]
        if reason := self._device.why_not():
            raise Unsupported(reason)
        if self._case.precision == "int8" and self._case.device != "cpu":
            raise Unsupported(
                "where a device has no int8 product for a shape, torchao multiplies on the CPU or in floats without a"
                f" word; on {self._case.device} nobody has seen yet which it is"
            )
        if self._case.outputs == "device" and self._case.device == "cpu":
            raise Unsupported("a CPU's outputs are on the host: --outputs device is for accelerators")
        self._autocast = autocast_of(self._case, self._device.torch_name)
        # With autocast, the weights and the inputs are those of fp32.
        self._dtype = torch.float32 if self._case.options.get("autocast") else _DTYPES[self._case.precision]
        self._folder = Path(message.base) / (message.artifact.hf or "")
        # Here and not in `load`, because it imports code: that is not part of loading a model.
        if self._case.precision == "int8":
            self.runtime["torchao"] = import_torchao()
        if self._case.options.get("compile"):
            import_compiler()
        self._call = _call_in(self._folder)
        self._class: Any = _class_of(message, self._folder)
        self.runtime |= version_of_diffusers() if self._call is not None else {}
        self._inputs: dict[str, torch.Tensor] = {}
        self._channels_last = False
        self._wanted = tuple(tensor.name for tensor in message.artifact.expected)
        self._module: Any = None
        self._cache_of: Any = None
        self._returned: Any = None
        self._latest: dict[str, torch.Tensor] = {}

    def prepare(self) -> dict[str, Any]:
        self.give(read_inputs(self._message))
        return {"bytes": size_of([self._folder])}

    def give(self, inputs: dict[str, NDArray[Any]]) -> None:
        tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
        # Cast once: the model is given what it computes with, as it would be by who has it in half precision.
        self._inputs = {
            name: tensor.to(self._dtype) if tensor.is_floating_point() else tensor for name, tensor in tensors.items()
        }
        if self._channels_last:
            self._inputs = images_last(self._inputs)

    def load(self) -> dict[str, Any]:
        self._device.reset_peak()
        try:
            if self._call is not None:
                module = load_part(self._class, self._folder, self._dtype)
                self._call.bind(module)
            else:
                module = self._class.from_pretrained(self._folder, dtype=self._dtype, local_files_only=True).eval()
            module = module.to(self._device.torch_name)
            told = self._told(module)
            told |= quantise_int8(module) if self._case.precision == "int8" else {}
            told |= self._arranged(module)
            self._device.synchronize()
        except Exception as error:  # of transformers, safetensors and torch, which share no class but this one
            raise outcome_of("load_failed", error) from error
        return told

    def _told(self, module: Any) -> dict[str, Any]:
        return {
            "threads": torch.get_num_threads(),
            "attention": "diffusers' own" if self._call is not None else module.config._attn_implementation,
            "device": self._device.describe(),
            "dtype": str(self._dtype).removeprefix("torch."),
            **_kept_otherwise(module, self._dtype),
            **({"autocast": self._case.precision} if self._case.options.get("autocast") else {}),
            **({"mps_fallback": _mps_falls_back()} if self._case.device == "mps" else {}),
        }

    def _arranged(self, module: Any) -> dict[str, Any]:
        """Keep the module as the options want it; what they have to tell."""
        options, told = self._case.options, {}
        if (given := options.get("channels_last")) is not None:
            if given is not True:
                raise Unsupported(f"--option channels_last takes no value: {given!r}")
            self._inputs, self._channels_last = to_channels_last(module, self._inputs), True
        if option := options.get("compile"):
            folder = Path(self._message.outputs_to)
            module, told["compile"] = compiled(module, option, self._device.torch_name, folder)
        self._module = module
        self._cache_of = partial(DynamicCache, config=module.config)
        return told

    def run(self) -> None:
        try:
            with torch.inference_mode(), self._autocast:
                inputs = {name: tensor.to(self._device.torch_name) for name, tensor in self._inputs.items()}
                # All of it is kept until `drop_outputs`: letting go of caches that are no output is not timed.
                self._returned = call(self._module, inputs, self._cache_of)
                found = named_tensors(self._returned, _is_tensor, self._inputs)
                # What an Artifact leaves out of its outputs is not asked for.
                latest = {name: found[name] for name in self._wanted if name in found}
                if self._case.outputs == "host":
                    # On a CPU this copies nothing.
                    latest = {name: tensor.cpu() for name, tensor in latest.items()}
            self._device.synchronize()
        except Exception as error:
            raise outcome_of("inference_failed", error) from error
        self._latest = latest

    def outputs(self) -> list[tuple[str, NDArray[Any]]]:
        # The judge compares with fp32, and numpy has no bf16: exact, and outside of what is timed.
        return [
            (name, (tensor.float() if tensor.is_floating_point() else tensor).cpu().numpy())
            for name, tensor in self._latest.items()
        ]

    def placement(self) -> dict[str, Any]:
        # PyTorch raises where a device lacks an operator; there is no silent fallback to report, but for MPS' own.
        unknown = self._case.device == "mps" and _mps_falls_back()
        return {"providers": {}, "fallbacks": [], "fallback_share": None if unknown else 0.0}

    def memory(self) -> dict[str, int]:
        return self._device.memory()

    def profile(self, runs: int) -> Profiled:
        return profiled(self.run, self.drop_outputs, runs, self._device.torch_name)

    def drop_outputs(self) -> None:
        self._returned, self._latest = None, {}
