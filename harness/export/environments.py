"""Python environments besides the main one, each made on demand from its pins in `exporters/environments/NAME.txt`.

They lie in the user's cache, since the harness may be installed where nothing can be written. An environment cannot be
moved, so it is made in its place, and a file written last says that it is whole; what lacks the file is made again.
"""

import asyncio
import hashlib
import os
import platform
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from harness.catalog import ROOT
from harness.core.errors import UserMistake
from harness.processes.child import start_child

Say = Callable[[str], None]
REQUIREMENTS = ROOT / "exporters" / "environments"
_WHOLE = "complete"
_LOOK_AGAIN_S = 0.5
# What pip says of its progress; where it looks for packages is nobody's business.
_TELLING = ("Collecting ", "Downloading ", "Building ", "Installing ")


def home() -> Path:
    """The folder of all environments."""
    return Path(platformdirs.user_cache_dir("model-benchmark-harness")) / "environments"


def requirements_of(name: str) -> Path:
    return REQUIREMENTS / f"{name}.txt"


def place_of(requirements: Path, within: Path) -> Path:
    """Where the environment of these pins lies: of other pins, or for another Python, it is another one."""
    digest = hashlib.sha256(requirements.read_bytes())
    digest.update(f"{platform.python_version()} {sys.platform} {platform.machine()} {sys.base_prefix}".encode())
    return within / f"{requirements.stem}-{digest.hexdigest()[:12]}"


def find(requirements: Path, within: Path) -> Path | None:
    """Its Python, where it is there and whole."""
    place = place_of(requirements, within)
    python = _python_in(place)
    return python if (place / _WHOLE).is_file() and python.exists() else None


async def find_or_make(requirements: Path, within: Path, say: Say) -> Path:
    """Its Python; makes it where it is not there, once, whoever else wants it at the same time.

    Raises UserMistake `environment_not_made`, with nothing left behind.
    """
    place = place_of(requirements, within)
    within.mkdir(parents=True, exist_ok=True)
    async with _alone(within / f"{place.name}.lock", lambda: say(f"another run makes {place.name}: waiting for it")):
        if (found := find(requirements, within)) is not None:
            return found
        shutil.rmtree(place, ignore_errors=True)  # of a run that was killed
        try:
            await _make(requirements, place, say)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
    return _python_in(place)


async def _make(requirements: Path, place: Path, say: Say) -> None:
    name = requirements.stem
    say(f"making the environment {name} in {place} (once)")
    await _run([sys.executable, "-m", "venv", str(place)], name, requirements, say)
    # As for the main environment: PyTorch's CPU build from wherever pip is told to look, or from this index.
    more = ["--extra-index-url", index] if (index := os.environ.get("TORCH_INDEX")) else []
    await _run(install_command(_python_in(place), requirements, more), name, requirements, say)
    (place / _WHOLE).write_text(requirements.read_text("utf-8"), "utf-8")


def install_command(python: Path, requirements: Path, more: Sequence[str] = ()) -> list[str]:
    quietly = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    return [str(python), "-m", "pip", "install", *quietly, *more, "-r", str(requirements)]


async def _run(command: Sequence[str], name: str, requirements: Path, say: Say) -> None:
    """Raises UserMistake in the words of what failed."""
    # Not the folder that the harness is in: where it is installed, that holds the main environment's packages.
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    try:
        child = await start_child(command, {**inherited, "PYTHONSAFEPATH": "1"})
    except OSError as error:
        raise _not_made(name, requirements, str(error)) from error
    last = ""
    try:
        while raw := await child.line():
            line = raw.decode(errors="replace").strip()
            last = line or last
            if line.startswith(_TELLING):
                say(f"environment {name}: {line.split(' (from ')[0][:100]}")
        if await child.ended != 0:
            raise _not_made(name, requirements, await child.last_error() or last or "it said nothing")
    finally:
        await child.end()


def _not_made(name: str, requirements: Path, reason: str) -> UserMistake:
    by_hand = f"see why with: {sys.executable} -m pip download --no-deps -r {requirements}"
    said = f"the environment {name!r} could not be made: {reason}"
    return UserMistake("environment_not_made", said, f"{by_hand}; it needs a network or PIP_FIND_LINKS")


def _python_in(place: Path) -> Path:
    return place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@asynccontextmanager
async def _alone(path: Path, waiting: Callable[[], None]) -> AsyncIterator[None]:
    """One process at a time; the system lets go of the lock of one that is killed."""
    lock, said = FileLock(path), False
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            if not said:
                waiting()
            said = True
            await asyncio.sleep(_LOOK_AGAIN_S)
    try:
        yield
    finally:
        lock.release()
