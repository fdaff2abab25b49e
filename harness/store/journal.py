"""The append-only journal of one Run: JSON lines, on disk before the database hears of them."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from pydantic import BaseModel


def journal_path(database: Path, run_id: str) -> Path:
    """`<database name>.journal/<run_id>.jsonl` beside the database, without the database's suffix."""
    return database.parent / f"{database.stem}.journal" / f"{run_id}.jsonl"


class Journal:
    """Open for appending; one writer per Run. A torn last line that a crash left is cut off: nobody can read it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        _cut_torn_line(path)
        self._file = path.open("ab")

    def append(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Write one record; models in it become JSON, NaN and Infinity null.

        Gives back the record as a later reader will see it: assembling from that makes rebuilding exact.
        Raises OSError when the disk is full, TypeError on what is not JSON.
        """
        line = json.dumps(plain(record), separators=(",", ":"), allow_nan=False)
        self._file.write(line.encode() + b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def sync(self) -> None:
        """Everything appended so far survives a crash of the machine; called at each Round's end."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        if not self._file.closed:
            self.sync()
            self._file.close()

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
        except ValueError as error:
            if last:
                torn = f"{path}:{number}: the last line is torn ({len(line)} bytes): what it told is lost"
            else:
                corrupt.append(f"{path}:{number}: {error}")
        else:
            records.append(record)
    return JournalReading(records, torn, tuple(corrupt))


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
