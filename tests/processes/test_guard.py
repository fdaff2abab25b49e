"""Nothing outlives the conductor: a real conductor, killed in every way, and its children looked for."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from harness.processes import children
from harness.processes.guard import MARK

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals end processes otherwise on Windows")
_MINE = "HARNESS_TEST"
# A conductor with a worker, two grandchildren that escaped, and in a group that was named a child without the mark, as
# Chromium's are; a folder for the temporary and one half made.
CONDUCTOR = """
import asyncio, os, subprocess, sys, tempfile
from pathlib import Path
from harness.processes import children
from harness.processes.child import start_child

SLEEP = "import time; time.sleep(600)"
ESCAPE = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True)"

async def main():
    half = Path(sys.argv[1]) / "half made"
    half.mkdir()
    Path(tempfile.mkdtemp()).joinpath("file").write_text("temporary")
    with children.guarded(), children.removed_with_us(half):
        Path(tempfile.mkdtemp()).joinpath("file").write_text("temporary")
        worker = await start_child([sys.executable, "-c", SLEEP], os.environ)
        await (await start_child([sys.executable, "-c", ESCAPE], os.environ)).ended
        subprocess.Popen([sys.executable, "-c", ESCAPE]).wait()
        bare = {name: value for name, value in os.environ.items() if name != "HARNESS_CHILD_OF"}
        titled = subprocess.Popen([sys.executable, "-c", SLEEP], env=bare, start_new_session=True)
        children.watch_group(titled.pid)
        print("ready", flush=True)
        await worker.ended

try:
    asyncio.run(main())
except KeyboardInterrupt:
    sys.exit(130)
"""


@contextlib.contextmanager
def conductor(folder: Path) -> Iterator[tuple[subprocess.Popen[str], Callable[[], list[psutil.Process]]]]:
    """A conductor that is ready, and who is alive of it."""
    mark = secrets.token_hex(8)
    (folder / "tmp").mkdir()
    environment = {**os.environ, _MINE: mark, "TMPDIR": str(folder / "tmp")}
    with subprocess.Popen(
        [sys.executable, "-c", CONDUCTOR, str(folder)],
        stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True,
    ) as started:  # fmt: skip
        assert started.stdout and started.stdout.readline() == "ready\n"
        try:
            yield started, lambda: [process for process in psutil.process_iter() if _is_ours(process, mark)]
        finally:
            started.kill()


def _is_ours(process: psutil.Process, mark: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(_MINE) == mark
    return False


def wait_until(condition: Callable[[], bool], limit_s: float = 20.0) -> bool:
    deadline = time.monotonic() + limit_s
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSEGV])
def test_nothing_outlives_a_conductor_that_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    with conductor(tmp_path) as (started, alive):
        # Waited for: a process that has just been started shows its environment a moment later.
        assert wait_until(lambda: len(alive()) == 6), (
            "the conductor, its guard, the worker, two that escaped, one without the mark"
        )
        started.send_signal(number)
        started.wait(20)
        assert wait_until(lambda: not alive()), alive()
    assert [path.name for path in (tmp_path / "tmp").iterdir() if path.name.startswith("harness-")] == []
    assert not (tmp_path / "half made").exists()
    strangers = list((tmp_path / "tmp").iterdir())
    assert len(strangers) == 1, "what was there before the guard is not the guard's to remove"


def test_a_guard_that_is_killed_is_replaced_and_the_new_one_knows_everything(tmp_path: Path) -> None:
    with conductor(tmp_path) as (started, alive):
        (guard,) = [process for process in alive() if "harness.processes.guard" in process.cmdline()]
        guard.kill()
        # One look for both: between two the dying guard may still count in the first and be gone in the second.
        assert wait_until(lambda: len(now := alive()) == 6 and guard not in now)
        started.kill()
        started.wait(20)
        assert wait_until(lambda: not alive()), alive()
    assert not (tmp_path / "half made").exists()


def test_an_orderly_end_leaves_nothing_and_the_environment_as_it_was(tmp_path: Path) -> None:
    before = dict(os.environ)
    with children.guarded():
        assert os.environ[MARK]
        folder = Path(os.environ["TMPDIR"])
        forgotten = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    assert forgotten.wait(20) == -signal.SIGKILL
    assert not folder.exists()
    assert dict(os.environ) == before
