"""The command line as a program asks it: the JSON that comes back, and the exit code that was expected."""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import psutil

from harness import cli


def harness(folder: Path, *arguments: str, exit_code: int = 0) -> Any:
    """What `harness … --json` says in that folder."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", *arguments, "--json"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == exit_code, done.stderr
    return json.loads(done.stdout)


def answered(folder: Path, *arguments: str, exit_code: int = 0) -> Any:
    """The same without a process of its own, for verbs that only read: what they import is imported once for all."""
    out, err, code = io.StringIO(), io.StringIO(), None
    with (
        contextlib.chdir(folder),
        mock.patch.object(sys, "argv", ["harness", *arguments, "--json"]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
    assert code == exit_code, err.getvalue()
    assert "Traceback" not in err.getvalue()
    return json.loads(out.getvalue())


def processes_under(folder: Path) -> list[psutil.Process]:
    """All whose command line, environment or working directory names the folder: a command typed there, with its
    temporary files there too, and whatever it started."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            said = " ".join((*process.cmdline(), *process.environ().values(), process.cwd()))
            if str(folder) in said and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
