"""The walk in the real Chromium: a model's name in, verified numbers out, native and in the browser."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.asked import processes_under

PLATFORMS = ("cpu", "onnxruntime", "wasm", "webgpu", "webnn")


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """The demo: the pretrained model on real sentences, on every platform."""
    folder = tmp_path_factory.mktemp("walk")
    done = subprocess.run(
        [sys.executable, "-m", "harness", "demo", "--rounds", "1", "--budget", "4s", "--json"],
        cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), folder


def case_of(walked: tuple[Any, Path], platform: str) -> Any:
    return next(case for case in walked[0]["cases"] if case["platform"] == platform)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platform_is_ok_right_and_says_what_ran(walked: tuple[Any, Path], platform: str) -> None:
    case = case_of(walked, platform)
    assert (case["outcome"], case["rounds"], case["rounds_failed"]) == ("ok", 1, 0), case["reason"]
    assert case["correct"]["checked"] and case["correct"]["reference"] == "pytorch-fp32"
    assert case["correct"]["max_abs"] <= case["correct"]["tolerance"]
    assert case["metrics"]["latency_median_ms"] > 0 and case["metrics"]["load_ms"] > 0
    assert case["clock"]["step_us"] > 0
    assert case["weights"] == "pretrained"


@pytest.mark.parametrize("platform", ["wasm", "webgpu", "webnn"])
def test_the_page_is_isolated_and_names_its_browser_and_runtime(walked: tuple[Any, Path], platform: str) -> None:
    case = case_of(walked, platform)
    assert case["clock"]["isolated"] is True
    assert case["browser"] == "chromium" and case["browser_version"].split(".")[0].isdigit()
    pinned = json.loads((Path(__file__).parents[2] / "browser_assets" / "package.json").read_text())["dependencies"]
    assert case["runtime"] == f"onnxruntime-web@{pinned['onnxruntime-web']}"
    assert case["metrics"]["peak_memory_mb"] > 50
    assert 0 <= case["fallback_share"] < 1


def test_a_software_adapter_is_called_software(walked: tuple[Any, Path]) -> None:
    case = case_of(walked, "webgpu")
    assert case["software"] is True
    assert any("SwiftShader" in doubt for doubt in case["doubts"])
    assert case["clock"]["all_ms"]["await"] == pytest.approx(case["metrics"]["latency_p50_ms"], rel=1)
    assert case_of(walked, "wasm")["clock"]["all_ms"]["submit"] is None, (
        "a clock that was not read is null, not a guess"
    )


def test_webnn_says_that_its_device_is_a_hint(walked: tuple[Any, Path]) -> None:
    assert any("hint" in doubt for doubt in case_of(walked, "webnn")["doubts"])


def test_one_thread_count_for_all(walked: tuple[Any, Path]) -> None:
    assert len({case["threads"] for case in walked[0]["cases"]}) == 1
    for platform in ("cpu", "onnxruntime", "wasm"):
        assert not any("threads used" in doubt for doubt in case_of(walked, platform)["doubts"])


def test_nothing_is_left_running(walked: tuple[Any, Path]) -> None:
    assert processes_under(walked[1]) == []
