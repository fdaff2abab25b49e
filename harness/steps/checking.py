"""A database against its journal, its archive and itself: findings, and what was looked at."""

import contextlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from harness.core.errors import UserMistake
from harness.core.rounds import CaseResult, Round, Run
from harness.measure.assemble import Assembled, assemble
from harness.steps.results import metrics_of, results_of
from harness.store.archive_check import archive_findings
from harness.store.blocks import block_findings
from harness.store.database import ctrl_c, open_for_reading
from harness.store.held import Held, counted
from harness.store.integrity import (
    REBUILD,
    Finding,
    derived_findings,
    read_everything,
    row_findings,
    same,
    unreadable,
)  # fmt: skip
from harness.store.journal import journal_path, read_journal, runs_under_way
from harness.store.results import read_results
from harness.store.rows import as_utc

_BROKEN = ("database_unreadable", "not_a_database")
_RUNS_DERIVED = 20
# What a result came to; its words (doubts, reasons) may be put better by a later harness.
_COMPARED = ("outcome", "code", "rounds", "rounds_failed", "latency_ci95_ms", "software", "fallback_share")
_KEPT = "the rest of the file counts; a copy of it from elsewhere would bring the lines back"


class _Journals(NamedTuple):
    """What reading all of them found: by what is wrong, the places."""

    places: dict[str, list[str]]
    ids: set[str]
    rounds: int

    def add(self, what: str, *places: str) -> None:
        self.places.setdefault(what, []).extend(places)


# what → (wrong, the next step)
_OF_JOURNALS = {
    "lines of a journal that cannot be read": (True, _KEPT),
    "journals without a readable run": (True, "harness db rebuild leaves them out"),
    "journals that end in half a line, as a crash leaves them": (False, None),
    "records of a journal that came to nothing, as of a round that was killed": (False, None),
    "empty journals, as a run leaves that was killed at once": (False, None),
    "runs under way, not looked at": (False, "check again when they have ended"),
    "runs of the journal that the database lacks": (True, REBUILD),
    "rounds of the journal that the database lacks": (True, REBUILD),
    "rounds of a run that its journal does not have": (True, REBUILD),
    "rounds that are not as the journal has them": (True, REBUILD),
    "runs whose end is not as the journal has it": (True, REBUILD),
    "results that are not what would be derived now": (True, REBUILD),
    "results that lack what would be derived now, a new metric say": (False, REBUILD),
    "runs without a journal: a rebuild would lose them": (False, None),
}


@ctrl_c()
def check_database(database: Path, everything: bool) -> dict[str, Any]:
    """`findings` and `looked_at`, as `harness db check --json` prints them.

    `everything`: derive all Rounds and Runs anew, not some. Raises UserMistake: no_database, database_locked,
    database_version.
    """
    findings, looked_at = _check(database, everything)
    told = [asdict(one) for one in sorted(findings, key=lambda one: not one.wrong)]
    return {"database": str(database), "findings": told, "looked_at": looked_at}


def _check(database: Path, everything: bool) -> tuple[list[Finding], dict[str, int]]:
    try:
        con = open_for_reading(database)
    except UserMistake as mistake:
        if mistake.code not in _BROKEN or not database.is_file():
            raise
        return [unreadable(database, mistake.message)], {}
    with contextlib.closing(con):
        findings, rows = read_everything(con, database)
        findings = findings or block_findings(con, database)  # those that no value of a table was read from
        looked_at = {"rows": sum(rows.values())}
        if any(
            one.wrong and one.where.startswith(str(database)) for one in findings
        ):  # damaged: what follows would stumble on it
            return findings, looked_at
        of_archive, with_samples = archive_findings(con, database)
        findings += [*of_archive, *row_findings(con, with_samples)]
        if with_samples:
            derived, count = derived_findings(con, everything)
            findings += derived
            looked_at["rounds derived anew"] = count
        journals = _against_journals(con, database, Held(con, with_samples), everything)
    looked_at |= {"journals": len(journals.ids), "rounds of journals": journals.rounds}
    for what, (wrong, then) in _OF_JOURNALS.items():
        if places := journals.places.get(what):
            where = str(journal_path(database, "*").parent)
            findings.append(Finding(what, where, len(places), places[0], then, wrong))
    return findings, looked_at


