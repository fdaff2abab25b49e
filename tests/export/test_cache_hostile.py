"""A manifest that lies, leads out of its folder or never ends: no Artifact, and nothing outside is touched."""

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import UserMistake
from harness.core.nouns import ArtifactRequest
from harness.export.cache import ArtifactCache, read_artifact
from harness.export.process import ExportFailed
from harness.export.request import digest_of_request, request_for
from tests.making import make_artifact, make_case

REQUEST: ArtifactRequest = request_for(make_case(backend="pytorch", platform="cpu"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole Artifact of that request; beside it something that is nobody's business."""
    path = tmp_path / "artifacts" / digest_of_request(REQUEST)
    path.mkdir(parents=True)
    artifact = make_artifact(path)
    (path / "artifact.json").write_text(artifact.model_copy(update={"onnx": {}}).model_dump_json())
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_text("secret")
    return path


def changed(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    told = json.loads((folder / "artifact.json").read_text())
    change(told)
    (folder / "artifact.json").write_text(json.dumps(told))


def test_a_whole_one_is_found(folder: Path) -> None:
    assert ArtifactCache(folder.parent).find(REQUEST) is not None


OUTSIDE = ("../../secret/file", "/etc/passwd", "a/../../../secret/file", "..\\..\\secret\\file", "C:\\x", "", "a\0b")


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("where", ["files", "inputs", "expected", "onnx", "external", "hf"])
def test_a_path_that_leaves_the_folder_is_no_artifact(folder: Path, where: str, path: str) -> None:
    sha256 = hashlib.sha256(b"secret").hexdigest()
    change = {
        "files": lambda told: told["files"].append({"path": path, "size_bytes": 6, "sha256": sha256}),
        "inputs": lambda told: told["inputs"].append({"name": "x", "dtype": "int8", "shape": [6], "file": path}),
        "expected": lambda told: told["expected"][0].update(file=path),
        "onnx": lambda told: told["onnx"].update(fp32={"file": path}),
        "external": lambda told: told["onnx"].update(fp32={"file": "expected/y.bin", "external": [path]}),
        "hf": lambda told: told.update(hf=path),
    }[where]
    changed(folder, change)
    assert ArtifactCache(folder.parent).find(REQUEST) is None
    assert not folder.exists(), "it will be made again"
    assert (folder.parent.parent / "secret" / "file").read_text() == "secret"


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.update(digest="0" * 24),
        lambda told: told["files"][0].update(sha256="0" * 64),
        lambda told: told["files"][0].update(size_bytes=10**18),
        lambda told: told["files"][0].update(path="expected/none.bin"),
        lambda told: told["files"].clear(),
        lambda told: told["expected"][0].update(dtype="object"),
        lambda told: told["expected"][0].update(shape=[-1]),
        lambda told: told["expected"][0].update(shape=[2**80]),
        lambda told: told.update(onnx={"fp32": {"file": "onnx/unlisted.onnx"}}),
        lambda told: told.update(surprise=1),
        lambda told: told.clear(),
    ],
)
def test_a_manifest_that_lies_is_no_artifact(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    changed(folder, change)
    assert ArtifactCache(folder.parent).find(REQUEST) is None


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"\xff", b"{" * 100_000, b'{"a":' + b"[" * 100_000])
def test_a_manifest_that_is_none_is_no_artifact(folder: Path, content: bytes) -> None:
    (folder / "artifact.json").write_bytes(content)
    assert read_artifact(folder) is None


@pytest.mark.parametrize("name", ["artifact.json", "expected/y.bin"])
@pytest.mark.parametrize("lay", ["pipe", "device", "loop", "link out", "huge", "folder"])
def test_what_is_no_file_of_the_folder_is_never_opened(folder: Path, name: str, lay: str) -> None:
    place = folder / name
    copy = folder.parent.parent / "secret" / "copy"
    copy.write_bytes(place.read_bytes())
    place.unlink()
    if lay == "pipe":
        os.mkfifo(place)
    elif lay == "folder":
        place.mkdir()
    elif lay == "huge":
        with place.open("wb") as file:
            file.truncate(50 * 10**9)
    else:
        place.symlink_to({"device": Path("/dev/zero"), "loop": place, "link out": copy}[lay])
    assert ArtifactCache(folder.parent).find(REQUEST) is None
    assert copy.exists() and (folder.parent.parent / "secret" / "file").exists()


def test_a_link_in_an_artifacts_place_is_removed_and_not_what_it_points_at(folder: Path) -> None:
    elsewhere = folder.parent.parent / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere, target_is_directory=True)
    assert ArtifactCache(folder.parent).find(REQUEST) is None
    assert not folder.is_symlink() and (elsewhere / "artifact.json").is_file()


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_manifest_damaged_anywhere_is_whole_or_no_artifact(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged" / ("0" * 24)
    path.mkdir(parents=True, exist_ok=True)
    told = bytearray(make_artifact(path).model_copy(update={"onnx": {}}).model_dump_json().encode())
    where = data.draw(st.integers(0, len(told) - 1))
    told[where : where + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    (path / "artifact.json").write_bytes(bytes(told))
    found = read_artifact(path)
    assert found is None or all((path / file.path).is_file() for file in found.files)


def free_bytes(patch: pytest.MonkeyPatch, free: int) -> None:
    there = shutil.disk_usage("/")._replace(free=free)
    patch.setattr(shutil, "disk_usage", lambda folder: there)


def test_a_model_that_the_disk_has_no_room_for_leaves_the_smaller_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def export(*asked: Any) -> dict[str, Any]:
        raise AssertionError("it must not begin")

    def make(scale: str) -> None:
        model = make_case(backend="pytorch", platform="cpu").model.model_copy(update={"scale": scale})
        request = request_for(make_case(backend="pytorch", platform="cpu").model_copy(update={"model": model}))
        asyncio.run(ArtifactCache(tmp_path, export).make(request, lambda text: None))

    # BERT has 110 million parameters of four bytes, which are kept four times.
    free_bytes(monkeypatch, 2_000_000_000)
    with pytest.raises(ExportFailed, match=r"needs about 2\.8 GB") as failed:
        make("full")
    assert failed.value.code == "disk_full"
    with pytest.raises(AssertionError, match="must not begin"):
        make("tiny")
    free_bytes(monkeypatch, 900_000_000)
    for scale in ("tiny", "full"):
        with pytest.raises(UserMistake):
            make(scale)
