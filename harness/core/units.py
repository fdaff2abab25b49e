"""Durations and sizes: nanoseconds and bytes inside, people's units at the edges."""

import re

from harness.core.errors import UserMistake
from harness.core.text import one_line

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
BYTES_PER_MB = 1_000_000

_DURATION = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,15})?)\s*(?P<unit>ms|s|m|h)?")
_RATE = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,9})?)(?P<unit>kbit|mbit|gbit)")
_BITS_PER_UNIT = {"kbit": 1_000, "mbit": 1_000_000, "gbit": 1_000_000_000}
_SLOWEST_BITS, _FASTEST_BITS = 100_000, 10_000_000_000
_LONGEST_NS = 30 * 24 * 3600 * NS_PER_S
_NS_PER_UNIT = {"ms": NS_PER_MS, "s": NS_PER_S, "m": 60 * NS_PER_S, "h": 3600 * NS_PER_S}


def parse_duration(text: str) -> int:
    """Nanoseconds from `20s`, `500ms`, `2m`, `1.5h`; a bare number is seconds.

    Raises UserMistake when the text is none of these, not above zero, or longer than 30 days.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    duration_ns = 0
    if match:
        duration_ns = round(float(match["number"]) * _NS_PER_UNIT[match["unit"] or "s"])
    if duration_ns <= 0:
        raise UserMistake("bad_duration", f"{one_line(text, 60)!r} is not a duration", "write 500ms, 20s, 2m or 1h")
    if duration_ns > _LONGEST_NS:
        raise UserMistake(
            "bad_duration", f"{one_line(text, 60)!r} is longer than 30 days", "write 500ms, 20s, 2m or 1h"
        )
    return duration_ns


def parse_days(text: str) -> float:
    """Days from `180d` or `26w`; a bare number is days. Raises UserMistake for anything else."""
    match = re.fullmatch(r"([0-9]{1,5}(?:\.[0-9]{1,5})?)\s*([dw]?)", text.strip().lower())
    if not match:
        raise UserMistake("bad_age", f"{one_line(text, 60)!r} is not an age", "write 180d or 26w")
    return float(match[1]) * (7 if match[2] == "w" else 1)


def parse_size(text: str) -> int:
    """Bytes from `20GB`, `500MB`, `1.5TB`, decimal units as in `human_bytes`. Raises UserMistake for anything else."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(kb|mb|gb|tb|b)", text.strip().lower())
    if not match:
        raise UserMistake("bad_size", f"{one_line(text, 60)!r} is not a size", "write 20GB, 500MB or 0B")
    unit: int = 1000 ** ("b", "kb", "mb", "gb", "tb").index(match[2])
    return round(float(match[1]) * unit)


def parse_rate(text: str) -> int:
    """Bits per second from `50mbit`, `1gbit`, `500kbit`; raises UserMistake for anything else."""
    match = _RATE.fullmatch(text.strip().lower())
    rate = round(float(match["number"]) * _BITS_PER_UNIT[match["unit"]]) if match else 0
    if not _SLOWEST_BITS <= rate <= _FASTEST_BITS:
        message = f"{one_line(text, 60)!r} is no rate between 100kbit and 10gbit"
        raise UserMistake("bad_rate", message, "write 50mbit, 1gbit or 500kbit: bits per second")
    return rate


def ms(duration_ns: float) -> float:
    """Milliseconds from nanoseconds."""
    return duration_ns / NS_PER_MS


def human_bytes(size_bytes: float) -> str:
    """`83.4 MB`: decimal units, as disks and downloads are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size_bytes) < 1000:
            return f"{size_bytes:.0f} B" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"
