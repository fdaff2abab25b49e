"""Every precision on every native backend, by the command: it is right and says what it costs, or why it cannot be."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness import catalog
from harness.core.nouns import PRECISIONS
from tests.e2e.asked import harness

PLATFORMS = ("cpu", "onnxruntime", "openvino")
OFTEN = "onnxruntime"  # the platform that is swept at every commit: it reads all of the graphs
# What does not hang on the CPU's own arithmetic: OpenVINO computes in bf16 only where the CPU can.
ANYWHERE = {
    *(("cpu", precision) for precision in ("fp32", "fp16", "bf16", "int8")),
    *(("onnxruntime", precision) for precision in PRECISIONS if precision != "bf16"),
    *(("openvino", precision) for precision in ("fp32", "int8", "int8-static", "int4")),
}


Sweep = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, with_tiny_bert: Callable[[Path], Path]) -> Sweep:
    """Platform → precision → the case of a tiny BERT, one short Round each."""
    folder = with_tiny_bert(tmp_path_factory.mktemp("precisions"))

    @cache
    def sweep(platform: str) -> dict[str, Any]:
        what = ("--model", "bert", "--scale", "tiny", "--length", "16", "--hardware", platform)
        how = ("--precision", ",".join(PRECISIONS), "--rounds", "1", "--budget", "400ms")
        cases = harness(folder, "run", *what, *how, "--quiet", "off")["cases"]
        return {case["precision"]: case for case in cases}

    return sweep


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    "platform", [pytest.param(each, marks=[pytest.mark.long] * (each != OFTEN)) for each in PLATFORMS]
)
def test_a_precision_is_right_or_says_why_it_cannot_be(swept: Sweep, platform: str, precision: str) -> None:
    case = swept(platform)[precision]
    if case["outcome"] == "unsupported":
        assert (platform, precision) not in ANYWHERE, case["reason"]
        assert len(case["reason"]) > 20 and case["metrics"]["latency_median_ms"] is None
        return
    assert case["outcome"] == "ok", case["reason"]
    assert case["correct"]["checked"] and case["correct"]["reference"] == "pytorch-fp32"
    assert case["metrics"]["rms_error_share"] == case["correct"]["rms_rel"]
    assert case["metrics"]["model_size_mb"] > 0.1 and case["metrics"]["achieved_gflops"] > 0


def test_fewer_bits_are_smaller_files_and_larger_errors(swept: Sweep) -> None:
    """A tiny model's embeddings stay as they are in int8 and int4."""
    metrics = {precision: case["metrics"] for precision, case in swept(OFTEN).items() if precision != "bf16"}
    size = {precision: each["model_size_mb"] for precision, each in metrics.items()}
    error = {precision: each["rms_error_share"] for precision, each in metrics.items()}
    assert size["q4f16"] < size["fp16"] < size["fp32"] and size["int4"] < size["int8"] < size["fp32"]
    assert error["fp32"] < error["fp16"] < error["int8"] < error["int4"]
    assert error["fp16"] < error["q4f16"]


@pytest.mark.long
def test_native_and_other_native_read_the_same_graph(swept: Sweep) -> None:
    """The same integers on two runtimes: what the weights cost is the same, up to how each rounds activations."""
    for precision in ("int8-static", "int4"):
        errors = [swept(platform)[precision]["metrics"]["rms_error_share"] for platform in ("onnxruntime", "openvino")]
        assert errors[0] == pytest.approx(errors[1], rel=0.2)


@pytest.mark.long
def test_operators_are_told_by_three_profilers_and_times_stay_apart(tmp_path: Path) -> None:
    what = ("--model", "bert", "--scale", "tiny", "--length", "128", "--batch-size", "8")
    how = ("--hardware", ",".join(PLATFORMS), "--rounds", "1", "--budget", "1s", "--profile", "--roofline")
    found = harness(tmp_path, "run", *what, *how, "--quiet", "off")
    products = {"cpu": "aten::addmm", "onnxruntime": "MatMul", "openvino": "FullyConnected"}
    for case in found["cases"]:
        profile = case["profile"]
        assert (case["outcome"], case["rounds"]) == ("ok", 1)
        assert any(products[case["platform"]] in each["operator"] for each in profile["operators"]), profile
        # Units: a run is some milliseconds, so are its operators; a slip between µs and ms would be a thousandfold.
        assert 0.05 < profile["seen_share"] < 3
        assert sum(each["duration_ms"] for each in profile["operators"]) == pytest.approx(profile["operators_ms"])
        assert profile["wall_ms"] < 100 * case["metrics"]["latency_median_ms"]
        assert 0 < case["metrics"]["roof_share"] < 1.5
    shown = harness(tmp_path, "show")
    assert [case["profile"] for case in shown["cases"]] == [case["profile"] for case in found["cases"]]
    kept = harness(tmp_path, "query", "select purpose, count(*) from rounds group by purpose order by purpose")
    assert kept["rows"] == [["profile", 3], ["timing", 3]]
    told = harness(tmp_path, "query", "select count(distinct round_id) from operators")
    assert told["rows"] == [[3]]


@pytest.mark.long
def test_doctor_asks_every_native_device_and_hears_why_not(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ASK], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    told = json.loads(done.stdout)
    assert told["onnxruntime"]["onnxruntime"] is None and told["openvino"]["openvino"] is None
    assert told["pytorch"]["cpu"] is None
    for backend, devices in told.items():
        offers = catalog.backends()[backend].platforms
        assert len(devices) == sum(len(offer.devices) for offer in offers.values())
        assert all(reason is None or len(reason) > 20 for reason in devices.values())
    assert "CUDA" in told["pytorch"]["cuda"] and told["onnxruntime"]["onnxruntime:cuda"] is not None


_ASK = """
import asyncio, json
from harness import catalog
from harness.execute.asking import devices_of

async def ask():
    natives = [each for each in catalog.backends().values() if each.side == "native" and not each.for_tests]
    return {each.name: await devices_of(each) for each in natives}

print(json.dumps(asyncio.run(ask())))
"""
