"""An exporter that asks for more memory than there is, or never answers: a failed Case, and nothing hangs."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.catalog import ROOT
from harness.export import process
from harness.export.process import ExportFailed, run_worker
from tests.exporters.asking import onnx_request

TERABYTES = np.array([10**6, 10**6], np.int64)


def greedy(folder: Path) -> Path:
    """A graph of some hundred bytes that makes 4 TB of zeros."""
    nodes = [helper.make_node("ConstantOfShape", ["size"], ["zeros"]), helper.make_node("Add", ["zeros", "x"], ["y"])]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [10**6, 10**6])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(TERABYTES, "size")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), folder / "m.onnx")
    return folder / "m.onnx"


def test_a_graph_that_wants_terabytes_is_refused_by_the_real_worker(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    call = {"request": onnx_request(greedy(tmp_path)), "out": str(tmp_path / "out"), "digest": "d" * 16}
    with pytest.raises(ExportFailed) as caught:
        asyncio.run(run_worker("main", "export", call, lambda text: None))
    assert caught.value.code in ("onnxruntime_refused", "out_of_memory"), caught.value
    assert "\n" not in caught.value.reason


@pytest.mark.skipif(sys.platform != "linux", reason="the bound on memory is Linux's")
def test_the_worker_bounds_its_own_memory() -> None:
    script = (
        "import resource; from exporters.worker import _bound_memory; _bound_memory();"
        "print(resource.getrlimit(resource.RLIMIT_DATA)[0])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    sizes = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    there = sum(int(sizes[name].split()[0]) * 1024 for name in ("MemTotal", "SwapTotal"))
    assert int(done.stdout) == there


def test_an_exporter_that_says_nothing_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in for the interpreter, since no real exporter can be made to hang on purpose."""
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 600\n")
    silent.chmod(0o755)
    monkeypatch.setattr(process, "interpreter", lambda environment: str(silent))
    monkeypatch.setattr(process, "SILENCE_LIMIT_S", 0.3)
    with pytest.raises(ExportFailed) as caught:
        asyncio.run(run_worker("main", "export", {}, lambda text: None))
    assert caught.value.code == "exporter_silent"


@pytest.mark.parametrize(
    ("script", "code", "word"),
    [
        ("kill -9 $$", "killed", "SIGKILL"),
        ("kill -11 $$", "exporter_crashed", "SIGSEGV"),
        ("echo 'it was the disk' >&2; exit 3", "exporter_crashed", "it was the disk"),
        ("(sleep 600; echo) & exit 4", "exporter_crashed", "exit code 4"),
        ("echo garbage", "protocol", "cannot be read"),
        ("echo '[]'", "protocol", "cannot be read"),
    ],
)
def test_an_exporter_that_ends_without_a_word(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, code: str, word: str
) -> None:
    odd = tmp_path / "odd"
    odd.write_text(f"#!/bin/sh\n{script}\n")
    odd.chmod(0o755)
    monkeypatch.setattr(process, "interpreter", lambda environment: str(odd))
    with pytest.raises(ExportFailed) as caught:
        asyncio.run(run_worker("main", "export", {}, lambda text: None))
    assert caught.value.code == code and word in caught.value.reason


def test_a_request_that_is_none_is_answered() -> None:
    for text in ("", "null", "[]", "{}", "[" * 100_000, '{"name": 3}'):
        done = subprocess.run(
            [sys.executable, "-m", "exporters.worker", "inspect"],
            input=text, cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0
        assert json.loads(done.stdout)["event"] == "failed", text[:20]
