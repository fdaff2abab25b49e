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

from pathlib import Path
from typing import Any

import torch
import transformers
from numpy.typing import NDArray

from harness.core.errors import Unsupported
from harness.core.events import CaseMessage
from native.seam import BackendFailed, Session, read_inputs, size_of


def open_session(message: CaseMessage) -> Session:
    torch.set_num_threads(message.case.threads)
    # One inference at a time: a second pool could only take cores from the first.
    torch.set_num_interop_threads(1)
    return PyTorchSession(message)


class PyTorchSession:
    """`forward` under `inference_mode`; on the CPU it returns when the work is done."""

    def __init__(self, message: CaseMessage) -> None:
        self.runtime = {"torch": torch.__version__, "transformers": transformers.__version__}
        self._message = message
        built_by = message.artifact.built_by or ""
        # Looked up here, because it imports the model's code: that is not part of loading a model.
        self._class: Any = getattr(transformers, built_by, None)
        if self._class is None:
            raise Unsupported(f"transformers {transformers.__version__} has no class {built_by!r}")
        self._folder = Path(message.base) / (message.artifact.hf or "")
        self._inputs: dict[str, torch.Tensor] = {}
        self._module: Any = None
        self._latest: Any = None

    def prepare(self) -> dict[str, Any]:
        self._inputs = {name: torch.from_numpy(array) for name, array in read_inputs(self._message).items()}
        return {"bytes": size_of([self._folder])}

    def load(self) -> dict[str, Any]:
        try:
            module = self._class.from_pretrained(self._folder, dtype=torch.float32, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise BackendFailed("load_failed", str(error).splitlines()[0]) from error
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

    def drop_outputs(self) -> None:
        self._latest = None
