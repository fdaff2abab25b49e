"""One run of a graph on ONNX Runtime's CPU provider."""

import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporters.seam import ExportFailed, ExportUnsupported
from harness.core.wording import code_by_words

# Fixed, so that sums are made in the same order on every machine with the same kernels.
REFERENCE_THREADS = 2
_ERRORS_ONLY = 3
# One inference of the largest model that is sensibly measured takes a small part of it.
RUN_LIMIT_S = 600.0
# `[ONNXRuntimeError] : 1 : FAIL : ` and C++ signatures say nothing to who reads the sentence after them.
_NOISE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : |/onnxruntime_src/.*?\) (?=[A-Z])")


def run_onnxruntime(path: Path, inputs: Mapping[str, Any], as_it_stands: bool = False) -> dict[str, Any]:
    """Outputs by name, in the graph's order, of the graph as the runtime optimises it or `as_it_stands`.

    Raises ExportFailed `onnxruntime_refused` (no session), `out_of_memory` or `onnxruntime_failed` (no run) in the
    runtime's words, and ImportError when it is not installed.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = REFERENCE_THREADS
    options.log_severity_level = _ERRORS_ONLY
    if as_it_stands:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    code = "onnxruntime_refused"
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        code = "onnxruntime_failed"
        outputs = dict(zip(names, _run_bounded(session, names, dict(inputs)), strict=True))
    except ExportFailed:
        raise
    # Its exceptions share no class but this one.
    except Exception as error:
        if code == "onnxruntime_failed":
            code = code_by_words(str(error)) or code
        raise ExportFailed(code, f"ONNX Runtime: {_plainly(error, path)}") from error
    for name, value in outputs.items():
        if not hasattr(value, "dtype"):
            raise ExportUnsupported(f"output {name!r} is no tensor")
    return outputs


def _run_bounded(session: Any, names: list[str], inputs: dict[str, Any]) -> list[Any]:
    """A graph may hold a loop without an end; the runtime looks at the flag between nodes."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    timer = threading.Timer(RUN_LIMIT_S, setattr, (options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        found: list[Any] = session.run(names, inputs, options)
    except Exception as error:
        if options.terminate:
            reason = f"one inference took longer than {RUN_LIMIT_S:g} s and was ended"
            raise ExportFailed("reference_timeout", reason) from error
        raise
    finally:
        timer.cancel()
    return found


def _plainly(error: BaseException, path: Path) -> str:
    lines = str(error).replace(str(path), "the graph").strip().splitlines() or [type(error).__name__]
    return _NOISE.sub("", lines[0])[:300]


def first_line(error: BaseException) -> str:
    """What an exception says, in one line of readable length."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]
