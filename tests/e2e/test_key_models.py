"""The key models, tiny, on every platform that runs here: they run and agree, but for holes that are known by name."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.plan.sets import sets

pytestmark = pytest.mark.long

PLATFORMS = ("cpu", "onnxruntime", "openvino", "wasm", "webgpu", "webnn")
STEP_PLATFORMS = ("cpu", "onnxruntime", "wasm")
# (model, platform) → class and subject of the cause. Each must really be a hole: one that is mended is to be taken out.
HOLES = {
    # CLAP's text model gathers rows of its token types at places that it computes; Chromium builds a WebNN graph with
    # GatherElements only where the indices are constants, and its opSupportLimits cannot say so: the runtime learns it
    # too late to leave the operator to another provider. A graph of that one operator fails in the same way.
    ("clap", "webnn"): ("unsupported_operator", "gatherElements"),
}


def covered(folder: Path, *asked: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "harness", "coverage", *asked, "--json"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    """(model, platform) → its cell; one run for all."""
    folder = tmp_path_factory.mktemp("key_models")
    found = covered(folder, "--set", "key-models", "--hardware", ",".join(PLATFORMS))
    return {(cell["model"], cell["platform"]): cell for cell in found["cells"]}


def test_every_key_model_was_asked_on_every_platform(cells: dict[tuple[str, str], Any]) -> None:
    models = sets()["key-models"]
    assert len(models) == 13
    assert cells.keys() == {(model, platform) for model in models for platform in PLATFORMS}


def test_all_agree_but_for_the_known_holes(cells: dict[tuple[str, str], Any]) -> None:
    holes = {key: cell for key, cell in cells.items() if cell["outcome"] != "ok"}
    surprising = {key: f"{cell['stage']}: {cell['reason']}" for key, cell in holes.items() if key not in HOLES}
    assert not surprising
    assert all(cell["correct"]["checked"] for key, cell in cells.items() if key not in holes)
    assert {key: (cell["why"]["class"], cell["why"]["subject"]) for key, cell in holes.items()} == HOLES


def test_a_step_of_generation_against_a_cache(tmp_path: Path) -> None:
    asked = ("--model", "llama", "--task", "text-generation-with-past", "--hardware", ",".join(STEP_PLATFORMS))
    found = {cell["platform"]: cell for cell in covered(tmp_path, *asked)["cells"]}
    assert {name: (cell["outcome"], cell["reason"]) for name, cell in found.items()} == dict.fromkeys(
        STEP_PLATFORMS, ("ok", None)
    )
    assert all(cell["correct"]["checked"] for cell in found.values())
