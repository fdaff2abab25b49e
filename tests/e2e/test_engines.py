"""Every engine that the README promises, in one plan: what runs is right, what does not says so in its own words."""

import json
import subprocess
import sys
from typing import Any

import pytest

ENGINES = ("chromium", "chromium-system", "firefox", "webkitgtk")
HOLES = {
    ("webgpu", "webkitgtk"): "navigator.gpu is not there",
    ("webnn", "chromium-system"): "WebNN is not supported on this platform",
    ("webnn", "firefox"): "navigator.ml is not there",
    ("webnn", "webkitgtk"): "navigator.ml is not there",
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    """(platform, browser) → case of a tiny BERT."""
    selection = [
        "--model", "bert", "--scale", "tiny", "--length", "16", "--hardware", "wasm,webgpu,webnn",
        "--browser", ",".join((*ENGINES, "safari")), "--rounds", "1", "--budget", "3s", "--json",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", *selection],
        cwd=tmp_path_factory.mktemp("engines"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {(case["platform"], case["browser"]): case for case in json.loads(done.stdout)["cases"]}


@pytest.mark.parametrize("browser", ENGINES)
@pytest.mark.parametrize("platform", ["wasm", "webgpu", "webnn"])
def test_a_cell_is_ok_and_right_or_has_its_reason(
    cases: dict[tuple[str, str], Any], platform: str, browser: str
) -> None:
    case = cases[platform, browser]
    if (platform, browser) in HOLES:
        assert case["outcome"] == "unsupported" and HOLES[platform, browser] in case["reason"], case
        return
    assert case["outcome"] == "ok", case["reason"]
    assert case["correct"]["checked"] and case["correct"]["max_abs"] <= case["correct"]["tolerance"]
    assert case["browser_version"].split(".")[0].isdigit() and case["clock"]["isolated"] is True
    assert case["software"] is (True if platform == "webgpu" else None)


def test_a_browser_that_is_not_here_says_how_to_have_it(cases: dict[tuple[str, str], Any]) -> None:
    case = cases["wasm", "safari"]
    assert case["outcome"] == "unsupported" and "safaridriver --enable" in case["reason"]


def test_without_shared_memory_wasm_says_that_it_ran_on_one_thread(cases: dict[tuple[str, str], Any]) -> None:
    doubts = cases["wasm", "webkitgtk"]["doubts"]
    assert cases["wasm", "webkitgtk"]["threads"] == 1 or any("threads used: 1" in doubt for doubt in doubts)


def test_what_waiting_costs_is_measured_and_flagged_where_it_blurs(cases: dict[tuple[str, str], Any]) -> None:
    """Firefox hears of finished GPU work every 100 ms; Chromium at once."""
    floors = {browser: cases["webgpu", browser]["clock"]["wait_floor_ms"] for browser in ENGINES[:3]}
    assert floors["firefox"] > 50 and all(0 < floors[name] < 50 for name in ENGINES[:2]), floors
    assert any("the wait itself takes" in doubt for doubt in cases["webgpu", "firefox"]["doubts"])
    assert cases["wasm", "firefox"]["clock"]["wait_floor_ms"] is None
