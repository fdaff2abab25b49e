"""Published packages from the real registry: fetched once, checked against its hash, bounded; what fails says why."""

import io
import os
import socket
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import catalog
from harness.core.errors import Unsupported
from harness.execute import published
from harness.execute.published import NotFetched

SMALL = ("onnxruntime-common", "1.24.3")  # of the same family as what is measured, and small


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setattr(published, "cache_folder", lambda kind: tmp_path / "cache" / kind)
    return tmp_path / "cache" / "packages"


def test_the_registry_tells_its_versions() -> None:
    versions = published.versions_of("onnxruntime-web")
    assert versions is not None and {"1.29.0", "1.30.0"} <= set(versions)
    assert versions.index("1.29.0") < versions.index("1.30.0")


def test_it_is_fetched_once_and_found_then(cache: Path) -> None:
    said: list[str] = []
    with pytest.raises(Unsupported, match="was not fetched"):
        published.find_package(*SMALL)
    folder = published.fetch_package(*SMALL, said.append)
    assert folder == published.find_package(*SMALL) == published.fetch_package(*SMALL, said.append)
    assert said == ["fetching onnxruntime-common 1.24.3"]
    assert f'"version": "{SMALL[1]}"' in (folder / "package.json").read_text()
    assert [path.name for path in cache.iterdir()] == [folder.name], "nothing is left beside it"


def test_the_pinned_version_is_the_installed_one(cache: Path) -> None:
    pinned = catalog.npm_version("onnxruntime-web")
    assert pinned is not None
    assert published.find_package("onnxruntime-web", pinned) == catalog.PAGE_ROOT / "node_modules" / "onnxruntime-web"
    assert not cache.exists()


def test_other_bytes_than_the_registrys_are_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    download = published._download

    def spoilt(package: str, version: str, folder: Path) -> Path:
        archive = download(package, version, folder)
        archive.write_bytes(archive.read_bytes() + b"\0")
        return archive

    monkeypatch.setattr(published, "_download", spoilt)
    with pytest.raises(NotFetched, match="sha512 differs"):
        published.fetch_package(*SMALL)
    assert list(cache.iterdir()) == []


def test_a_version_that_is_not_published_says_so(cache: Path) -> None:
    with pytest.raises(NotFetched, match=r"npm cannot fetch it: .*0\.0\.77"):
        published.fetch_package("onnxruntime-common", "0.0.77")
    assert list(cache.iterdir()) == []


def test_without_a_registry_it_ends_soon_and_says_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(cache.parent / "npm"))
    published.versions_of.cache_clear()
    assert published.versions_of("onnxruntime-web") is None
    with pytest.raises(NotFetched, match="npm"):
        published.fetch_package(*SMALL)
    published.versions_of.cache_clear()


def test_without_npm_it_says_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(cache))
    with pytest.raises(NotFetched, match="npm is not installed"):
        published.fetch_package(*SMALL)


def test_an_archive_cannot_write_outside_nor_link(tmp_path: Path) -> None:
    path = tmp_path / "x.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("package/good.js", "../evil", "package/../../evil", "/evil", "other/evil", "package"):
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"data"))
        link = tarfile.TarInfo("package/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    published._unpack(path, tmp_path / "whole")
    assert [each.name for each in (tmp_path / "whole").iterdir()] == ["good.js"]
    assert not list(tmp_path.parent.glob("evil")) and not (tmp_path / "evil").exists()


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "_LARGEST_PACKAGE_BYTES", 10)
    path = tmp_path / "x.tgz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("package/bomb")
        member.size = 11
        archive.addfile(member, io.BytesIO(b"0" * 11))
    with pytest.raises(NotFetched, match="unpacks to more"):
        published._unpack(path, tmp_path / "whole")


def test_what_was_used_longest_ago_goes_first_and_what_is_in_use_stays(tmp_path: Path) -> None:
    for age_days, name in ((9, "oldest"), (5, "older"), (0, "now")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"0" * 100)
        os.utime(tmp_path / name, (time.time() - age_days * 86_400,) * 2)
    published.trim(tmp_path, keep=tmp_path / "now", most_bytes=250)
    assert {each.name for each in tmp_path.iterdir()} == {"older", "now"}
    published.trim(tmp_path, keep=tmp_path / "older", most_bytes=10)
    assert {each.name for each in tmp_path.iterdir()} == {"older", "now"}, "one is kept, the other may be in use"


def test_what_another_harness_put_there_first_is_as_good(tmp_path: Path) -> None:
    for name in ("home", "whole"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    published.put_in_place(tmp_path / "whole", tmp_path / "home")
    assert (tmp_path / "home" / "file").read_text() == "home"
    with pytest.raises(FileNotFoundError):
        published.put_in_place(tmp_path / "none", tmp_path / "nowhere")


def test_who_is_told_to_stop_waits_for_no_npm(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as deaf, ThreadPoolExecutor() as pool:
        monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{deaf.getsockname()[1]}/")
        monkeypatch.setenv("npm_config_cache", str(cache.parent / "npm"))
        fetching = pool.submit(published.fetch_package, *SMALL)
        heard, _ = deaf.accept()
        with heard:
            published.stop_fetching()
            with pytest.raises(NotFetched):
                fetching.result(timeout=20)
    assert list(cache.iterdir()) == []
