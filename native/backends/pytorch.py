"""PyTorch, eager: the module that transformers builds from the Artifact's `hf/` folder."""

DESCRIBE = {
    "name": "pytorch",
    "side": "native",
    "formats": ["hf"],
    "precisions": ["fp32"],
    "platforms": {"cpu": {"devices": ["cpu"]}},
    "packages": ["torch", "transformers"],
    "install": "pip install 'model-benchmark-harness[pytorch]'",
}

import json
from pathlib import Path
from typing import Any

import torch
import transformers
import transformers.modeling_utils  # what every model class imports when it is looked up: here a zygote has it already
from numpy.typing import NDArray
from transformers.dynamic_module_utils import get_class_from_dynamic_module

from harness.core.errors import Unsupported
from harness.core.events import CaseMessage
from native.seam import Profiled, Session, as_outcome, read_inputs, size_of


def available() -> dict[str, str | None]:
    """`--hardware` name → null where it can run here, else why not."""
    return {"cpu": None}


def open_session(message: CaseMessage) -> Session:
    torch.set_num_threads(message.case.threads)
    # One inference at a time: a second pool could only take cores from the first.
    torch.set_num_interop_threads(1)
    return PyTorchSession(message)


def _class_of(message: CaseMessage, folder: Path) -> Any:
    """transformers' class of that name; the model's own, from the code in its folder, only if the user allowed it."""
    built_by = message.artifact.built_by or ""
    if message.case.model.trust_remote_code:
        offered = json.loads((folder / "config.json").read_text("utf-8")).get("auto_map", {})
        for reference in (each for each in offered.values() if isinstance(each, str)):
            if reference.rsplit(".", 1)[-1] == built_by:
                return get_class_from_dynamic_module(reference, folder, local_files_only=True)
    found = getattr(transformers, built_by, None)
    if found is None:
        raise Unsupported(f"transformers {transformers.__version__} has no class {built_by!r}")
    return found


class PyTorchSession:
    """`forward` under `inference_mode`; on the CPU it returns when the work is done."""

    def __init__(self, message: CaseMessage) -> None:
        self.runtime = {"torch": torch.__version__, "transformers": transformers.__version__}
        self._message = message
        self._folder = Path(message.base) / (message.artifact.hf or "")
        # Looked up here, because it imports the model's code: that is not part of loading a model.
        self._class: Any = _class_of(message, self._folder)
        self._inputs: dict[str, torch.Tensor] = {}
        self._module: Any = None
        self._latest: Any = None

    def prepare(self) -> dict[str, Any]:
        self._inputs = {name: torch.from_numpy(array) for name, array in read_inputs(self._message).items()}
        return {"bytes": size_of([self._folder])}

    def load(self) -> dict[str, Any]:
        try:
            module = self._class.from_pretrained(self._folder, dtype=torch.float32, local_files_only=True)
        except Exception as error:  # of transformers, safetensors and torch, which share no class but this one
            raise as_outcome("load_failed", error) from error
        self._module = module.eval()
        return {"threads": torch.get_num_threads(), "attention": module.config._attn_implementation}

    def run(self) -> None:
        with torch.inference_mode():
            self._latest = self._module(**self._inputs)

    def outputs(self) -> list[tuple[str, NDArray[Any]]]:
        tensors = [(name, value) for name, value in self._latest.items() if isinstance(value, torch.Tensor)]
        return [(name, value.detach().cpu().numpy()) for name, value in tensors]

    def placement(self) -> dict[str, Any]:
        # Eager PyTorch raises where a device lacks an operator; there is no silent fallback to report.
        return {"providers": {}, "fallbacks": [], "fallback_share": 0.0}

    def profile(self, runs: int) -> Profiled:
        raise Unsupported("no profile here yet")

    def drop_outputs(self) -> None:
        self._latest = None
