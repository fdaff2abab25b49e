"""`python -m native.roof THREADS`: what this machine reaches, as one JSON line: the roof above a model's numbers.

`gflops`: of a large matrix product in fp32 with a constant matrix, the best of the libraries that are here
(`gflops_by`). They differ by more than a half, and a roof that a library's models go through would be none.
`gbytes_per_second`: of reading or copying arrays far larger than any cache, the better one (`gbytes_by`).
The conductor sets the libraries' numbers of threads in the environment, as it does for a worker.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

_SIZE = 2048  # 17 GFLOP, 50 MB: far beyond what calling it costs
_TRIES = 5
_ARRAY_BYTES = 512 * 1024**2  # larger than the caches of today's servers
_FLOAT_BYTES = 4
_Work = Callable[[], object]


def measure(threads: int) -> dict[str, object]:
    """The roof with so many threads; the best of some tries, since nothing can make a machine faster than it is."""
    # One library after the other, each let go of before the next: idle threads of some spin for a while.
    gflops = {name: 2 * _SIZE**3 / _shortest_ns(product) for name, product in _products(threads)}
    rates = {name: moved / _shortest_ns(move) for name, (moved, move) in _moves(threads).items()}
    by, moved_by = max(gflops, key=gflops.__getitem__), max(rates, key=rates.__getitem__)
    return {
        "threads": threads,
        "gflops": gflops[by],
        "gflops_by": f"{by}, {_SIZE}×{_SIZE} in fp32",
        "gflops_of": gflops,
        "gbytes_per_second": rates[moved_by],
        "gbytes_by": f"{moved_by}, {_ARRAY_BYTES // 1024**2} MiB",
    }


def _shortest_ns(work: _Work) -> int:
    work()  # threads are made, pages are touched
    taken = []
    for _ in range(_TRIES):
        began = time.perf_counter_ns()
        work()
        taken.append(time.perf_counter_ns() - began)
    return min(taken)


def _products(threads: int) -> Iterator[tuple[str, _Work]]:
    """Each library that is here, with the same product; made when its turn comes."""
    a, b = (np.random.default_rng(seed).random((_SIZE, _SIZE), dtype=np.float32) for seed in (0, 1))
    out = np.empty_like(a)
    yield "numpy", lambda: np.matmul(a, b, out=out)
    for name, make in (("torch", _torch), ("openvino", _openvino), ("onnxruntime", _onnxruntime)):
        try:
            yield name, make(a, b, threads)
        except ImportError:
            continue


def _torch(a: Any, b: Any, threads: int) -> _Work:
    import torch

    torch.set_num_threads(threads)
    left, right, out = torch.from_numpy(a), torch.from_numpy(b), torch.empty(_SIZE, _SIZE)
    return lambda: torch.mm(left, right, out=out)


def _openvino(a: Any, b: Any, threads: int) -> _Work:
    # As its backend does: importing it would send usage data.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino
    from openvino import opset13 as operators

    left = operators.parameter([_SIZE, _SIZE], np.float32)
    model = openvino.Model([operators.matmul(left, operators.constant(b), False, False)], [left])
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    request.set_input_tensor(openvino.Tensor(a, shared_memory=True))
    return lambda: request.infer(share_outputs=True)


def _onnxruntime(a: Any, b: Any, threads: int) -> _Work:
    import onnx
    import onnxruntime

    node = onnx.helper.make_node("MatMul", ["a", "b"], ["y"])
    shaped = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [_SIZE, _SIZE]) for name in ("a", "y")]
    graph = onnx.helper.make_graph([node], "product", shaped[:1], shaped[1:], [onnx.numpy_helper.from_array(b, "b")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"a": a})


def _moves(threads: int) -> dict[str, tuple[int, _Work]]:
    """Name → bytes moved and what moves them, by as many threads: numpy lets others run while it works."""
    elements = _ARRAY_BYTES // _FLOAT_BYTES // threads
    sources = [np.ones(elements, dtype=np.float32) for _ in range(threads)]
    targets = [np.zeros(elements, dtype=np.float32) for _ in range(threads)]
    pool = ThreadPoolExecutor(threads)

    def read() -> None:
        list(pool.map(lambda each: each.max(), sources))

    def copy() -> None:
        list(pool.map(np.copyto, targets, sources))

    size = elements * threads * _FLOAT_BYTES
    return {"reading": (size, read), "copying": (2 * size, copy)}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
