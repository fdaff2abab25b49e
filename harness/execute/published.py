"""Published npm packages, any version of them, on demand: asked for by name, checked, unpacked once, bounded.

`npm` does the asking and the fetching, because it knows the user's registry, proxy and cache. What it brought is
checked here once more against the hash that the registry gives for that version, before anything of it is unpacked.
Nothing of a package is run by fetching it.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs

from harness.catalog import PAGE_ROOT, npm_version
from harness.core.errors import Unsupported
from harness.core.text import one_line
from harness.core.units import human_bytes

Say = Callable[[str], None]
# Of each of the two folders: what was used longest ago goes first.
MOST_BYTES = 8_000_000_000
_IN_USE_S = 24 * 3600.0  # another run may measure it at this moment
_LARGEST_PACKAGE_BYTES = 2_000_000_000
_ASK_S, _FETCH_S = 30.0, 900.0
_TOP = "package"  # the one folder in every npm archive


def cache_folder(kind: str) -> Path:
    """Where fetched things of a kind (`packages`, `browsers`) lie, in the user's cache."""
    return Path(platformdirs.user_cache_dir("model-benchmark-harness")) / kind


@cache
def versions_of(package: str) -> tuple[str, ...] | None:
    """All versions that the registry offers, in its order; None where it gives no answer."""
    try:
        said = _npm(["view", package, "versions", "--json"], _ASK_S)
    except Unsupported:
        return None
    return tuple([said] if isinstance(said, str) else map(str, said))


def versions_here(package: str) -> tuple[str, ...]:
    """The versions that need no fetching."""
    fetched = (path.name.rpartition("@")[2] for path in cache_folder("packages").glob(f"{_folder_name(package)}@*"))
    return tuple(dict.fromkeys([*filter(None, [npm_version(package)]), *sorted(fetched)]))


def find_package(package: str, version: str) -> Path:
    """The folder of a version that is here; raises Unsupported for one that was not fetched."""
    if npm_version(package) == version:
        return PAGE_ROOT / "node_modules" / package
    folder = cache_folder("packages") / f"{_folder_name(package)}@{version}"
    if not folder.is_dir():
        raise Unsupported(f"{package} {version} is not here and was not fetched")
    os.utime(folder)  # when it was last used
    return folder


def fetch_package(package: str, version: str, say: Say = lambda _: None) -> Path:
    """The folder of that version, fetched if need be; raises Unsupported in the words of whoever could not."""
    try:
        return find_package(package, version)
    except Unsupported:
        pass
    say(f"fetching {package} {version}")
    home = cache_folder("packages") / f"{_folder_name(package)}@{version}"
    home.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".fetch-", dir=home.parent))
    try:
        archive = _download(package, version, aside)
        _refuse_other_bytes(package, version, archive)
        _unpack(archive, aside / "whole")
        if not home.exists():
            (aside / "whole").rename(home)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    trim(home.parent, keep=home)
    return home


def trim(folder: Path, keep: Path, most_bytes: int = MOST_BYTES) -> None:
    """Remove what was used longest ago until the folder is within its limit; never `keep`, nor what is in use."""
    entries = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    sizes = {path: _size_bytes(path) for path in entries}
    total = sum(sizes.values())
    for path in entries:
        if total <= most_bytes:
            return
        if path != keep and path.stat().st_mtime < time.time() - _IN_USE_S:
            shutil.rmtree(path, ignore_errors=True)
            total -= sizes[path]


def _folder_name(package: str) -> str:
    return package.replace("/", "+")


def _download(package: str, version: str, folder: Path) -> Path:
    _npm(["pack", f"{package}@{version}", "--json", "--ignore-scripts", "--pack-destination", str(folder)], _FETCH_S)
    found = list(folder.glob("*.tgz"))
    if len(found) != 1:
        raise Unsupported(f"npm fetched {len(found)} archives of {package} {version} instead of one")
    return found[0]


def _refuse_other_bytes(package: str, version: str, archive: Path) -> None:
    """Raises Unsupported unless the archive has the hash that the registry gives for this version."""
    said = _npm(["view", f"{package}@{version}", "dist.integrity", "--json"], _ASK_S)
    algorithm, _, expected = str(said).partition("-")
    if algorithm != "sha512":
        raise Unsupported(f"the registry gives no sha512 for {package} {version}, so it cannot be checked")
    with archive.open("rb") as file:
        found = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    if found != expected:
        raise Unsupported(f"{package} {version} is not what the registry says: its sha512 differs")


def _unpack(archive: Path, whole: Path) -> None:
    """Its plain files only, and only inside the folder: Debian 12's Python has no safe filter of its own."""
    left = _LARGEST_PACKAGE_BYTES
    with tarfile.open(archive) as opened:
        for member in opened:
            parts = Path(member.name).parts
            if not member.isfile() or parts[0] != _TOP or ".." in parts or len(parts) < 2:
                continue
            left -= member.size
            if left < 0:
                raise Unsupported(f"{archive.name} unpacks to more than {human_bytes(_LARGEST_PACKAGE_BYTES)}")
            path = whole.joinpath(*parts[1:])
            path.parent.mkdir(parents=True, exist_ok=True)
            content = opened.extractfile(member)
            if content is not None:
                with path.open("wb") as file:
                    shutil.copyfileobj(content, file)
    archive.unlink()


def _npm(arguments: list[str], limit_s: float) -> Any:
    """What npm answers in JSON; raises Unsupported in its words, or where it gives none."""
    program = shutil.which("npm")  # on Windows it is a script, which only its full name starts
    if program is None:
        raise Unsupported("npm is not installed, and fetches the versions that are asked for")
    try:
        done = subprocess.run(
            [program, *arguments, "--fetch-retries=1"],
            cwd=PAGE_ROOT, capture_output=True, text=True, timeout=limit_s, check=False,
        )  # fmt: skip
        answer = json.loads(done.stdout) if done.stdout.strip() else {}
    except subprocess.TimeoutExpired as error:
        raise Unsupported(f"npm gave no answer within {limit_s:g} s") from error
    except ValueError as error:
        raise Unsupported(f"npm answered what is no JSON: {one_line(str(error), 200)}") from error
    if done.returncode == 0:
        return answer
    said = answer.get("error", {}) if isinstance(answer, dict) else {}
    reason = said.get("summary") or next(iter(done.stderr.strip().splitlines()), f"exit code {done.returncode}")
    raise Unsupported(f"npm cannot fetch it: {one_line(str(reason), 300)}")


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
