"""Text from outside, for a screen: one line, of bounded length, with nothing in it that a terminal obeys."""

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LINE_ENDS = re.compile(r"\s*\n\s*")
_SHOWN = 500


def one_line(text: str, most: int = _SHOWN) -> str:
    """For a screen: one line, and no character that moves the cursor or turns the text around."""
    flat = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", _LINE_ENDS.sub(" ", text[: 2 * most].strip()))
    return flat if len(flat) <= most and len(text) <= 2 * most else f"{flat[:most]} …"
