"""Errors that cross rooms.

    HarnessError
    ├── UserMistake       the user can mend it: exit 2, with a code, a sentence and a hint
    ├── Unsupported       this machine, browser or runtime cannot do it: an outcome, not a crash
    └── ProtocolViolation a worker or page spoke out of turn: the Round has failed

A failed Case is data (see `rounds.py`), not one of these.
"""

import errno

# What systems say where a disk, a quota or a file's allowed size is used up.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class HarnessError(Exception):
    """Root of all errors that the harness raises on purpose."""


class UserMistake(HarnessError):
    """Something the user typed or pointed at is wrong; `hint` says what to do next."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class Unsupported(HarnessError):
    """What was asked for does not exist here; the text is the reason, in the words of whoever said no."""


class ProtocolViolation(HarnessError):
    """An Event arrived that the legal order of a Round does not allow."""
