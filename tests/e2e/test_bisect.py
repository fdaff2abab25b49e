"""Bisection over real versions of a real browser and a real runtime."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.execute.published import cache_folder, fetch_package

TINY = ("--model", "bert", "--scale", "tiny", "--length", "16")
# In the place of the runtime's own file: after each run the thread is busy for as long again, as in a worse kernel.
_SLOWER = """
export * from './own.mjs';
export { default } from './own.mjs';
import { InferenceSession } from './own.mjs';
const run = InferenceSession.prototype.run;
InferenceSession.prototype.run = async function (...given) {
  const began = performance.now();
  const answer = await run.apply(this, given);
  const until = performance.now() + (performance.now() - began);
  while (performance.now() < until);
  return answer;
};
"""
_LOADED = (
    "package.json",
    "dist/ort.wasm.min.mjs",
    "dist/ort-wasm-simd-threaded.mjs",
    "dist/ort-wasm-simd-threaded.wasm",
)


def bisected(
    folder: Path, *arguments: str, exit_code: int = 0, environment: dict[str, str] | None = None
) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "harness", "bisect", *arguments, "--json"],
        cwd=folder, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == exit_code, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.long
def test_the_browser_that_mended_webnn_is_found(tmp_path: Path) -> None:
    """A real bug: a BERT that `torch.onnx.export(dynamo=True)` wrote loses its WebNN context at the first dispatch."""
    asked = ("--hardware", "webnn", "--exporter", "torch", "--browser", "chromium@148..153")
    found = bisected(tmp_path, *TINY, *asked)
    assert (found["kind"], found["change"], found["skipped"]) == ("outcome", "mended", [])
    assert (found["last_before"], found["first_after"]) == ("149.0.0", "152.0.0")
    assert {step["version"]: (step["outcome"], step["code"]) for step in found["steps"]} == {
        "148.0.0": ("failed", "webnn_lost"),
        "149.0.0": ("failed", "webnn_lost"),
        "152.0.0": ("ok", None),
        "153.0.0": ("ok", None),
    }
    assert found["seen"] == [3, 3]


@pytest.fixture
def slowed(tmp_path: Path) -> dict[str, str]:
    """An environment whose cache holds real runtimes, of which those from 1.27.0 on were made to take longer."""
    ours = tmp_path / "cache" / "model-benchmark-harness"
    for version in ("1.26.0", "1.27.0", "1.29.0"):
        package = fetch_package("onnxruntime-web", version)
        copy = ours / "packages" / package.name
        for name in _LOADED:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(package / name, copy / name)
        if version != "1.26.0":
            own = copy / "dist" / "ort.wasm.min.mjs"
            own.rename(own.with_name("own.mjs"))
            own.write_text(_SLOWER)
    (ours / "browsers").symlink_to(cache_folder("browsers"))
    return {"XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.mark.long
@pytest.mark.serial
def test_the_runtime_that_became_slower_is_found(tmp_path: Path, slowed: dict[str, str]) -> None:
    asked = ("--hardware", "wasm", "--threads", "1", "--runtime", "onnxruntime-web@1.26..1.29", "--budget", "10s")
    found = bisected(tmp_path, *TINY[:4], "--length", "128", *asked, environment=slowed)
    assert (found["kind"], found["change"]) == ("latency", "slower"), found["text"]
    assert (found["last_before"], found["first_after"], found["skipped"]) == ("1.26.0", "1.27.0", []), found["text"]
    assert found["ratio"] > 1.2
    assert [step["version"] for step in found["steps"]] == ["1.26.0", "1.29.0", "1.27.0"]


def test_what_is_no_single_question_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    several = ("--hardware", "wasm,webgpu", "--browser", "chromium@148..153")
    assert bisected(tmp_path, *TINY, *several, exit_code=2)["error"]["code"] == "not_one_case"
    assert bisected(tmp_path, *TINY, "--hardware", "wasm", exit_code=2)["error"]["code"] == "not_one_range"
    more = ("--hardware", "wasm", "--browser", "chromium@148..153", "--profile")
    assert bisected(tmp_path, *TINY, *more, exit_code=2)["error"]["code"] == "not_bisected"
    assert not (tmp_path / "results").exists()
