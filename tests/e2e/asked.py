"""The command line as a program asks it: the JSON that comes back, and the exit code that was expected."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def harness(folder: Path, *arguments: str, exit_code: int = 0) -> Any:
    """What `harness … --json` says in that folder."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", *arguments, "--json"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == exit_code, done.stderr
    return json.loads(done.stdout)
