"""The loop that a stranger would write around ONNX Runtime; it imports nothing of ours.

python bare_loop.py MODEL INPUT SHAPE THREADS WARM_SECONDS SAMPLE_SECONDS      → one JSON line
"""

import json
import statistics
import sys
import time

import numpy as np
import onnxruntime


def main() -> None:
    model, data, shape, threads, warm_s, sample_s = sys.argv[1:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    x = np.fromfile(data, dtype=np.float32).reshape([int(size) for size in shape.split(",")])
    feeds = {session.get_inputs()[0].name: x}

    started = time.perf_counter_ns()
    session.run(None, feeds)
    first_ns = time.perf_counter_ns() - started

    end = time.perf_counter_ns() + int(float(warm_s) * 1e9)
    while time.perf_counter_ns() < end:
        session.run(None, feeds)

    durations_ns = []
    end = time.perf_counter_ns() + int(float(sample_s) * 1e9)
    while time.perf_counter_ns() < end:
        started = time.perf_counter_ns()
        session.run(None, feeds)
        durations_ns.append(time.perf_counter_ns() - started)

    found = {"median_ms": statistics.median(durations_ns) / 1e6, "n": len(durations_ns), "first_ms": first_ns / 1e6}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
