"""Named Runs that others are held against: `main` → its run_id. Beside the journal, so that a rebuild keeps them."""

import json
import os
import re
import tempfile
from pathlib import Path

from pydantic import ValidationError

from harness.core.errors import UserMistake
from harness.core.measured import FORMAT, MeasuredRun
from harness.core.text import one_line
from harness.store.journal import journal_path

_NAME = r"[A-Za-z][A-Za-z0-9._/-]{0,79}"
_RUN_ID = r"(\d{8}T\d{6}|imported-).*"
# A baseline of ten thousand points is some 30 MB.
_LARGEST_BYTES = 200_000_000


def read_names(database: Path) -> dict[str, str]:
    """Name → run_id, by name; empty where nobody named one. Raises UserMistake bad_baselines for a broken file."""
    path = _names_path(database)
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): str(found[name]) for name in sorted(found)}
    except (ValueError, TypeError, OSError) as error:
        raise UserMistake("bad_baselines", f"cannot read {path}: {error}", "name the baselines anew") from error


def set_name(database: Path, name: str, run_id: str | None) -> None:
    """Let the name mean that Run from now on; None takes the name away. Raises UserMistake: bad_baseline_name."""
    if not re.fullmatch(_NAME, name) or name == "last" or name.endswith(".json") or re.fullmatch(_RUN_ID, name):
        hint = "letters, digits and ._/- : main, v1.2, nightly/linux"
        raise UserMistake("bad_baseline_name", f"{one_line(name, 60)!r} cannot be a baseline's name", hint)
    names = {key: value for key, value in read_names(database).items() if key != name}
    if run_id is not None:
        names[name] = run_id
    _write(_names_path(database), json.dumps(names, indent=1, sort_keys=True) + "\n")


def write_baseline(path: Path, run: MeasuredRun) -> None:
    """A file that can be committed; the same Run gives the same bytes."""
    _write(path, json.dumps(run.model_dump(mode="json"), indent=1, sort_keys=True) + "\n")


def read_baseline(path: Path) -> MeasuredRun:
    """The Run in a file that `write_baseline` wrote. Raises UserMistake: bad_baseline, with what is wrong with it."""
    hint = "write one with: harness baseline save FILE"
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise UserMistake("bad_baseline", f"{path} is larger than any baseline", hint)
        found = json.loads(path.read_text(encoding="utf-8"))
        told = found.get("format") if isinstance(found, dict) else None
        if told != FORMAT:
            raise UserMistake("bad_baseline", f"{path} has format {told!r}, this harness reads {FORMAT}", hint)
        return MeasuredRun.model_validate(found)
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise UserMistake("bad_baseline", f"cannot read {path}: {error}", hint) from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UserMistake("bad_baseline", f"{path}: {where}: {one_line(str(first['msg']), 200)}", hint) from error
    except ValueError as error:
        raise UserMistake("bad_baseline", f"{path} is not JSON: {one_line(str(error), 200)}", hint) from error


def _names_path(database: Path) -> Path:
    return journal_path(database, "*").parent / "baselines.json"


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
