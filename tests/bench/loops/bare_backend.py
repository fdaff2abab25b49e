"""The loops that strangers would write around three native backends, on one folder of files; it imports nothing of
ours.

python bare_backend.py pytorch|onnxruntime|openvino FOLDER THREADS WARM_SECONDS SAMPLE_SECONDS      → one JSON line
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Run = Callable[[], object]


def inputs_of(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    return {
        each["name"]: np.fromfile(folder / each["file"], dtype=each["dtype"]).reshape(each["shape"])
        for each in manifest["inputs"]
    }


def pytorch(folder: Path, manifest: dict[str, Any], threads: int) -> Run:
    import torch
    import transformers

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    module = getattr(transformers, manifest["built_by"]).from_pretrained(folder / "hf").eval()
    inputs = {name: torch.from_numpy(array) for name, array in inputs_of(folder, manifest).items()}

    def run() -> object:
        with torch.inference_mode():
            return module(**inputs)

    return run


def onnxruntime(folder: Path, manifest: dict[str, Any], threads: int) -> Run:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    graph = str(folder / manifest["onnx"]["fp32"]["file"])
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    inputs = inputs_of(folder, manifest)
    return lambda: session.run(None, inputs)


def openvino(folder: Path, manifest: dict[str, Any], threads: int) -> Run:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # importing it would send usage data
    import openvino as ov

    model = ov.Core().read_model(folder / manifest["onnx"]["fp32"]["file"])
    # Its default would be bf16 where the CPU has it, and as many threads as there are.
    wanted = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    compiled = ov.Core().compile_model(model, "CPU", wanted)
    inputs = inputs_of(folder, manifest)
    return lambda: compiled(inputs)


def main() -> None:
    backend, place, threads, warm_s, sample_s = sys.argv[1:]
    folder = Path(place)
    manifest = json.loads((folder / "artifact.json").read_text("utf-8"))
    openers = {"pytorch": pytorch, "onnxruntime": onnxruntime, "openvino": openvino}
    run = openers[backend](folder, manifest, int(threads))

    started = time.perf_counter_ns()
    run()
    first_ns = time.perf_counter_ns() - started

    end = time.perf_counter_ns() + int(float(warm_s) * 1e9)
    while time.perf_counter_ns() < end:
        run()

    durations_ns = []
    end = time.perf_counter_ns() + int(float(sample_s) * 1e9)
    while time.perf_counter_ns() < end:
        started = time.perf_counter_ns()
        run()
        durations_ns.append(time.perf_counter_ns() - started)

    found = {"median_ms": statistics.median(durations_ns) / 1e6, "n": len(durations_ns), "first_ms": first_ns / 1e6}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
