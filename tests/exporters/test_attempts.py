"""Exporters tried in order: whatever one of them does, the module is kept, the next is tried, and it is said."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import ROOT

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="attempts have processes of their own on Linux only")


def product(folder: Path, *makers: str, seconds: float = 60) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.exporters.trying", str(folder), str(seconds), *makers],
        cwd=ROOT, capture_output=True, text=True, check=True, env={**os.environ, "ORT_DISABLE_TELEMETRY": "1"},
    )  # fmt: skip
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@linux_only
@pytest.mark.parametrize(
    ("maker", "stage", "code", "word"),
    [
        ("hangs", "export", "export_timeout", "15 s"),
        ("is_killed", "export", "export_killed", "SIGKILL"),
        ("crashes", "export", "export_crashed", "SIGSEGV"),
        ("grows", "export", "export_memory", "6 GB"),
        ("raises", "export", "export_failed", "no such operator"),
        ("writes_nonsense", "load", "onnxruntime_refused", "Nonsense"),
    ],
)
def test_what_an_exporter_does_is_the_reason_and_the_module_is_kept(
    maker: str, stage: str, code: str, word: str, tmp_path: Path
) -> None:
    made = product(tmp_path, maker, seconds=15 if maker == "hangs" else 60)
    assert (made["lack"]["stage"], made["lack"]["code"]) == (stage, code), made
    assert word in made["lack"]["reason"] and maker in made["lack"]["reason"]
    assert made["onnx"] == [] and made["expected"] == ["last_hidden_state", "pooler_output"]
    assert (tmp_path / "hf/model.safetensors").is_file() and not (tmp_path / "onnx").exists()
    assert not (tmp_path / ".making").exists()


@linux_only
def test_the_first_that_agrees_wins_and_those_before_are_notes(tmp_path: Path) -> None:
    made = product(tmp_path, "crashes", "raises", "torchscript", "hangs")
    assert made["exporter"] == "torchscript" and made["lack"] is None and made["onnx"] == ["fp32"]
    failed = [note.split(":")[0] for note in made["notes"] if " failed: " in note]
    assert failed == ["crashes (only) failed", "raises (only) failed"]
    assert (tmp_path / "onnx/fp32/model.onnx").is_file()


@linux_only
def test_where_all_fail_the_one_that_came_furthest_is_the_reason(tmp_path: Path) -> None:
    lack = product(tmp_path, "raises", "writes_nonsense", "crashes")["lack"]
    assert lack["code"] == "onnxruntime_refused" and "writes_nonsense" in lack["reason"]


@linux_only
def test_a_build_that_takes_too_long_leaves_nothing(tmp_path: Path) -> None:
    assert product(tmp_path, "torchscript", seconds=0.01) == {"failed": "build_timeout"}
