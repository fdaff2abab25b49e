"""Which Run somebody means who types the beginning of its id, or `last`."""

import difflib
from collections.abc import Sequence

from harness.core.errors import UserMistake
from harness.core.imported import is_imported


def pick_run(known: Sequence[str], asked: str | None) -> str:
    """One of the known ids, the newest of which comes first; None and `last` mean that one, but never an imported one.

    Raises UserMistake: no_runs, unknown_run (with the nearest), ambiguous_run.
    """
    measured = [run_id for run_id in known if not is_imported(run_id)]
    if not known or (not measured and asked in (None, "last")):
        what = "there is no run yet" if not known else "no run was measured here yet: all of them are imported"
        raise UserMistake("no_runs", what, f"measure something first: harness run{_or_name(known)}")
    if asked is None or asked == "last":
        return measured[0]
    matches = [run_id for run_id in known if run_id.startswith(asked)] if asked else []
    if asked in known or len(matches) == 1:
        return asked if asked in known else matches[0]
    if matches:
        raise UserMistake("ambiguous_run", f"{len(matches)} runs begin with {asked!r}", f"say more: {matches[0]}")
    near = difflib.get_close_matches(asked, known, n=1, cutoff=0.3)
    raise UserMistake(
        "unknown_run", f"there is no run {asked!r}", f"did you mean {near[0]}?" if near else f"the last is {known[0]}"
    )


def _or_name(known: Sequence[str]) -> str:
    return f"; or name one: {known[0]}" if known else ""
