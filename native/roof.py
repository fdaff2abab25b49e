"""`python -m native.roof THREADS`: what this machine reaches, as one JSON line: the roof above a model's numbers.

`gflops`: of a large matrix product in fp32, the best of the libraries that are here (`gflops_by`).
`gbytes_per_second`: of reading or copying arrays far larger than any cache, the better one (`gbytes_by`).
The conductor sets the libraries' numbers of threads in the environment, as it does for a worker.
"""

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

_SIZE = 2048  # 17 GFLOP, 50 MB: far beyond what calling it costs
_TRIES = 5
_ARRAY_BYTES = 512 * 1024**2  # larger than the caches of today's servers
_FLOAT_BYTES = 4


def measure(threads: int) -> dict[str, object]:
    """The roof with so many threads; the best of some tries, since nothing can make a machine faster than it is."""
    products = {"numpy": _numpy_product(), **({"torch": product} if (product := _torch_product(threads)) else {})}
    gflops = {name: 2 * _SIZE**3 / _shortest_ns(product) for name, product in products.items()}
    rates = {name: moved / _shortest_ns(move) for name, (moved, move) in _moves(threads).items()}
    by, moved_by = max(gflops, key=gflops.__getitem__), max(rates, key=rates.__getitem__)
    return {
        "threads": threads,
        "gflops": gflops[by],
        "gflops_by": f"{by}, {_SIZE}×{_SIZE} in fp32",
        "gbytes_per_second": rates[moved_by],
        "gbytes_by": f"{moved_by}, {_ARRAY_BYTES // 1024**2} MiB",
    }


def _shortest_ns(work: Callable[[], object]) -> int:
    work()  # threads are made, pages are touched
    taken = []
    for _ in range(_TRIES):
        began = time.perf_counter_ns()
        work()
        taken.append(time.perf_counter_ns() - began)
    return min(taken)


def _numpy_product() -> Callable[[], object]:
    a, b = (np.random.default_rng(seed).random((_SIZE, _SIZE), dtype=np.float32) for seed in (0, 1))
    out = np.empty_like(a)
    return lambda: np.matmul(a, b, out=out)


def _torch_product(threads: int) -> Callable[[], object] | None:
    """The same in PyTorch, whose library is the faster one on many machines; None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(threads)
    a, b, out = (torch.rand(_SIZE, _SIZE) for _ in range(3))
    return lambda: torch.mm(a, b, out=out)


def _moves(threads: int) -> dict[str, tuple[int, Callable[[], object]]]:
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
