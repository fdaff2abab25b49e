"""Published npm packages, any version of them, on demand: asked for by name, checked, unpacked once, bounded.

`npm` does the asking and the fetching, because it knows the user's registry, proxy and cache. What it brought is
checked here once more against the hash that the registry gives for that version, before anything of it is unpacked.
Nothing of a package is run by fetching it.
"""

import base64
import contextlib
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
from harness.core.errors import HarnessError, Unsupported
from harness.core.text import one_line
from harness.core.units import human_bytes
from harness.processes.children import removed_with_us

Say = Callable[[str], None]
# Of each of the two folders: what was used longest ago goes first.
MOST_BYTES = 8_000_000_000
_IN_USE_S = 24 * 3600.0  # another run may measure it at this moment
_LARGEST_PACKAGE_BYTES = 2_000_000_000
_ASK_S, _FETCH_S = 30.0, 900.0
_TOP = "package"  # the one folder in every npm archive
_RETRY = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000")  # npm's own pause of 10 s helps nobody who is offline


class NotFetched(HarnessError):
    """It could not be had now: no answer, other bytes, no room. Another time it may be."""


_RUNNING: set[subprocess.Popen[str]] = set()


def cache_folder(kind: str) -> Path:
    """Where fetched things of a kind (`packages`, `browsers`) lie, in the user's cache."""
    return Path(platformdirs.user_cache_dir("model-benchmark-harness")) / kind


@cache
def versions_of(package: str) -> tuple[str, ...] | None:
    """All versions that the registry offers, in its order; None where it gives no answer."""
    try:
        said = _npm(["view", package, "versions", "--json"], _ASK_S)
    except NotFetched:
        return None
    return tuple([said] if isinstance(said, str) else map(str, said))


def find_package(package: str, version: str) -> Path:
    """The folder of a version that is here; raises Unsupported for one that was not fetched."""
    if npm_version(package) == version:
        return PAGE_ROOT / "node_modules" / package
    folder = cache_folder("packages") / f"{_folder_name(package)}@{version}"
    if not folder.is_dir():
        raise Unsupported(f"{package} {version} is not here and was not fetched")
    note_use(folder)
    return folder


def note_use(folder: Path) -> None:
    """That it was used now, for `trim`; a cache that can only be read is as good."""
    with contextlib.suppress(OSError):
        os.utime(folder)


def fetch_package(package: str, version: str, say: Say = lambda _: None) -> Path:
    """The folder of that version, fetched if need be; raises NotFetched in the words of whoever could not."""
    try:
        return find_package(package, version)
    except Unsupported:
        pass
    say(f"fetching {package} {version}")
    home = cache_folder("packages") / f"{_folder_name(package)}@{version}"
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".fetch-", dir=home.parent))
        with removed_with_us(aside):
            archive = _download(package, version, aside)
            _refuse_other_bytes(package, version, archive)
            _unpack(archive, aside / "whole")
            put_in_place(aside / "whole", home)
    except (OSError, EOFError, tarfile.TarError) as error:
        raise NotFetched(f"cannot keep {package} {version}: {one_line(str(error), 300)}") from error
    trim(home.parent, keep=home)
    return home


def put_in_place(whole: Path, home: Path) -> None:
    """Rename it; another harness may have been quicker, and then its folder is as good."""
    try:
        whole.rename(home)
    except OSError:
        if not home.is_dir():
            raise


def stop_fetching() -> None:
    """End what npm is doing for us, in whatever thread."""
    for process in list(_RUNNING):
        process.kill()


def trim(folder: Path, keep: Path, most_bytes: int = MOST_BYTES) -> None:
    """Remove what was used longest ago until the folder is within its limit; never `keep`, nor what is in use."""
    used_at = {path: at for path in folder.iterdir() if (at := _used_at(path)) is not None}
    sizes = {path: _size_bytes(path) for path in used_at}
    total = sum(sizes.values())
    for path in sorted(used_at, key=lambda path: used_at[path]):
        if total <= most_bytes:
            return
        if path != keep and used_at[path] < time.time() - _IN_USE_S:
            shutil.rmtree(path, ignore_errors=True)
            total -= sizes[path]


def _used_at(path: Path) -> float | None:
    """When a folder was last used; None for what is none, or is gone by now: others work here as well."""
    with contextlib.suppress(OSError):
        return path.stat().st_mtime if path.is_dir() else None
    return None


def _folder_name(package: str) -> str:
    return package.replace("/", "+")


def _download(package: str, version: str, folder: Path) -> Path:
    _npm(["pack", f"{package}@{version}", "--json", "--ignore-scripts", "--pack-destination", str(folder)], _FETCH_S)
    found = list(folder.glob("*.tgz"))
    if len(found) != 1:
        raise NotFetched(f"npm fetched {len(found)} archives of {package} {version} instead of one")
    return found[0]


def _refuse_other_bytes(package: str, version: str, archive: Path) -> None:
    """Raises NotFetched unless the archive has the hash that the registry gives for this version."""
    said = _npm(["view", f"{package}@{version}", "dist.integrity", "--json"], _ASK_S)
    algorithm, _, expected = str(said).partition("-")
    if algorithm != "sha512":
        raise NotFetched(f"the registry gives no sha512 for {package} {version}, so it cannot be checked")
    with archive.open("rb") as file:
        found = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    if found != expected:
        raise NotFetched(f"{package} {version} is not what the registry says: its sha512 differs")


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
                raise NotFetched(f"{archive.name} unpacks to more than {human_bytes(_LARGEST_PACKAGE_BYTES)}")
            path = whole.joinpath(*parts[1:])
            path.parent.mkdir(parents=True, exist_ok=True)
            content = opened.extractfile(member)
            if content is not None:
                with path.open("wb") as file:
                    shutil.copyfileobj(content, file)
    archive.unlink()


def _npm(arguments: list[str], limit_s: float) -> Any:
    """What npm answers in JSON; raises NotFetched in its words, or where it gives none."""
    program = shutil.which("npm")  # on Windows it is a script, which only its full name starts
    if program is None:
        raise NotFetched("npm is not installed, and fetches the versions that are asked for")
    try:
        code, stdout, stderr = _run([program, *arguments, *_RETRY], limit_s)
        answer = json.loads(stdout) if stdout.strip() else {}
    except subprocess.TimeoutExpired as error:
        raise NotFetched(f"npm gave no answer within {limit_s:g} s") from error
    except ValueError as error:
        raise NotFetched(f"npm answered what is no JSON: {one_line(str(error), 200)}") from error
    if code == 0:
        return answer
    said = answer.get("error", {}) if isinstance(answer, dict) else {}
    reason = said.get("summary") or next(iter(stderr.strip().splitlines()), f"exit code {code}")
    raise NotFetched(f"npm cannot fetch it: {one_line(str(reason), 300)}")


def _run(command: list[str], limit_s: float) -> tuple[int, str, str]:
    """Exit code, stdout and stderr; whoever stops us in another thread ends it (`stop_fetching`)."""
    with subprocess.Popen(
        command, cwd=PAGE_ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        _RUNNING.add(process)
        try:
            stdout, stderr = process.communicate(timeout=limit_s)
        finally:
            process.kill()
            _RUNNING.discard(process)
    return process.returncode, stdout, stderr


def _size_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # gone by now
            total += path.stat().st_size if path.is_file() else 0
    return total
