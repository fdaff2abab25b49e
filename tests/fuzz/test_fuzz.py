"""Each target for a fixed number of inputs, in a process of its own: libFuzzer ends the process that it runs in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
RUNS = 500
MANY_RUNS = 3000


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_are_valid(name: str, tmp_path: Path) -> None:
    seeds = list(TARGETS[name].seeds())
    assert seeds
    for seed in seeds:
        TARGETS[name].check(seed, tmp_path)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("runs", [RUNS, pytest.param(MANY_RUNS, marks=pytest.mark.long)])
def test_nothing_is_found(name: str, runs: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", name, "--runs", str(runs)],
        cwd=ROOT, capture_output=True, text=True, check=False, errors="replace", timeout=300,
        env={**os.environ, "TMPDIR": str(tmp_path)},  # libFuzzer ends the process before it can clean up
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"Done {runs} runs" in done.stderr


def test_a_find_is_an_exit_code(tmp_path: Path) -> None:
    """The proof that the test above can fail: a parser with a fault that only a guided fuzzer meets."""
    script = tmp_path / "faulty.py"
    script.write_text(
        "import sys, atheris\n"
        "@atheris.instrument_func\n"
        "def check(data):\n"
        "    if data[:1] == b'b' and data[1:2] == b'u' and data[2:3] == b'g': raise ValueError('found')\n"
        f"atheris.Setup(['x', '-runs=2000000', '-seed=1', '-artifact_prefix={tmp_path}/'], check)\n"
        "atheris.Fuzz()\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode != 0 and "ValueError: found" in done.stdout + done.stderr
