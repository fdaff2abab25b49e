"""ONNX Runtime on its CPU execution provider, on the same graph that the page reads."""

DESCRIBE = {
    "name": "onnxruntime",
    "side": "native",
    "formats": ["onnx"],
    "precisions": ["fp32"],
    "platforms": {"onnxruntime": {"devices": ["cpu"]}},
    "packages": ["onnxruntime"],
    "install": "pip install 'model-benchmark-harness[onnxruntime]'",
}

from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from harness.core.errors import Unsupported
from harness.core.events import CaseMessage
from native.seam import Profiled, Session, as_outcome, read_inputs, size_of

_PROVIDERS = {"cpu": "CPUExecutionProvider"}
_ERRORS_ONLY = 3


def available() -> dict[str, str | None]:
    """`--hardware` name → null where it can run here, else why not."""
    return {"onnxruntime": None}


def open_session(message: CaseMessage) -> Session:
    return OnnxRuntimeSession(message)


class OnnxRuntimeSession:
    """`InferenceSession.run` from host arrays to host arrays."""

    def __init__(self, message: CaseMessage) -> None:
        self.runtime = {"onnxruntime": onnxruntime.__version__}
        self._message = message
        graph = message.artifact.onnx[message.case.precision]
        self._files = [Path(message.base) / name for name in (graph.file, *graph.external)]
        self._inputs: dict[str, NDArray[Any]] = {}
        self._session: Any = None
        self._names: list[str] = []
        self._latest: list[NDArray[Any]] = []

    def prepare(self) -> dict[str, Any]:
        self._inputs = read_inputs(self._message)
        return {"bytes": size_of(self._files)}

    def load(self) -> dict[str, Any]:
        threads = self._message.case.threads
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        provider = _PROVIDERS[self._message.case.device]
        try:
            self._session = onnxruntime.InferenceSession(str(self._files[0]), options, providers=[provider])
        except Exception as error:  # its exceptions share no class but this one
            raise as_outcome("load_failed", error) from error
        self._names = [output.name for output in self._session.get_outputs()]
        return {"threads": threads, "providers": self._session.get_providers()}

    def run(self) -> None:
        self._latest = self._session.run(self._names, self._inputs)

    def outputs(self) -> list[tuple[str, NDArray[Any]]]:
        return list(zip(self._names, self._latest, strict=True))

    def placement(self) -> dict[str, Any]:
        # The CPU provider is the only one registered, so nothing can have fallen back to it.
        return {"providers": {}, "fallbacks": [], "fallback_share": 0.0}

    def profile(self, runs: int) -> Profiled:
        raise Unsupported("no profile here yet")

    def drop_outputs(self) -> None:
        self._latest = []
