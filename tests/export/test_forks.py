"""Exports in forks of one process: each is fresh to the others, held to its limits, and its end is its own."""

import asyncio
import hashlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.export.forks import ExportForks, ExportLimits
from harness.export.process import ExportFailed
from tests.exporters.asking import architecture_request

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are offered on Linux only")


@pytest.fixture
async def forks() -> AsyncIterator[ExportForks]:
    made = ExportForks(ExportLimits(seconds=200, bytes=6 * 10**9))
    yield made
    await made.close()


def zygote() -> psutil.Process:
    return next(p for p in psutil.Process().children() if "exporters.zygote" in " ".join(p.cmdline()))


async def export(
    forks: ExportForks, out: Path, name: str = "bert", say: Callable[[str], None] = lambda text: None
) -> dict[str, Any]:
    out.mkdir()
    request = architecture_request(name, exporter="torchscript")
    result = await forks.run("main", "export", {"request": request, "out": str(out), "digest": "d" * 16}, say)
    artifact: dict[str, Any] = result["artifact"]
    return artifact


def hashes(out: Path) -> dict[str, str]:
    files = [file for file in out.rglob("*") if file.is_file() and file.parent.name in ("hf", "inputs", "expected")]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.long
async def test_two_exports_are_forks_of_one_process_and_make_the_same_bytes(forks: ExportForks, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def look(text: str) -> None:
        if text.startswith("building"):
            seen.append((zygote().pid, zygote().children()[0].pid))

    first = await export(forks, tmp_path / "a", say=look)
    await export(forks, tmp_path / "other", "vit")
    again = await export(forks, tmp_path / "b", say=look)
    assert first["lacks"] == again["lacks"] == {} and list(again["onnx"]) == ["fp32"]
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b") != {}
    (parent, fork), (same_parent, other_fork) = seen
    assert parent == same_parent and fork != other_fork


@pytest.mark.long
async def test_what_the_worker_refuses_is_said_and_the_next_goes_on(forks: ExportForks, tmp_path: Path) -> None:
    with pytest.raises(ExportFailed) as caught:
        await export(forks, tmp_path / "a", "bertt")
    assert caught.value.code == "unknown_architecture"
    assert (await export(forks, tmp_path / "b"))["lacks"] == {}


@pytest.mark.long
@pytest.mark.parametrize(
    ("limits", "code"),
    [(ExportLimits(bytes=500_000_000), "build_memory"), (ExportLimits(seconds=0.01), "build_timeout")],
)
async def test_a_limit_ends_the_step_with_its_stage(limits: ExportLimits, code: str, tmp_path: Path) -> None:
    forks = ExportForks(limits)
    with pytest.raises(ExportFailed) as caught:
        await export(forks, tmp_path / "a", "whisper")
    await forks.close()
    assert caught.value.code == code, caught.value


@pytest.mark.long
@pytest.mark.parametrize("victim", ["worker", "zygote"])
async def test_a_process_that_is_killed_fails_its_export_only(victim: str, forks: ExportForks, tmp_path: Path) -> None:
    def kill(text: str) -> None:
        if text.startswith("building"):
            parent = zygote()
            os.kill((parent if victim == "zygote" else parent.children()[0]).pid, signal.SIGKILL)

    with pytest.raises(ExportFailed) as caught:
        await export(forks, tmp_path / "a", say=kill)
    assert caught.value.code == "killed" and "SIGKILL" in caught.value.reason
    async with asyncio.timeout(120):
        assert (await export(forks, tmp_path / "b"))["lacks"] == {}
    await forks.close()
    assert not [p for p in psutil.Process().children(recursive=True) if "exporters" in " ".join(p.cmdline())]
