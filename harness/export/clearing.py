"""Artifacts beyond the cache's limit, the least recently used first; and what killed exports left.

When one was used last is its folder's time: `ArtifactCache` sets it whenever it finds one. File systems keep no such
time that could be relied on.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# What was used so lately may be wanted at this moment, by an export that has no run yet, say.
_LATELY_S = 3600.0
# No export writes nothing for so long.
_LEFT_BEHIND_S = 24 * 3600.0


@dataclass(frozen=True)
class Cleared:
    """What is gone and what is left; `left_behind`: folders of exports that were killed."""

    removed: int
    removed_bytes: int
    kept: int
    kept_bytes: int
    left_behind: tuple[str, ...]


def clear_artifacts(folder: Path, limit_bytes: int, in_use: Callable[[], bool], now_s: float) -> Cleared:
    """Remove Artifacts until the rest is within the limit, as long as `in_use` says that nobody needs them now.

    Never one that was used within the last hour of `now_s` (seconds since the epoch).
    """
    left_behind = _clear_left_behind(folder, now_s)
    found = sorted((_used_at(place), size_of_folder(place), place) for place in _places(folder))
    size, removed, removed_bytes = sum(bytes_ for _, bytes_, _ in found), 0, 0
    for _, bytes_, place in found:
        # Looked at again at the last moment: it may have been used since.
        if size <= limit_bytes or in_use() or now_s - _used_at(place) < _LATELY_S:
            break
        aside = folder / f".cleared-{place.name}-{time.time_ns()}"
        place.rename(aside)  # at once: whoever looks for it now makes it anew
        shutil.rmtree(aside)
        size, removed, removed_bytes = size - bytes_, removed + 1, removed_bytes + bytes_
    return Cleared(removed, removed_bytes, len(found) - removed, size, tuple(left_behind))


def size_of_folder(folder: Path) -> int:
    """Bytes of all files in it; what is gone meanwhile counts nothing."""
    size = 0
    for place in folder.rglob("*"):
        try:
            size += 0 if place.is_dir() and not place.is_symlink() else place.lstat().st_size
        except FileNotFoundError:
            continue
    return size


def _places(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [place for place in folder.iterdir() if place.is_dir() and not place.is_symlink() and place.name[0] != "."]


def _used_at(place: Path) -> float:
    return place.stat().st_mtime if place.exists() else 0.0


def _clear_left_behind(folder: Path, now_s: float) -> list[str]:
    if not folder.is_dir():
        return []
    gone = []
    for place in sorted(folder.glob(".*-*")):
        if not place.is_dir() or place.is_symlink():
            continue
        times = [place.stat().st_mtime, *(inside.lstat().st_mtime for inside in place.rglob("*"))]
        if now_s - max(times) > _LEFT_BEHIND_S or place.name.startswith(".cleared-"):
            shutil.rmtree(place, ignore_errors=True)
            gone.append(place.name)
    return gone
