"""What the conductor takes of the machine while a Case is measured: it should sleep."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncGenerator

from harness.catalog import ROOT
from harness.core.errors import HarnessError
from tests.bench.section import Bench, Findings, Row, Section, below_aims, row
from tests.bench.standins import stand_in
from tests.bench.statistics import middle

_AIM_PERCENT = 2.0
_SLICE_S = 3
_LIMIT_S = 600
_SIDES = {"native": "onnxruntime", "page": "wasm"}
_COLUMNS, _LINES = 120, 40


async def measure(bench: Bench) -> AsyncGenerator[Findings, None]:
    rows: list[Row] = []
    rounds = bench.times(6, 1)
    for side in ("native",) if bench.quick else tuple(_SIDES):
        standin = await stand_in(bench, side, 1)
        for place in ("terminal", "log"):
            out = bench.folder / f"{side}-{place}.json"
            arguments = [
                "run", "--model", str(standin.path), "--hardware", _SIDES[side], "--threads", str(bench.threads),
                "--rounds", str(rounds), "--budget", f"{rounds * _SLICE_S}s", "--db", str(bench.folder / "cpu.duckdb"),
            ]  # fmt: skip
            await _run([str(out), *arguments], terminal=place == "terminal")
            rows.append(_row(f"{side}, to a {place}", json.loads(out.read_text())))
            bench.say(f"conductor_cpu: {rows[-1]['name']}")
            yield Findings(list(rows), *below_aims(rows))


def _row(name: str, rounds: list[list[list[object]]]) -> Row:
    """Share of one core between the end of `first` and the end of `sample`: while the loop runs."""
    shares, measured_s = [], 0.0
    for readings in rounds:
        at = {str(phase): (float(str(wall)), float(str(cpu))) for _, phase, wall, cpu in readings}
        wall_ns, cpu_ns = (at["sample"][index] - at["first"][index] for index in (0, 1))
        shares.append(100 * cpu_ns / wall_ns)
        measured_s += wall_ns / 1e9
    value, interval = middle(shares)
    return {
        **row(name, value, interval, n=len(shares), measured_s=measured_s, each_percent=shares),
        "aim": _AIM_PERCENT,
    }


async def _run(arguments: list[str], terminal: bool) -> None:
    """The command with a pseudo-terminal at its stdout and stderr, or with none."""
    command = [sys.executable, "-m", "tests.bench.conducting", *arguments]
    with contextlib.ExitStack() as open_:
        environment = {**os.environ, "TERM": "xterm-256color"}
        theirs = _pseudo_terminal(open_) if terminal else asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=environment, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        try:
            code = await asyncio.wait_for(process.wait(), _LIMIT_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if code != 0:
        raise HarnessError(f"{' '.join(arguments[1:])} ended with {code}")


def _pseudo_terminal(open_: contextlib.ExitStack) -> int:
    """The end for the command; what it paints is read away, as a terminal does, else it would block."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    open_.callback(os.close, ours)
    open_.callback(os.close, theirs)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
    loop = asyncio.get_running_loop()

    def read_away() -> None:
        with contextlib.suppress(OSError):
            os.read(ours, 65536)

    loop.add_reader(ours, read_away)
    open_.callback(loop.remove_reader, ours)
    return theirs


SECTION = Section(
    name="conductor_cpu",
    what="CPU time of the conductor's own process while the loop runs (1 ms stand-in: the most samples a second)",
    unit="% of one core",
    aim="below 2 %",
    measure=measure,
)
