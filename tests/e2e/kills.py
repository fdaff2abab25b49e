"""`python -m tests.e2e.kills --kills 100`: kill what takes part in runs, at random moments, and count what that costs.

A run is started, then `kill -9` hits one of those alive at the moment (the conductor, an exporter, a worker, a browser,
one of its children, its driver, the guard), again and again, until the conductor has ended. Then: no process of it may
be left, no temporary file, and every Round that it had called finished must be in the journal. The next sitting goes on
with `--resume last`; when a run is done, database and journal must tell the same, and the next run begins, now and
then with its exports still to be made.
"""

import argparse
import contextlib
import json
import os
import random
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from harness.core.rounds import Round
from harness.measure.assemble import assemble
from harness.store.journal import read_journal
from harness.store.query import run_query

_MARK = "HARNESS_KILLS"
_TOLD = re.compile(r"^(\S+) #(\d+): (ok|failed|unsupported)", re.MULTILINE)
_FIRST_LOOK_S, _TIDY_S = 0.2, 15.0
KINDS = {
    "exporter": ("exporters.worker",),
    "worker": ("native.worker", "native.zygote"),
    "gpu process": ("--type=gpu-process",),
    "renderer": ("--type=renderer",),
    "browser": ("--remote-debugging-",),
    "driver": ("run-driver",),
    "guard": ("harness.processes.guard",),
}
HARDWARE = "noop,onnxruntime,noop_web,wasm,webgpu"


@dataclass
class Tally:
    """What was killed and what it cost; all but the first three must be zero or empty."""

    kills: Counter[str] = field(default_factory=Counter)
    sittings: int = 0
    runs: int = 0
    rounds: int = 0
    repeated: int = 0
    orphans: list[str] = field(default_factory=list)
    left_files: list[str] = field(default_factory=list)
    lost_rounds: list[str] = field(default_factory=list)
    repeated_too_often: list[str] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)

    def faults(self) -> list[str]:
        return [
            *self.orphans, *self.left_files, *self.lost_rounds, *self.repeated_too_often, *self.disagreements,
            *self.tracebacks,
        ]  # fmt: skip


