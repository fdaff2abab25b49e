"""Values from outside, bounded: what JSON, the database and a folder can hold. Pure; each refuses by ValueError."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any

from pydantic import AfterValidator, Field

INT32_MOST = 2**31 - 1  # the schema's INTEGER
INT64_MOST = 2**63 - 1  # the schema's BIGINT
# What honest workers and pages send stays far below: a few dozen keys, some thousand names of nodes.
_DEEPEST = 32
_MOST_VALUES = 200_000
_LONGEST_TEXT = 1_000_000
# JavaScript writes 2**64 as a whole number, so BIGINT is too narrow; far beyond, no double could hold it.
_LARGEST_NUMBER = 10**38


def bounded_json(value: Any) -> Any:
    """The value, if every reader of JSON and the database can hold it: depth, count, numbers, texts."""
    left = _MOST_VALUES
    waiting = [(value, 0)]
    # A list of what is still to be seen instead of recursion: depth is just what must not be trusted.
    while waiting:
        each, depth = waiting.pop()
        left -= 1
        if left < 0:
            raise ValueError(f"more than {_MOST_VALUES} values")
        if depth > _DEEPEST:
            raise ValueError(f"nested more than {_DEEPEST} deep")
        if isinstance(each, Mapping):
            waiting += [(item, depth + 1) for pair in each.items() for item in pair]
        elif isinstance(each, list | tuple):
            waiting += [(item, depth + 1) for item in each]
        elif isinstance(each, str):
            bounded_text(each)
        elif isinstance(each, float) and not math.isfinite(each):
            raise ValueError("NaN and Infinity are no JSON")
        elif isinstance(each, int) and abs(each) > _LARGEST_NUMBER:
            raise ValueError("a whole number beyond 1e38")
    return value


def bounded_text(text: str) -> str:
    """The text, if UTF-8 can hold it and it is not a flood."""
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"a text of more than {_LONGEST_TEXT} characters")
    text.encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
    return text


def inside(path: str) -> str:
    """The path, if it is relative and stays within the folder that it is relative to, on every system."""
    windows = PureWindowsPath(path)  # splits at both kinds of slash
    if not path or "\0" in path or windows.anchor or PurePosixPath(path).is_absolute() or ".." in windows.parts:
        raise ValueError(f"{path[:80]!r} is not a path inside the folder")
    return path


def moment(text: str) -> str:
    """The text, if it is a time by ISO 8601 that also exists in UTC."""
    try:
        datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time that no calendar has") from error
    return text


Text = Annotated[str, AfterValidator(bounded_text)]
Data = Annotated[dict[str, Any], AfterValidator(bounded_json)]
Duration = Annotated[int, Field(ge=0, le=INT64_MOST)]
Count = Annotated[int, Field(ge=1, le=INT32_MOST)]
# 0: another program measured it and does not say.
CountOrUnknown = Annotated[int, Field(ge=0, le=INT32_MOST)]
Inside = Annotated[str, AfterValidator(inside)]
