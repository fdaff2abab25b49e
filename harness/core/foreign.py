"""A value of a foreign file with the path that led to it, so that whatever is wrong with it is said with its place."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.core.text import one_line
from harness.core.values import INT32_MOST, INT64_MOST, bounded_json, bounded_text

NS_PER = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
BYTES_PER = {"B": 1, "kB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}
# A latency of a week, a memory of a petabyte: whoever says so has another unit than he thinks.
_LONGEST_NS = 7 * 24 * 3600 * 10**9
_MOST_BYTES = 10**15
_MOST_SAMPLES = 5_000_000
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


class Broken(ValueError):
    """A file says something that no result can be; the text names the file and the path to it."""


@dataclass(frozen=True)
class At:
    """`path` is `$` for the whole file."""

    file: str
    path: str
    value: Any

    def broken(self, words: str) -> Broken:
        return Broken(f"{one_line(self.file, 200)}: {one_line(self.path, 200)}: {words}")

    def get(self, key: str | int) -> "At | None":
        """What stands under the key, None where there is nothing or null."""
        step = f"[{key}]" if isinstance(key, int) else f".{key}"
        if isinstance(key, int):
            found = self.value[key] if isinstance(self.value, list) and key < len(self.value) else None
        else:
            found = self.value.get(key) if isinstance(self.value, dict) else None
        return None if found is None else At(self.file, f"{self.path}{step}", found)

    def need(self, key: str) -> "At":
        """Raises Broken where there is nothing."""
        found = self.get(key)
        if found is None:
            raise self.broken(f"has no {key}")
        return found

    def follow(self, path: str) -> "At | None":
        """`config.runs[0].model`; a key that itself has that whole name (a CSV column) comes first."""
        whole = self.get(path)
        if whole is not None:
            return whole
        here: At | None = self
        for key, index in _STEP.findall(path):
            here = None if here is None else here.get(key or int(index))
        return here

    def items(self) -> Iterator[tuple[str, "At"]]:
        """Of an object; raises Broken for anything else."""
        if not isinstance(self.value, dict):
            raise self.broken(f"should be an object, is {_kind(self.value)}")
        yield from ((key, At(self.file, f"{self.path}.{key}", each)) for key, each in self.value.items())

    def each(self) -> Iterator["At"]:
        """Of a list; raises Broken for anything else."""
        if not isinstance(self.value, list):
            raise self.broken(f"should be a list, is {_kind(self.value)}")
        yield from (At(self.file, f"{self.path}[{n}]", each) for n, each in enumerate(self.value))

    def text(self) -> str:
        """A name: numbers are told as they are written. Raises Broken for lists, objects, and what is no name."""
        if isinstance(self.value, bool) or not isinstance(self.value, str | int | float):
            raise self.broken(f"should be a text, is {_kind(self.value)}")
        told = str(self.value).strip()
        try:
            bounded_text(told)
        except ValueError as error:
            raise self.broken(f"is no text: {error}") from error
        if not told or len(told) > 500 or one_line(told) != told:
            raise self.broken("is empty, too long, or has characters that no name has")
        return told

    def number(self) -> float:
        """Zero or more, also where it is written as a text; raises Broken."""
        value = self.value
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                raise self.broken(f"{one_line(value, 60)!r} is no number") from None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.broken(f"should be a number, is {_kind(value)}")
        if not abs(value) <= 1e300 or not math.isfinite(value):
            raise self.broken("is no finite number")
        if value < 0:
            raise self.broken(f"is negative: {value:g}")
        return value

    def count(self) -> int:
        """A whole number from 1; raises Broken."""
        value = self.number()
        if value != int(value) or not 1 <= value <= INT32_MOST:
            raise self.broken(f"should be a whole number from 1, is {value:g}")
        return int(value)

    def duration_ns(self, unit: str) -> int:
        """Raises Broken, also for a unit that nobody knows."""
        duration = self.number() * self._factor(unit, NS_PER)
        if duration > _LONGEST_NS:
            raise self.broken(f"{self.value} {unit} is longer than a week: is that the unit?")
        return round(duration)

    def durations_ns(self, unit: str) -> tuple[int, ...]:
        """Of a list, which may not be empty."""
        found = tuple(one.duration_ns(unit) for one in self.each())
        if not 0 < len(found) <= _MOST_SAMPLES:
            raise self.broken(f"should hold 1 to {_MOST_SAMPLES:,} durations, holds {len(found):,}")
        return found

    def size_bytes(self, unit: str) -> int:
        size = self.number() * self._factor(unit, BYTES_PER)
        if size > min(_MOST_BYTES, INT64_MOST):
            raise self.broken(f"{self.value} {unit} is more than any memory: is that the unit?")
        return round(size)

    def plain(self) -> Any:
        """As it is, if the database can hold it."""
        try:
            return bounded_json(self.value)
        except ValueError as error:
            raise self.broken(str(error)) from error

    def _factor(self, unit: str, known: dict[str, int]) -> int:
        if unit not in known:
            raise self.broken(f"unit {one_line(unit, 40)!r} is not known; known: {', '.join(known)}")
        return known[unit]


def text_or_none(at: At | None) -> str | None:
    return None if at is None else at.text()


def count_or_none(at: At | None) -> int | None:
    return None if at is None else at.count()


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
