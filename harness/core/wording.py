"""What a foreign error is, by its words: C++ libraries raise everything as one class, or print it and die.

Twin of `asOutcome` in `browser_assets/backends/seam.js`.
"""

import re

_CODES = {
    "out_of_memory": re.compile(
        r"out of memory|bad[ _]alloc|allocation failed|failed to allocate|memoryerror"
        r"|(can't|cannot|could not|unable to) allocate",
        re.IGNORECASE,
    ),
    "disk_full": re.compile(r"no space left on device|disk quota exceeded|not enough space on the disk", re.IGNORECASE),
}
# A runtime that says plainly that it cannot has not broken: an operator without a kernel, a type that a device lacks.
_REFUSAL = re.compile(
    r"not[ _]?implemented|could not find an implementation|not supported|does not support|NotSupportedError",
    re.IGNORECASE,
)
_NO_REFUSAL = re.compile(r"not supported between instances|operation not supported|cannot unpack", re.IGNORECASE)


def code_by_words(text: str) -> str | None:
    """`out_of_memory` or `disk_full` where the text says so; None where it says neither."""
    return next((code for code, words in _CODES.items() if words.search(text)), None)


def is_refusal(text: str) -> bool:
    """Whether the text says that it cannot be done here, where others would say that something broke.

    Python's own errors and the system's speak alike of what is merely wrong: those are no refusals.
    """
    found = _REFUSAL.search(text)
    return code_by_words(text) is None and found is not None and _NO_REFUSAL.search(text) is None
