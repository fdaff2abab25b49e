"""`python -m native.available BACKEND`: what a native backend can run on this machine, as one JSON line.

`--hardware` name (`onnxruntime:cuda`) → null where it can, else why not and what would mend it. Asked of the library
itself, in a process of its own, since importing it is slow and may end badly.
"""

import importlib
import json
import os
import sys

from native.worker import private_stdout


def main(backend: str) -> int:
    """Exit code 0 once it is said; a backend that cannot be imported ends with that error on stderr."""
    channel = private_stdout()
    found = importlib.import_module(f"native.backends.{backend}").available()
    channel.write(json.dumps(found) + "\n")
    channel.flush()
    os._exit(0)  # as a worker does: C++ libraries have been seen to hang while they tear down


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
