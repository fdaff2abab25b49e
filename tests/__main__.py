"""The tests, as `make test` runs them: `python -m tests` what every commit must pass, `--all` also what is long.

Two passes: what times nothing in two processes at once, then what is marked `serial` alone; what one exports, all find.
What is left of the command line goes to pytest. The durations of both are kept in results/tests/durations.json. Exit
status: the first that is not 0.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import ARTIFACTS
from tests.durations import Durations

KEPT = Path("results") / "tests" / "durations.json"
_PASSES = {
    "parallel": ("not serial", ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")),
    "serial": ("serial", ()),
}


def main(arguments: list[str]) -> int:
    """Run both passes, the second also where the first fails; print the slowest files."""
    everything = "--all" in arguments
    rest = [argument for argument in arguments if argument != "--all"]
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    began, codes, seconds = time.monotonic(), [], {}
    with tempfile.TemporaryDirectory(prefix="artifacts-") as artifacts:
        for name, (marked, how) in _PASSES.items():
            kept = KEPT.with_name(f"durations-{name}.json")
            kept.unlink(missing_ok=True)
            expression = marked if everything else f"{marked} and not long"
            command = [sys.executable, "-m", "pytest", "-q", "-m", expression, f"--durations-file={kept}", *how, *rest]
            codes.append(subprocess.run(command, check=False, env={**os.environ, ARTIFACTS: artifacts}).returncode)
            if kept.exists():
                seconds[name] = Durations.model_validate_json(kept.read_text("utf-8"))
    KEPT.write_text(json.dumps({name: each.model_dump() for name, each in seconds.items()}, indent=1) + "\n", "utf-8")
    files = {file: (s, name) for name, each in seconds.items() for file, s in each.files.items()}
    slowest = sorted(files.items(), key=lambda item: -item[1][0])[:10]
    lines = [f"{s:7.1f} s  {file} ({name})" for file, (s, name) in slowest]
    minutes = (time.monotonic() - began) / 60
    sys.stdout.write("\n".join([f"\n{minutes:.1f} min in all; the slowest files:", *lines]) + "\n")
    # 5: nothing of that pass was asked for.
    return next((code for code in codes if code not in (0, 5)), 0 if 0 in codes else 5)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
