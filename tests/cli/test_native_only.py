"""A native selection needs neither a browser nor Node, and none of the packages that only they need."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import ROOT

SELECTION = ("--model", "bert", "--scale", "tiny", "--length", "16", "--hardware", "cpu,onnxruntime")
# As if none were installed: whoever imports one fails as it does then, and whoever looks for one finds none.
WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in ("playwright", "selenium", "aiohttp", "brotli"):
            return None
        return super().find_spec(name, path, target)

sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
"""


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment with no program but those of the system's own tools, and without the page's Python packages."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WITHOUT)
    (tmp_path / "bin").mkdir()
    path = os.pathsep.join([str(tmp_path / "site"), str(ROOT)])
    return {**os.environ, "PATH": str(tmp_path / "bin"), "PYTHONPATH": path}


def harness(*arguments: str, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_the_environment_is_as_bare_as_it_claims(tmp_path: Path, bare: dict[str, str]) -> None:
    for package in ("playwright", "selenium", "aiohttp"):
        done = subprocess.run([sys.executable, "-c", f"import {package}"], env=bare, capture_output=True, check=False)
        assert done.returncode == 1 and b"ModuleNotFoundError" in done.stderr


@pytest.mark.parametrize("exported", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_native_plan_and_run_need_nothing_of_the_web(
    tmp_path: Path, bare: dict[str, str], with_tiny_bert: Callable[[Path], Path], exported: bool
) -> None:
    if exported:
        with_tiny_bert(tmp_path)
    planned = harness("plan", *SELECTION, "--json", cwd=tmp_path, env=bare)
    assert planned.returncode == 0, planned.stderr
    points = json.loads(planned.stdout)["cases"]
    assert [(point["outcome"], point["stage"], point["memory_estimate_mb"]) for point in points] == [
        (None, 1, None)
    ] * 2
    run = harness("run", *SELECTION, "--rounds", "1", "--budget", "300ms", "--json", cwd=tmp_path, env=bare)
    assert run.returncode == 0, run.stderr
    told: Any = json.loads(run.stdout)
    assert told["exported"] == int(not exported)
    assert [(case["platform"], case["outcome"]) for case in told["cases"]] == [("cpu", "ok"), ("onnxruntime", "ok")]
    assert all(case["correct"]["checked"] for case in told["cases"])


def test_a_page_says_what_it_lacks(tmp_path: Path, bare: dict[str, str]) -> None:
    planned = harness("plan", "--model", "bert", "--hardware", "cpu,wasm", "--json", cwd=tmp_path, env=bare)
    assert planned.returncode == 0, planned.stderr
    native, page = json.loads(planned.stdout)["cases"]
    assert native["outcome"] is None and native["memory_estimate_mb"] > 438
    assert page["outcome"] == "unsupported" and "is not installed" in page["reason"]
