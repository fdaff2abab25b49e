"""Every engine that the README promises, in one plan: what runs is right, what does not says so in its own words."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.serial

ENGINES = ("chromium", "chromium-system", "firefox", "webkitgtk")
HOLES = {
    ("webgpu", "webkitgtk"): "navigator.gpu is not there",
    ("webnn", "chromium-system"): "WebNN is not supported on this platform",
    ("webnn", "firefox"): "navigator.ml is not there",
    ("webnn", "webkitgtk"): "navigator.ml is not there",
}


@pytest.fixture(scope="module")
def cases(
    tmp_path_factory: pytest.TempPathFactory, with_tiny_bert: Callable[[Path], Path]
) -> dict[tuple[str, str], Any]:
    """(platform, browser) → case of a tiny BERT."""
    selection = [
        "--model", "bert", "--scale", "tiny", "--length", "16", "--hardware", "wasm,webgpu,webnn",
        "--browser", ",".join((*ENGINES, "safari")), "--rounds", "1", "--budget", "3s", "--json",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", *selection],
        cwd=with_tiny_bert(tmp_path_factory.mktemp("engines")), capture_output=True, text=True, check=False,
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


def test_a_gpu_is_timed_by_four_clocks(cases: dict[tuple[str, str], Any]) -> None:
    """Firefox hears of finished GPU work every 100 ms; Chromium at once."""
    clocks = {browser: cases["webgpu", browser]["clock"] for browser in ENGINES[:3]}
    for clock in clocks.values():
        every = clock["all_ms"]
        assert all(value > 0 for value in every.values()) and every["submit"] < every["await"], clocks
    floors = {browser: clock["wait_floor_ms"] for browser, clock in clocks.items()}
    assert floors["firefox"] > 50 and all(0 < floors[name] < 50 for name in ENGINES[:2]), floors
    for browser in ENGINES[:2]:
        # Where awaiting costs little, all that end with the work say about the same.
        assert 0.4 < clocks[browser]["all_ms"]["slope"] / clocks[browser]["all_ms"]["await"] < 1.5, clocks
    assert cases["wasm", "firefox"]["clock"]["wait_floor_ms"] is None


def test_a_latency_is_not_what_waiting_costs(cases: dict[tuple[str, str], Any]) -> None:
    case = cases["webgpu", "firefox"]
    assert case["clock"]["verdict"] == case["clock"]["kind"] == "slope"
    assert case["metrics"]["latency_median_ms"] < 50 < 100 <= case["clock"]["all_ms"]["await"]
    assert any("the wait itself takes" in doubt and "slope" in doubt for doubt in case["doubts"])


@pytest.fixture(scope="module")
def gpu_clocks() -> dict[str, Any]:
    """Browser → what its clocks make of a kernel of known cost. One quiet moment in three shows that they agree."""
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-m", "harness", "doctor", "--json"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found = {each["name"]: each.get("gpu_clocks") for each in json.loads(done.stdout)["browsers"]}
        if all(agree(found[browser]) for browser in ENGINES[:3]):
            break
    return found


def agree(clocks: dict[str, Any]) -> bool:
    """The slope with the timestamps within a fifth, and twice the work costs about twice the time."""
    every = clocks["all_ms"]
    doubled = clocks["twice_ms"] / every[clocks["verdict"]]
    return bool(abs(every["slope"] / every["timestamp"] - 1) < 0.2 and 1.6 < doubled < 2.4)


@pytest.mark.long
@pytest.mark.parametrize("browser", ENGINES[:3])
def test_the_clocks_agree_on_a_kernel_of_known_cost(gpu_clocks: dict[str, Any], browser: str) -> None:
    clocks = gpu_clocks[browser]
    every = clocks["all_ms"]
    assert clocks["right"] is True and every["submit"] < 0.2 * every["timestamp"], clocks
    assert agree(clocks), clocks


@pytest.mark.long
def test_firefox_is_believed_by_its_slope(gpu_clocks: dict[str, Any]) -> None:
    clocks = gpu_clocks["firefox"]
    assert clocks["verdict"] == "slope" and "the wait itself takes" in clocks["why"], clocks
    assert clocks["all_ms"]["await"] >= 100 * 0.99  # a coarse clock may show a little less


@pytest.mark.long
def test_a_browser_without_a_gpu_has_no_clocks_to_calibrate(gpu_clocks: dict[str, Any]) -> None:
    assert gpu_clocks["webkitgtk"] is None


@pytest.mark.long
def test_a_matrix_has_a_cell_for_every_point(tmp_path: Path, with_tiny_bert: Callable[[Path], Path]) -> None:
    asked = [
        "--model",
        "bert",
        "--scale",
        "tiny",
        "--length",
        "16",
        "--browser",
        "chromium,safari",
        "--hardware",
        "wasm,webgpu,webnn",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "harness", "coverage", *asked, "--json"],
        cwd=with_tiny_bert(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cells = {(cell["browser"], cell["platform"]): cell for cell in json.loads(done.stdout)["cells"]}
    assert len(cells) == 6
    for platform in ("wasm", "webgpu", "webnn"):
        ok, gone = cells["chromium", platform], cells["safari", platform]
        assert (ok["outcome"], ok["stage"], ok["correct"]["checked"], ok["rounds"]) == ("ok", None, True, 1)
        assert (gone["outcome"], gone["stage"]) == ("unsupported", "start") and "safaridriver" in gone["reason"]


@pytest.mark.long
def test_warm_is_the_second_load_in_the_same_profile(tmp_path: Path, with_tiny_bert: Callable[[Path], Path]) -> None:
    asked = ["--model", "bert", "--scale", "tiny", "--length", "16", "--hardware", "wasm", "--cache", "warm"]
    engines = ["--browser", "chromium,firefox,webkitgtk", "--rounds", "1", "--budget", "500ms"]
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", *asked, *engines, "--json"],
        cwd=with_tiny_bert(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for case in json.loads(done.stdout)["cases"]:
        assert case["outcome"] == "ok" and case["correct"]["checked"] and case["slug"].endswith("cache=warm")
    sql = "select provenance->>'$.navigation' as navigation, provenance->>'$.rehearsal' as rehearsal from rounds"
    told = subprocess.run(
        [sys.executable, "-m", "harness", "query", sql, "--json"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(told.stdout)["rows"] == [["navigate", "ok"]] * 3
