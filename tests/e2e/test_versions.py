"""Versions side by side in real browsers: which one broke it, and how many times as long the other takes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import catalog
from tests.e2e.asked import harness

pytestmark = pytest.mark.long

BROKEN, WHOLE = "147.0.0", "153.0.0"
# A real bug between two versions: whole graphs run in both, one with this mask loses its context in the older.
_MAKE_GRAPH = """
import sys
import torch
from transformers import BertConfig, BertModel

torch.manual_seed(0)
sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
model = BertModel(BertConfig(**sizes, vocab_size=1000)).eval()
ids = torch.randint(5, 1000, (1, 16))
torch.onnx.export(model, (ids, torch.ones_like(ids)), sys.argv[1], dynamo=True, verbose=False)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a BERT as `torch.onnx.export(dynamo=True)` writes it."""
    folder = tmp_path_factory.mktemp("versions")
    made = subprocess.run(
        [sys.executable, "-c", _MAKE_GRAPH, str(folder / "bert.onnx")], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return folder


def test_a_matrix_names_what_a_newer_browser_mended(folder: Path) -> None:
    browsers = f"chromium@{BROKEN},chromium@{WHOLE}"
    asked = ["--model", "./bert.onnx", "--hardware", "webnn,wasm", "--browser", browsers]
    found = harness(folder, "coverage", *asked, exit_code=1)
    cells = {(cell["platform"], cell["browser_version"] or "-"): cell["outcome"] for cell in found["cells"]}
    assert sorted(cells.values()) == ["failed", "ok", "ok", "ok"], cells
    failed = next(cell for cell in found["cells"] if cell["outcome"] == "failed")
    assert failed["platform"] == "webnn" and failed["code"] == "webnn_lost" and BROKEN in failed["slug"]
    (difference,) = found["differences"]
    assert difference["kind"] == "mended" and "context is lost" in difference["text"]
    assert BROKEN in difference["before"]["slug"] and WHOLE in difference["after"]["slug"]


def test_against_an_earlier_run_it_says_what_broke_since(folder: Path) -> None:
    asked = ["--model", "./bert.onnx", "--hardware", "webnn", "--db", "against.duckdb"]
    earlier = harness(folder, "coverage", *asked, "--browser", "chromium")
    found = harness(
        folder, "coverage", *asked, "--browser", f"chromium@{BROKEN}", "--against", earlier["run_id"], exit_code=1
    )
    (difference,) = found["differences"]
    assert (difference["kind"], difference["before"]["run_id"]) == ("broke", earlier["run_id"])
    assert difference["text"].startswith("ok → failed: ")


def test_two_runtimes_and_two_programs_stand_side_by_side(tmp_path: Path) -> None:
    program = shutil.which("chromium")
    assert program is not None, "the distribution's Chromium is not installed"
    runtimes = ["onnxruntime-web@1.29.0", f"onnxruntime-web@{catalog.npm_version('onnxruntime-web')}"]
    asked = ["--model", "bert", "--scale", "tiny", "--length", "16", "--hardware", "wasm", "--budget", "1500ms"]
    found = harness(
        tmp_path, "run", *asked, "--runtime", ",".join(runtimes), "--browser", f"chromium,chromium@{program}"
    )
    assert [case["runtime"] for case in found["cases"]] == runtimes * 2
    assert all(case["outcome"] == "ok" and case["correct"]["checked"] for case in found["cases"]), found["cases"]
    own, other = (
        {case["browser_version"] for case in found["cases"] if program not in case["slug"]},
        {case["browser_version"] for case in found["cases"] if program in case["slug"]},
    )
    assert len(own) == len(other) == 1 and own != other
    assert len(found["comparisons"]) == 4
    for each in found["comparisons"]:
        low, high = each["ci95"]
        assert 0 < low <= each["ratio"] <= high
        verdict = "faster" if high < 1 else "slower" if low > 1 else "undecided"
        assert each["verdict"] == verdict
    shown = harness(tmp_path, "show")
    assert shown["comparisons"] == found["comparisons"]


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_a_second_visit_finds_in_the_browser_what_the_first_fetched(tmp_path: Path, browser: str) -> None:
    """The rate is kept for all of a load together, and what is kept needs no connection."""
    asked = ["--model", "bert", "--scale", "tiny", "--length", "16", "--hardware", "wasm", "--browser", browser]
    rate = 40_000_000
    downloads = {}
    for cache in ("cold", "warm"):
        more = ["--network", "40mbit", "--cache", cache, "--rounds", "1", "--budget", "500ms"]
        (case,) = harness(tmp_path, "run", *asked, *more)["cases"]
        assert case["outcome"] == "ok" and case["network"] == "40mbit", case["reason"]
        rows = harness(tmp_path, "query", "select provenance->'$.downloads' from rounds order by started_at")["rows"]
        downloads[cache] = (json.loads(rows[-1][0]), case["metrics"])
    first, metrics = downloads["cold"]
    fetched_ms = first["network_bytes"] * 8 / rate * 1000
    assert first["network_bytes"] > 5_000_000
    # What the page's own files took came before the runtime's phase; no load can be quicker than its connection.
    assert metrics["time_to_first_output_ms"] > 0.8 * fetched_ms
    second, _ = downloads["warm"]
    assert second["network_bytes"] == 0 and second["kept_bytes"] > 5_000_000, second
