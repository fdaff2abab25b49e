"""One run of a graph on ONNX Runtime's CPU provider."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporters.seam import ExportFailed, ExportUnsupported

# Fixed, so that sums are made in the same order on every machine with the same kernels.
REFERENCE_THREADS = 2
_ERRORS_ONLY = 3


def run_onnxruntime(path: Path, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs by name, in the graph's order; raises ExportFailed `onnxruntime_refused` in the runtime's words and
    ImportError when it is not installed."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = REFERENCE_THREADS
    options.log_severity_level = _ERRORS_ONLY
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        outputs = dict(zip(names, session.run(names, dict(inputs)), strict=True))
    # Its exceptions share no class but this one.
    except Exception as error:
        raise ExportFailed("onnxruntime_refused", f"ONNX Runtime: {first_line(error)}") from error
    for name, value in outputs.items():
        if not hasattr(value, "dtype"):
            raise ExportUnsupported(f"output {name!r} is no tensor")
    return outputs


def first_line(error: BaseException) -> str:
    """What an exception says, in one line of readable length."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]
