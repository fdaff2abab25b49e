"""Which Run somebody means who types the beginning of its id, or `last`."""

import difflib
from collections.abc import Sequence

from harness.core.errors import UserMistake


def pick_run(known: Sequence[str], asked: str | None) -> str:
    """One of the known ids, the newest of which comes first; None and `last` mean that one.

    Raises UserMistake: no_runs, unknown_run (with the nearest), ambiguous_run.
    """
    if not known:
        raise UserMistake("no_runs", "there is no run yet", "measure something first: harness run")
    if asked is None or asked == "last":
        return known[0]
    matches = [run_id for run_id in known if run_id.startswith(asked)] if asked else []
    if asked in known or len(matches) == 1:
        return asked if asked in known else matches[0]
    if matches:
        raise UserMistake("ambiguous_run", f"{len(matches)} runs begin with {asked!r}", f"say more: {matches[0]}")
    near = difflib.get_close_matches(asked, known, n=1, cutoff=0.3)
    raise UserMistake(
        "unknown_run", f"there is no run {asked!r}", f"did you mean {near[0]}?" if near else f"the last is {known[0]}"
    )
