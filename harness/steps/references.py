"""What somebody means by a Run, or by some points of one: a baseline's name or file, a run_id, words of a point."""

from collections.abc import Sequence
from pathlib import Path

from harness.analyse.measured import measured_run
from harness.analyse.sides import matching, names_of
from harness.catalog import unknown
from harness.core.errors import UserMistake
from harness.core.imported import is_imported
from harness.core.measured import MeasuredCase, MeasuredRun
from harness.steps.recording import rounds_of
from harness.store.baselines import read_baseline, read_names
from harness.store.results import read_run, run_ids


def stored_run(database: Path, run_id: str | None) -> MeasuredRun:
    """A Run of the database with its Rounds' medians. Raises UserMistake as `read_run` does."""
    run, results = read_run(database, run_id)
    return measured_run(run, results, rounds_of(database, run.run_id))


def reference(database: Path, asked: str) -> MeasuredRun:
    """`main` (a baseline's name), `baseline.json` (its file), a run_id or its beginning, or `last`."""
    if is_file(asked):
        return read_baseline(Path(asked).expanduser())
    names = read_names(database)
    if asked in names:
        return stored_run(database, names[asked])
    if _means_run(database, asked):
        return stored_run(database, asked)
    raise unknown("baseline", asked, [*names, *run_ids(database)])


def side(database: Path, asked: str, within: str | None) -> tuple[MeasuredRun, Sequence[MeasuredCase]]:
    """A reference, all of its points; `REFERENCE:WORDS` some of them; `WORDS` alone those of the Run `within`.

    Words are parted by commas: `webnn,fp16`. Raises UserMistake: no_such_point, with the nearest name.
    """
    head, colon, tail = asked.partition(":")
    if is_file(asked) or asked in read_names(database) or _means_run(database, asked):
        run = reference(database, asked)
        return run, run.cases
    if colon and (is_file(head) or head in read_names(database) or _means_run(database, head)):
        return _narrowed(reference(database, head), tail)
    return _narrowed(reference(database, within or "last"), asked)


def is_file(asked: str) -> bool:
    """Whether a reference is a file's path, by the look of it."""
    return asked.endswith(".json")


def _narrowed(run: MeasuredRun, typed: str) -> tuple[MeasuredRun, Sequence[MeasuredCase]]:
    words = [word.strip() for word in typed.split(",") if word.strip()]
    found = matching(run, words)
    if not words or not found:
        known = {name for one in run.cases for name in names_of(one.case)}
        strange = [word for word in words if word not in known]
        if strange:
            raise unknown("point", strange[0], known)
        message = f"run {run.run_id} has no point that is {' and '.join(words) or 'named'}"
        raise UserMistake("no_such_point", message, f"see its points: harness show {run.run_id}")
    return run, found


def _means_run(database: Path, asked: str) -> bool:
    like_an_id = asked[:1].isdigit() or is_imported(asked)
    return asked == "last" or (like_an_id and any(each.startswith(asked) for each in run_ids(database)))