def _against_journals(con: Any, database: Path, held: Held, everything: bool) -> _Journals:
    """One journal at a time: memory is that of the largest Run."""
    going = set(runs_under_way(database))
    files = sorted(journal_path(database, "*").parent.glob("*.jsonl"))
    known, found, count = held.run_ids(), _Journals({}, set(), 0), 0
    for place, file in enumerate(files):
        found.ids.add(file.stem)
        if file.stem in going:
            found.add("runs under way, not looked at", file.name)
            continue
        assembled = _read(file, found)
        run = assembled.run
        if not file.stat().st_size:
            found.add("empty journals, as a run leaves that was killed at once", file.name)
            continue
        if run is None:
            found.add("journals without a readable run", file.name)
            continue
        found.ids.add(run.run_id)
        if run.run_id not in known:
            found.add("runs of the journal that the database lacks", run.run_id)
            continue
        count += len(assembled.rounds)
        _compare_rounds(run, assembled.rounds, held, found)
        if everything or place >= len(files) - _RUNS_DERIVED:
            _compare_results(con, run, assembled.rounds, held, found)
    found.add("runs without a journal: a rebuild would lose them", *sorted(known - found.ids))
    return found._replace(rounds=count)


def _read(file: Path, found: _Journals) -> Assembled:
    reading = read_journal(file)
    if reading.torn:
        found.add("journals that end in half a line, as a crash leaves them", reading.torn)
    found.add("lines of a journal that cannot be read", *reading.corrupt)
    assembled = assemble(reading.records)
    dropped = (f"{file.name}: {one}" for one in assembled.dropped)
    found.add("records of a journal that came to nothing, as of a round that was killed", *dropped)
    return assembled


def _compare_rounds(run: Run, rounds: list[Round], held: Held, found: _Journals) -> None:
    here = held.rounds(run.run_id)
    told = {one.round_id: held.comparable(counted(one)) for one in rounds}
    found.add("rounds of the journal that the database lacks", *sorted(told.keys() - here.keys()))
    found.add("rounds of a run that its journal does not have", *sorted(here.keys() - told.keys()))
    differ = sorted(each for each in told.keys() & here.keys() if told[each] != here[each])
    found.add("rounds that are not as the journal has them", *differ)
    ended = (as_utc(run.ended_at) if run.ended_at else None, run.interrupted)
    if held.end(run.run_id) != ended:
        found.add("runs whose end is not as the journal has it", run.run_id)


def _compare_results(con: Any, run: Run, rounds: list[Round], held: Held, found: _Journals) -> None:
    cases = {point.case.case_id: point.case for point in run.plan.cases}
    stored = held.round_metrics(run.run_id)
    for one in rounds:
        if one.case_id in cases:
            _compare(metrics_of(one, cases[one.case_id]), stored.get(one.round_id, {}), one.round_id, found)
    anew = {case.case_id: result for case, result in results_of(run, rounds)}
    here = read_results(con, dict.fromkeys(anew, run.run_id))
    for case_id, result in anew.items():
        where = f"{run.run_id} {case_id}"
        if case_id not in here:
            found.add("results that lack what would be derived now, a new metric say", where)
            continue
        if not same(_words(result), _words(here[case_id])):
            found.add("results that are not what would be derived now", where)
        _compare(result.metrics, here[case_id].metrics, where, found)


def _compare(anew: Mapping[str, float | None], here: Mapping[str, float | None], where: str, found: _Journals) -> None:
    if not same({name: anew.get(name) for name in here}, here):
        found.add("results that are not what would be derived now", where)
    elif any(value is not None and name not in here for name, value in anew.items()):
        found.add("results that lack what would be derived now, a new metric say", where)


def _words(result: CaseResult) -> dict[str, Any]:
    return {name: getattr(result, name) for name in _COMPARED}
