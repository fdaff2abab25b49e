"""`python -m native.zygote BACKEND`: a backend imported and nothing computed, forked for each Round; the fork is the
worker. What it hears and says: `harness/processes/forking.py`.

So each Round still has a process of its own, with a model of its own, and only the imports are shared. What else is
shared must be known to whoever reads the numbers: all forks have one layout of memory and one hash seed, and what
differs by them between fresh processes is not in the spread of their Rounds. Pages of the imports are mapped or copied
when a fork first touches them, which is in `load` and `first`; the steady state showed no difference.

After import there are, on Linux, threads: OpenBLAS's pools of numpy and of scipy (which transformers imports),
`threads - 1` each, which end themselves before a fork and come again when needed; none of PyTorch's or ONNX Runtime's,
whose pools begin with the first operator or session; and ONNX Runtime's sender of usage data, unless
ORT_DISABLE_TELEMETRY is set, which the conductor does.
"""

import contextlib
import importlib
import sys

from harness.processes.forking import serve
from native import worker


def _imports() -> None:
    with contextlib.suppress(ImportError):  # the fork will try again, and say why not in its own words
        importlib.import_module(f"native.backends.{sys.argv[1]}")


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1], _imports, lambda: worker.main("zygote")))
