"""The append-only journal of one Run: JSON lines, on disk before the database hears of them."""

import contextlib
import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from filelock import FileLock, Timeout
from pydantic import BaseModel

from harness.core.errors import DISK_FULL, UserMistake
from harness.core.text import one_line
from harness.core.units import human_bytes

LEAST_FREE_BYTES = 100_000_000  # before: enough for what a long run writes; a run that needs more is stopped in order
_WRITE_AT_BYTES = 65_536


def journal_path(database: Path, run_id: str) -> Path:
    """`<database name>.journal/<run_id>.jsonl` beside the database, without the database's suffix."""
    return database.parent / f"{database.stem}.journal" / f"{run_id}.jsonl"


class Journal:
    """Open for appending, by one process only. A torn last line that a crash left is cut off: nobody can read it.

    Raises UserMistake: run_going (another process writes it), disk_full (too little room to begin).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        _refuse_full_disk(path.parent)
        self._lock = _only_writer(path)
        _cut_torn_line(path)
        self._file = path.open("ab", buffering=0)
        self._safe_bytes = path.stat().st_size
        self._waiting = b""

    def append(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Write one record; models in it become JSON, NaN and Infinity null.

        Gives back the record as a later reader will see it: assembling from that makes rebuilding exact.
        Raises UserMistake disk_full (what was safe stays safe), OSError, TypeError on what is not JSON.
        """
        line = json.dumps(plain(record), separators=(",", ":"), allow_nan=False)
        self._waiting += line.encode() + b"\n"
        if len(self._waiting) >= _WRITE_AT_BYTES:
            self._write()
        found: dict[str, Any] = json.loads(line)
        return found

    def sync(self) -> None:
        """Everything appended so far survives a crash of the machine; called at each Round's end."""
        self._write()
        self._or_undo(lambda: os.fsync(self._file.fileno()))
        self._safe_bytes = os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        if self._file.closed:
            return
        try:
            self.sync()
        finally:
            self._file.close()
            with contextlib.suppress(OSError):  # while it is held: nobody can have taken it since; Windows refuses
                Path(self._lock.lock_file).unlink()
            self._lock.release()

    def _write(self) -> None:
        while self._waiting:
            written = self._or_undo(lambda: self._file.write(self._waiting))
            self._waiting = self._waiting[written or 0 :]

    def _or_undo(self, action: Callable[[], int | None]) -> int | None:
        """A disk that is full ends the run, not the journal: what is not yet safe is taken back as a whole."""
        try:
            return action()
        except OSError as error:
            self._waiting = b""
            with contextlib.suppress(OSError):
                os.truncate(self.path, self._safe_bytes)
            if error.errno not in DISK_FULL:
                raise
            message = f"the disk is full: {self.path} takes no more ({error.strerror}); what was finished is safe"
            hint = f"free some room, then go on with: harness run --resume {self.path.stem}"
            raise UserMistake("disk_full", message, hint) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class JournalReading(NamedTuple):
    """What could be read, and a sentence for every line that could not."""

    records: list[dict[str, Any]]
    torn: str | None
    corrupt: tuple[str, ...]


def read_journal(path: Path) -> JournalReading:
    """Every readable record, in order.

    A last line without its end is what a crash leaves: `torn` says so. Any other unreadable line is damage: it is
    refused, named in `corrupt` as file:line, and the rest is kept. Raises OSError when the file cannot be read.
    """
    records: list[dict[str, Any]] = []
    corrupt: list[str] = []
    torn = None
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        last = number == len(lines)
        if not line:
            if not last:
                corrupt.append(f"{path}:{number}: an empty line")
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict) or not isinstance(record.get("record"), str):
                raise ValueError("not a journal record")
        except (ValueError, RecursionError) as error:
            if last:
                torn = f"{path}:{number}: the last line is torn ({len(line)} bytes): what it told is lost"
            else:
                corrupt.append(f"{path}:{number}: {one_line(str(error), 200)}")
        else:
            records.append(record)
    return JournalReading(records, torn, tuple(corrupt))


def runs_under_way(database: Path) -> list[str]:
    """Runs that some process is writing at the moment, into this database or one in the same folder: they share the
    machine and the artifacts."""
    going = []
    for place in sorted(database.parent.glob("*.journal/*.lock")):
        lock = FileLock(place)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            going.append(place.stem)
        else:
            lock.release()
    return going


def _refuse_full_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        needs = f"a run wants {human_bytes(LEAST_FREE_BYTES)}"
        raise UserMistake(
            "disk_full",
            f"{folder} has {human_bytes(free)} free, {needs}",
            "free some room, or name another place with --db",
        )


def _only_writer(path: Path) -> FileLock:
    """Two processes that carry on the same Run would double its Rounds. The system lets go when the holder dies."""
    lock = FileLock(path.with_suffix(".lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        message = f"run {path.stem} is being measured by another process"
        raise UserMistake("run_going", message, "wait until it ends, or stop it") from error
    return lock


def _cut_torn_line(path: Path) -> None:
    """End the file with a whole line, else the next record would be glued to half of one."""
    if not path.exists():
        return
    content = path.read_bytes()
    tail = content[content.rfind(b"\n") + 1 :]
    if not tail:
        return
    if read_journal(path).torn is None:
        with path.open("ab") as file:
            file.write(b"\n")
    else:
        os.truncate(path, len(content) - len(tail))


def plain(value: Any) -> Any:
    """What JSON can hold of a record: models as mappings, tuples as lists, NaN and Infinity as null."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump(mode="json"))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
