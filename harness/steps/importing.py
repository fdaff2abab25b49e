"""Other tools' results → journal and database: all files are read before the first is written, and each is written
whole or not at all. The same file twice is one Run: its id is the digest of what was read and how."""

import csv
import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from harness import catalog
from harness.catalog import Import
from harness.core.digest import digest_of
from harness.core.errors import UserMistake
from harness.core.foreign import Broken
from harness.core.imported import Imported
from harness.core.rounds import Run
from harness.core.text import one_line
from harness.core.values import moment
from harness.imports import Foreign, Source
from harness.imports.mapping import Mapping as ForeignMapping
from harness.imports.mapping import mapping_of
from harness.measure.imported import STATABLE, Record, run_of, with_stated
from harness.steps.one_round import now
from harness.steps.recording import ingest_journal
from harness.store.database import open_for_writing
from harness.store.journal import Journal, journal_path
from harness.store.results import imported_as, known_run_ids

MOST_BYTES = 200_000_000
_COUNTS = ("batch_size", "length", "threads")
_HINT = "nothing was imported"


@dataclass(frozen=True)
class Reading:
    """One file, read and not yet written: the Run that it becomes."""

    imported: Imported
    foreign: Foreign
    run: Run
    records: Sequence[Record]


def read_files(files: Sequence[Path], asked: str | None, stated: Mapping[str, str]) -> list[Reading]:
    """`asked`: a format's name, or the path of a mapping file (`.toml`); None: the file's own shape decides.

    Raises UserMistake: unknown_import, unknown_format, ambiguous_format, bad_import (with file and path), bad_state.
    """
    mapping = None
    if asked is not None and asked.endswith(".toml"):
        mapping = _mapping(Path(asked))
    elif asked is not None and (asked not in catalog.imports() or asked == "mapping"):
        raise catalog.unknown("import", asked, [*(set(catalog.imports()) - {"mapping"}), "FILE.toml"])
    known = _statable(stated)
    return [_read(file, asked, mapping, known) for file in files]


def write(database: Path, readings: Sequence[Reading], warn: Callable[[str], None]) -> list[bool]:
    """Journal first, then the database; per reading whether it was there already. Raises UserMistake: measured_here."""
    known = known_run_ids(database)
    for one in readings:
        if one.foreign.run_id in known:
            raise UserMistake("measured_here", f"run {one.foreign.run_id} is in {database} already: as measured", _HINT)
    there = []
    for one in readings:
        path = journal_path(database, one.run.run_id)
        there.append(path.is_file())
        if not there[-1]:
            _write_journal(path, one)
    with open_for_writing(database) as con:
        for one, was_there in zip(readings, there, strict=True):
            if not (was_there and one.run.run_id in known):
                ingest_journal(con, journal_path(database, one.run.run_id), warn)
            others = [run_id for run_id in imported_as(con, one.imported.sha256) if run_id != one.run.run_id]
            if others:
                what = f"{one.imported.files[0]} is here {len(others) + 1} times, read in different ways"
                warn(f"{what}: {', '.join([*others, one.run.run_id])}")
    return there


def _read(file: Path, asked: str | None, mapping: ForeignMapping | None, stated: Mapping[str, Any]) -> Reading:
    text, whole = _text(file), hashlib.sha256()
    whole.update(text)
    content = _parsed(file, text, mapping.rows.format if mapping else "json")
    form = catalog.imports()["mapping"] if mapping else _format(file, asked, content)
    beside: dict[str, Any] = {} if mapping is None else {"mapping": mapping}
    for name in form.beside:
        if (other := file.parent / name).is_file() and other != file:
            more = _text(other)
            whole.update(more)
            beside[name] = _parsed(other, more, "json")
    try:
        foreign = form.read(Source(file.name, content, beside))
        points = [with_stated(point, stated) for point in foreign.points]
        foreign = Foreign(**{**vars(foreign), "points": points})
        _refuse_unknown_metrics(file, foreign)
        if foreign.measured_at is not None:
            moment(foreign.measured_at)
        with_it = sorted(set(beside) - {"mapping"})
        imported = Imported(
            tool=foreign.tool, version=foreign.version, format=form.name, files=(file.name, *with_it),
            sha256=whole.hexdigest(), imported_at=now(), measured_at=foreign.measured_at,
            stated={**_stated_by(mapping), **{key: str(value) for key, value in stated.items()}},
        )  # fmt: skip
        digest = digest_of([imported.sha256, form.name, imported.stated, mapping and mapping.model_dump(mode="json")])
        families = {name: one.family for name, one in catalog.architectures().items()}
        return Reading(imported, foreign, *run_of(foreign, imported, digest, families))
    except (Broken, ValidationError, ValueError) as error:
        _refuse(file, error)


