"""`python -m exporters.zygote`: all that an export needs imported, forked for each; the fork is the exporters' worker.

What it hears and says: `harness/processes/forking.py`. A fork reads the verb on a line of its own, then the request.
"""

import os
import sys

from exporters import worker
from exporters.warm import warm
from harness.processes.forking import serve


def _work() -> int:
    code = worker.main([sys.stdin.readline().strip()])
    sys.stderr.flush()
    os._exit(code)  # nothing is left to do, and to tear down the imports takes longer than a small export


if __name__ == "__main__":
    sys.exit(serve("an exporter", warm, _work))