class Campaign:
    """One folder, one database, many sittings."""

    def __init__(self, folder: Path, seed: int, hardware: str = HARDWARE, longest_s: float = 16.0) -> None:
        self.folder, self.hardware, self.longest_s = folder, hardware, longest_s
        self.random = random.Random(seed)
        self.tally = Tally()
        self.database = folder / "h.duckdb"
        self.temporary = folder / "tmp"
        self.temporary.mkdir(parents=True)
        self.going_on = False
        self.sittings_of_run = 0

    def sitting(self, kills: int) -> int:
        """One conductor from its start to its end; returns how many kills it took."""
        mark = secrets.token_hex(8)
        said = self.folder / "stderr"
        with said.open("wb") as stderr:
            conductor = psutil.Popen(
                [sys.executable, "-m", "harness", "run", *self._arguments(), "--db", str(self.database), "--json"],
                stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True,
                env={**os.environ, _MARK: mark, "TMPDIR": str(self.temporary)},
            )  # fmt: skip
        seen: dict[int, psutil.Process] = {}
        killed = 0
        next_at = time.monotonic() + self._pause_s()
        while conductor.poll() is None:
            with contextlib.suppress(psutil.Error):
                seen |= {child.pid: child for child in conductor.children(recursive=True)}
            if killed < kills and time.monotonic() >= next_at:
                killed += self._kill_one(conductor)
                next_at = time.monotonic() + self._pause_s()
            time.sleep(0.02)
        self.tally.sittings += 1
        self.sittings_of_run += 1
        self._look_for_leftovers(mark, seen)
        text = said.read_text(errors="replace")
        if "Traceback" in text:
            self.tally.tracebacks.append(text[-2000:])
        self._look_for_rounds(text, done=conductor.returncode in (0, 1))
        return killed

    def _pause_s(self) -> float:
        """Short ones for the beginning, where much happens at once; long ones for all that comes after."""
        return self.random.uniform(0, self.random.choice((2.0, self.longest_s)))

    def _arguments(self) -> list[str]:
        if self.going_on:
            return ["--resume", "last"]
        self.tally.runs += 1
        self.sittings_of_run = 0
        if self.random.random() < 0.3:
            shutil.rmtree(self.folder / "artifacts", ignore_errors=True)
        what = ["--model", "bert", "--scale", "tiny", "--length", "16", "--hardware", self.hardware]
        isolation = self.random.choice(("process", "zygote"))
        return [*what, "--rounds", "3", "--budget", "900ms", "--timeout", "60s", "--isolation", isolation]

    def _kill_one(self, conductor: "psutil.Popen") -> int:
        alive: dict[str, list[psutil.Process]] = {"conductor": [conductor]}
        with contextlib.suppress(psutil.Error):
            for process in conductor.children(recursive=True):
                if kind := _kind(process):
                    alive.setdefault(kind, []).append(process)
        # Whoever measures as often as the conductor; the guard is always there, and would take the place of the others.
        others = [kind for kind in alive if kind not in ("conductor", "guard")]
        kind = self.random.choices(("conductor", "guard", "other"), (4, 1, 5 if others else 0))[0]
        if kind == "other":
            kind = self.random.choice(others)
        if kind not in alive:
            return 0
        with contextlib.suppress(psutil.NoSuchProcess):
            self.random.choice(alive[kind]).kill()
            self.tally.kills[kind] += 1
            return 1
        return 0

    def _look_for_leftovers(self, mark: str, seen: dict[int, psutil.Process]) -> None:
        deadline = time.monotonic() + _TIDY_S
        time.sleep(_FIRST_LOOK_S)
        while (left := list(_alive(mark, seen))) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.tally.orphans += [_describe(process) for process in left]
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        stray = [str(path) for path in self.temporary.iterdir()]
        stray += [str(path) for path in (self.folder / "artifacts").glob(".*")]
        self.tally.left_files += stray
        for path in stray:
            shutil.rmtree(path, ignore_errors=True)

    def _look_for_rounds(self, text: str, done: bool) -> None:
        journals = sorted((self.folder / "h.journal").glob("*.jsonl"))
        if not journals:
            self.going_on = False  # it was killed before its run began
            return
        records = read_journal(journals[-1]).records
        begun = Counter((record["case_id"], record["number"]) for record in records if record["record"] == "round")
        run, rounds, _ = assemble(records)
        if run is None:
            raise AssertionError(f"{journals[-1]} holds no run")
        slugs = {point.case.case_id: point.case.slug for point in run.plan.cases}
        kept = {(slugs[one.case_id], str(one.number)) for one in rounds}
        told = {(slug, number) for slug, number, _ in _TOLD.findall(text)}
        self.tally.lost_rounds += [f"{slug} #{number} of {run.run_id}" for slug, number in sorted(told - kept)]
        done = done or (run.ended_at is not None and not run.interrupted)  # killed after its last word
        if self.going_on or run.run_id in text:
            again = sum(times - 1 for times in begun.values())
            if again > self.sittings_of_run - 1:
                self.tally.repeated_too_often.append(f"{run.run_id}: {again} in {self.sittings_of_run} sittings")
            if done:
                self.tally.repeated += again
                self.tally.rounds += len(rounds)
                self._compare(run.run_id, rounds)
            self.going_on = not done

    def _compare(self, run_id: str, rounds: list[Round]) -> None:
        """Database and journal know the same Rounds of a run that is done."""
        _, rows = run_query(self.database, f"select round_id from rounds where run_id = '{run_id}'")
        stored, journalled = {row[0] for row in rows}, {one.round_id for one in rounds}
        if stored != journalled:
            self.tally.disagreements.append(
                f"{run_id}: {len(stored)} in the database, {len(journalled)} in the journal"
            )


def _kind(process: psutil.Process) -> str | None:
    with contextlib.suppress(psutil.Error):
        line = " ".join(process.cmdline())
        return next((kind for kind, words in KINDS.items() if any(word in line for word in words)), None)
    return None


def _alive(mark: str, seen: dict[int, psutil.Process]) -> Iterator[psutil.Process]:
    """Whatever was a child of the conductor, or says that it descends from it."""
    known = {process.pid for process in seen.values() if process.is_running()}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.pid in known or process.environ().get(_MARK) == mark:
                yield process


def _describe(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return f"{process.pid} {' '.join(process.cmdline())[:120]}"
    return str(process.pid)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True, help="a new folder for everything")
    parser.add_argument("--hardware", default=HARDWARE)
    asked = parser.parse_args()
    campaign = Campaign(asked.folder, asked.seed, asked.hardware)
    left = asked.kills
    while left > 0 or campaign.going_on:
        left -= campaign.sitting(left)
        sys.stderr.write(f"{asked.kills - left} kills, {campaign.tally.sittings} sittings\n")
    tally = campaign.tally
    told = {key: dict(value) if isinstance(value, Counter) else value for key, value in vars(tally).items()}
    sys.stdout.write(json.dumps(told, indent=1) + "\n")
    return 1 if tally.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