def _refuse(file: Path, error: Exception) -> NoReturn:
    words = str(error)
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_context=False)[0]
        words = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    if not isinstance(error, Broken):
        words = f"{file}: {words}"
    raise UserMistake("bad_import", one_line(words, 1000), _HINT) from error


def _text(file: Path) -> bytes:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise UserMistake("bad_import", f"{file} has more than {MOST_BYTES / 1e6:.0f} MB", _HINT)
        return file.read_bytes()
    except OSError as error:
        raise UserMistake("bad_import", f"cannot read {file}: {error.strerror or error}", _HINT) from error


def _parsed(file: Path, text: bytes, form: str) -> Any:
    """JSON as its standard has it (no NaN, no key twice); JSON lines, one object each; CSV rows by their header."""
    try:
        words = text.decode("utf-8-sig")
        if form == "csv":
            return list(csv.DictReader(words.splitlines(), strict=True))
        if form == "jsonl" or (file.suffix == ".jsonl" and form == "json"):
            return [_json(line) for line in words.splitlines() if line.strip()]
        return _json(words)
    except (ValueError, RecursionError, csv.Error) as error:
        told = "it is nested too deep" if isinstance(error, RecursionError) else one_line(str(error), 300)
        raise UserMistake("bad_import", f"{file} is no {form.upper()}: {told}", _HINT) from error


def _json(text: str) -> Any:
    return json.loads(text, parse_constant=_no_number, object_pairs_hook=_once)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for n, (key, _) in enumerate(pairs) if key in dict(pairs[:n]))
        raise ValueError(f"the key {one_line(twice, 60)!r} twice in one object")
    return found


def _format(file: Path, asked: str | None, content: Any) -> Import:
    known = {name: each for name, each in catalog.imports().items() if name != "mapping"}
    if asked is not None:
        if not known[asked].recognise(content):
            raise UserMistake("bad_import", f"{file} is not {known[asked].title}", _HINT)
        return known[asked]
    found = [each for each in known.values() if each.recognise(content)]
    if len(found) == 1:
        return found[0]
    choices = " or ".join(f"--from {name}" for name in ([each.name for each in found] or [*known, "FILE.toml"]))
    if found:
        raise UserMistake("ambiguous_format", f"{file} could be of {len(found)} formats", f"say which: {choices}")
    raise UserMistake("unknown_format", f"nobody knows what {file} is", f"{choices}, which is a mapping of your own")


def _mapping(file: Path) -> ForeignMapping:
    try:
        return mapping_of(tomllib.loads(_text(file).decode("utf-8")), file.name)
    except Broken as error:
        raise UserMistake("bad_mapping", str(error), "the README has an example") from error
    except (ValueError, RecursionError) as error:
        raise UserMistake("bad_mapping", f"{file} is no TOML: {one_line(str(error), 300)}", None) from error


def _statable(stated: Mapping[str, str]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for key, value in stated.items():
        if key not in STATABLE:
            raise catalog.unknown("state", key, STATABLE)
        if not isinstance(value, str) or not value or one_line(value, 200) != value:
            raise UserMistake("bad_state", f"--state {key}: write {key}=VALUE", None)
        if key in _COUNTS:
            if not value.isdigit() or int(value) < 1:
                raise UserMistake("bad_state", f"--state {key}={value}: a whole number from 1", None)
            known[key] = int(value)
        else:
            known[key] = value
    return known


def _stated_by(mapping: ForeignMapping | None) -> dict[str, str]:
    return {} if mapping is None else {key: str(value) for key, value in mapping.state.items()}


def _refuse_unknown_metrics(file: Path, foreign: Foreign) -> None:
    """A metric that nobody knows would be a column that nobody can read."""
    for name in {name for point in foreign.points for name in point.told}:
        if name not in catalog.metrics():
            mistake = catalog.unknown("metric", name, catalog.metrics())
            raise Broken(f"{file}: {mistake.message}; {mistake.hint}")


def _write_journal(path: Path, reading: Reading) -> None:
    """Beside its place first: a journal that is there is whole."""
    aside = path.with_name(f".{path.name}.part")
    aside.unlink(missing_ok=True)
    try:
        with Journal(aside) as journal:
            journal.append({"record": "run", "run": reading.run.model_dump(mode="json")})
            for record in reading.records:
                journal.append(record)
            # At most its beginning is known; a Run without an end would be one that was killed.
            end = {"ended_at": reading.run.started_at, "interrupted": False}
            journal.append({"record": "run_end", **end})
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
