"""A fixed, stratified sample of all architectures through every stage, as `harness coverage --all` does with all."""

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.long

HARDWARE = ("cpu", "onnxruntime", "wasm")
SIZE = 40
# Architecture → (where it stops, kind of its cause). One that is mended must leave the table, so that it stays true.
HOLES = {
    "gemma4_unified_assistant": ("build", "unclassified"),  # its default layers share a cache that nobody fills
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The answer of one coverage, and the page beside it."""
    folder = tmp_path_factory.mktemp("sample")
    asked = ["--all", "--sample", str(SIZE), "--hardware", ",".join(HARDWARE), "--drop-artifacts", "--html", "c.html"]
    done = subprocess.run(
        [sys.executable, "-m", "harness", "coverage", *asked, "--json"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=1500,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    assert "<h1>Coverage</h1>" in (folder / "c.html").read_text("utf-8")
    assert not list((folder / "results" / "artifacts").glob("[0-9a-f]*")), "dropped after use"
    shown = subprocess.run(
        [sys.executable, "-m", "harness", "show", "--why", "--html", "again.html"],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "to mend" in shown.stdout and "of agreed*" in shown.stdout
    assert "<h1>Coverage</h1>" in (folder / "again.html").read_text("utf-8")
    return json.loads(done.stdout)


@pytest.mark.timeout(1600)
def test_the_holes_of_the_sample_are_those_that_are_known(found: Any) -> None:
    holes = {
        cell["model"]: (cell["stage"], cell["why"]["class"])
        for cell in found["cells"]
        if cell["outcome"] != "ok" and cell["platform"] == "onnxruntime"
    }
    assert holes == HOLES


def test_every_family_is_in_it_and_every_cell_is_answered(found: Any) -> None:
    assert len(found["cells"]) == SIZE * len(HARDWARE)
    assert len({cell["model_family"] for cell in found["cells"]}) == 10
    for cell in found["cells"]:
        assert (cell["outcome"] == "ok") == (cell["stage"] is None) == (cell["reason"] is None), cell["slug"]
        assert cell["metrics"] == {} or not any(cell["metrics"].values()), "nothing is timed"
        if cell["outcome"] == "ok":
            assert cell["correct"]["checked"], cell["slug"]


def test_what_onnx_runtime_agrees_with_runs_in_the_page(found: Any) -> None:
    by_place: dict[str, set[str]] = {place: set() for place in HARDWARE}
    for cell in found["cells"]:
        if cell["outcome"] == "ok":
            by_place[cell["platform"]].add(cell["model"])
    assert by_place["wasm"] == by_place["onnxruntime"] <= by_place["cpu"]
