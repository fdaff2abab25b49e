"""Every way to be told to stop is one way: tidy up, then exit 130; and what somebody had us ignore is ignored."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest

from harness.catalog import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals end processes otherwise on Windows")
WORK = """
import asyncio, signal, sys, time
if sys.argv[2] == "heeds":  # whoever runs these tests may have been started by nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
from harness.cli.running import carry_out, leaving_nothing

async def work():
    try:
        print("ready", flush=True)
        await asyncio.sleep(600)
    finally:
        await asyncio.sleep(0.1)
        print("tidy", flush=True)

try:
    with leaving_nothing():
        if sys.argv[1] == "sync":
            print("ready", flush=True)
            time.sleep(600)
        carry_out(work())
except KeyboardInterrupt:
    sys.exit(130)
"""


def told(numbers: Sequence[int], kind: str = "async", before: Sequence[str] = ()) -> tuple[int, str]:
    """Exit code and the rest of stdout after the signals, each sent when the one before had time to end it."""
    arguments = [*before, sys.executable, "-c", WORK, kind, "ignores" if before else "heeds"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True) as process:
        try:
            assert process.stdout and process.stdout.readline() == "ready\n"
            for number in numbers:
                process.send_signal(number)
                if number != numbers[-1]:
                    with pytest.raises(subprocess.TimeoutExpired):
                        process.wait(2)
            return process.wait(30), process.stdout.read()
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_told_to_stop_it_tidies_up(number: int) -> None:
    assert told([number]) == (130, "tidy\n")
    assert told([number], "sync") == (130, "")


def test_what_it_was_started_to_ignore_it_ignores() -> None:
    assert told([signal.SIGHUP, signal.SIGTERM], before=["nohup"]) == (130, "tidy\n")
