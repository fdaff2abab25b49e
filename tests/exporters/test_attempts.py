"""Exporters tried in order: whatever one of them does, the module is kept, the next is tried, and it is said."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import ROOT

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="attempts have processes of their own on Linux only")


FAULTY = ("hangs", "is_killed", "crashes", "grows", "raises", "writes_nonsense")
# Name → seconds for an attempt, and who attempts it.
ASKED = {
    **{maker: (4 if maker == "hangs" else 60, [maker]) for maker in FAULTY},
    "first": (60, ["crashes", "raises", "torchscript", "hangs"]),
    "furthest": (60, ["raises", "writes_nonsense", "crashes"]),
    "too_slow": (0.01, ["torchscript"]),
}


Attempt = Callable[..., tuple[Path, dict[str, Any]]]


@pytest.fixture(scope="module")
def attempt(tmp_path_factory: pytest.TempPathFactory) -> Attempt:
    """Names → a folder of their Products by name, and what is told of each; one process attempts them all, each in
    forks of its own."""

    @cache
    def made(*names: str) -> tuple[Path, dict[str, Any]]:
        folder = tmp_path_factory.mktemp("products")
        for name in names:
            (folder / name).mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "tests.exporters.trying", str(folder)],
            input=json.dumps({name: ASKED[name] for name in names}), cwd=ROOT, capture_output=True, text=True,
            check=True, env={**os.environ, "ORT_DISABLE_TELEMETRY": "1"},
        )  # fmt: skip
        return folder, json.loads(done.stdout)

    return made


@linux_only
@pytest.mark.long
@pytest.mark.parametrize(
    ("maker", "stage", "code", "word"),
    [
        ("hangs", "export", "export_timeout", "4 s"),
        ("is_killed", "export", "export_killed", "SIGKILL"),
        ("crashes", "export", "export_crashed", "SIGSEGV"),
        ("grows", "export", "export_memory", "6 GB"),
        ("raises", "export", "export_failed", "no such operator"),
        ("writes_nonsense", "load", "onnxruntime_refused", "Nonsense"),
    ],
)
def test_what_an_exporter_does_is_the_reason_and_the_module_is_kept(
    maker: str, stage: str, code: str, word: str, attempt: Attempt
) -> None:
    folder, told = attempt(*ASKED)
    folder, made = folder / maker, told[maker]
    assert (made["lack"]["stage"], made["lack"]["code"]) == (stage, code), made
    assert word in made["lack"]["reason"] and maker in made["lack"]["reason"]
    assert made["onnx"] == [] and made["expected"] == ["last_hidden_state", "pooler_output"]
    assert (folder / "hf/model.safetensors").is_file() and not (folder / "onnx").exists()
    assert not (folder / ".making").exists()


@linux_only
def test_the_first_that_agrees_wins_and_those_before_are_notes(attempt: Attempt) -> None:
    folder, told = attempt("first")
    made = told["first"]
    assert made["exporter"] == "torchscript" and made["lack"] is None and made["onnx"] == ["fp32"]
    failed = [note.split(":")[0] for note in made["notes"] if " failed: " in note]
    assert failed == ["crashes (only) failed", "raises (only) failed"]
    assert (folder / "first/onnx/fp32/model.onnx").is_file()


@linux_only
@pytest.mark.long
def test_where_all_fail_the_one_that_came_furthest_is_the_reason(attempt: Attempt) -> None:
    lack = attempt(*ASKED)[1]["furthest"]["lack"]
    assert lack["code"] == "onnxruntime_refused" and "writes_nonsense" in lack["reason"]


@linux_only
@pytest.mark.long
def test_a_build_that_takes_too_long_leaves_nothing(attempt: Attempt) -> None:
    assert attempt(*ASKED)[1]["too_slow"] == {"failed": "build_timeout"}
