"""One case by optimum-benchmark, in the interpreter that has it (packages of mid-2025); it imports nothing of ours.

python peer_loop.py pytorch|onnxruntime FOLDER THREADS SECONDS LENGTH      → one JSON line

FOLDER is as `from_pretrained` reads it; for onnxruntime with a `model.onnx` in it.
"""

import json
import statistics
import sys
import time

from optimum_benchmark import Benchmark, BenchmarkConfig, InferenceConfig, ORTConfig, ProcessConfig, PyTorchConfig


def main() -> None:
    backend, folder, threads, seconds, length = sys.argv[1:]
    common = {
        "model": folder, "task": "feature-extraction", "library": "transformers", "device": "cpu",
        "intra_op_num_threads": int(threads), "inter_op_num_threads": 1, "no_weights": False,
    }  # fmt: skip
    scenario = InferenceConfig(
        memory=False, latency=True, input_shapes={"batch_size": 1, "sequence_length": int(length)},
        duration=float(seconds), iterations=10, warmup_runs=10,
    )  # fmt: skip
    settings = PyTorchConfig(**common) if backend == "pytorch" else ORTConfig(**common, export=False)
    began = time.perf_counter()
    report = Benchmark.launch(BenchmarkConfig("peer", scenario=scenario, launcher=ProcessConfig(), backend=settings))
    wall_s = time.perf_counter() - began
    values = report.to_dict()["forward"]["latency"]["values"]
    found = {"median_ms": statistics.median(values) * 1e3, "n": len(values), "wall_s": wall_s}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
