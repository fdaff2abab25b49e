"""Journal and database for the length of a run; and the database again from the journal."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import UserMistake
from harness.core.nouns import Plan
from harness.core.rounds import Round, Run
from harness.execute.executor import Executor
from harness.measure.assemble import assemble, run_ended
from harness.steps.one_round import now
from harness.steps.quiet import quiet_end
from harness.steps.results import metrics_of, results_of
from harness.steps.workplace import Workplace
from harness.store.database import open_for_writing
from harness.store.ingest import ingest_run
from harness.store.journal import Journal, journal_path, read_journal
from harness.store.live import LiveStore


@dataclass
class Recording:
    """An open journal and the database it feeds; `run` knows its end once the recording is over."""

    run: Run
    journal: Journal
    store: LiveStore
    begun: bool = False

    def begin(self, run: Run, history: Sequence[Round]) -> None:
        """The Run as it is after exporting, and the Rounds of an earlier sitting, which the database may lack."""
        before = {point.case.case_id: point for point in self.run.plan.cases}
        for point in run.plan.cases:
            if point != before[point.case.case_id]:
                self.journal.append({"record": "point", "point": point})
        self.journal.append({"record": "quiet", "quiet": run.machine["quiet"]})
        if "roofs" in run.machine:
            self.journal.append({"record": "roofs", "roofs": run.machine["roofs"]})
        self.journal.sync()
        self.run = run
        self._tell_store(history)

    def decide(self, plan: Plan, history: Sequence[Round]) -> None:
        """The Plan as a schedule changed it between Rounds: points that are not tried, or whose export failed."""
        if plan is self.run.plan:
            return
        places = [
            place
            for place, (before, point) in enumerate(zip(self.run.plan.cases, plan.cases, strict=True))
            if point is not before and point != before
        ]
        changed = [plan.cases[place] for place in places]
        for point in changed:
            self.journal.append({"record": "point", "point": point})
        self.journal.sync()
        self.run = self.run.model_copy(update={"plan": plan})
        ids = {point.case.case_id for point in changed}
        part = self.run.model_copy(update={"plan": plan.model_copy(update={"cases": tuple(changed)})})
        known = results_of(part, [round_ for round_ in history if round_.case_id in ids])
        self.store.decide(self.run.run_id, dict(zip(places, changed, strict=True)), known)

    def end(self, history: Sequence[Round]) -> None:
        """The database hears of the end; where the Run did not get as far as its beginning, of that as well."""
        if not self.begun:
            self._tell_store(history)
        self.store.end(self.run)

    def _tell_store(self, history: Sequence[Round]) -> None:
        self.begun = True
        cases = {point.case.case_id: point.case for point in self.run.plan.cases}
        with_metrics = [(round_, metrics_of(round_, cases[round_.case_id])) for round_ in history]
        if self.run.resumed_at:
            self.store.forget_results(self.run.run_id)
        self.store.begin(self.run, with_metrics, results_of(self.run, history))


@asynccontextmanager
async def recording(run: Run, history: Sequence[Round], workplace: Workplace) -> AsyncIterator[Recording]:
    """Journal and database for the length of a run, from before its exports; however it ends, both hear of the end.

    `history` holds the Rounds of earlier sittings, which the database may lack.
    """
    journal = Journal(journal_path(workplace.database, run.run_id))
    open_ = Recording(run, journal, LiveStore(workplace.database, workplace.watcher.warned))
    interrupted = True
    try:
        again = {"record": "resumed", "at": run.resumed_at[-1]} if run.resumed_at else None
        journal.append(again or {"record": "run", "run": run.model_dump(mode="json")})
        journal.sync()
        yield open_
        interrupted = False
    finally:
        async with AsyncExitStack() as last:  # in reverse: who works, then the journal, then the database
            last.callback(lambda: open_.end(history))
            last.enter_context(contextlib.closing(journal))
            for executor in workplace.executors.values():
                last.push_async_callback(_closed, executor)
            end = {"ended_at": now(), "interrupted": interrupted, "quiet_end": quiet_end(open_.run, workplace)}
            open_.run = run_ended(open_.run, end)
            journal.append({"record": "run_end", **end})


async def _closed(executor: Executor) -> None:
    await asyncio.shield(executor.close())


def rounds_of(database: Path, run_id: str) -> list[Round]:
    """A Run's Rounds with their Samples, from its journal; none where that is gone."""
    file = journal_path(database, run_id)
    return assemble(read_journal(file).records).rounds if file.is_file() else []


def rebuild(database: Path, warn: Callable[[str], None]) -> int:
    """Make the database again from the journal alone; returns the number of runs. The old one goes last."""
    files = sorted(journal_path(database, "*").parent.glob("*.jsonl"))
    if not files:
        folder = journal_path(database, "*").parent
        raise UserMistake("no_journal", f"there is no journal in {folder}", "point --db at the database beside it")
    with tempfile.TemporaryDirectory(dir=database.parent, prefix=".rebuild-") as aside:
        fresh = Path(aside) / database.name
        with _nobody_writes(database), contextlib.closing(open_for_writing(fresh)) as connection:
            done = sum(ingest_journal(connection, file, warn) for file in files)
        if not done:
            raise UserMistake(
                "unreadable_journal", f"no run could be read from {files[0].parent}", "the old one is kept"
            )
        # What the old database had not yet folded in belongs to the old file; the new one would refuse to open with it.
        database.with_name(f"{database.name}.wal").unlink(missing_ok=True)
        fresh.replace(database)
    return done


@contextlib.contextmanager
def _nobody_writes(database: Path) -> Iterator[None]:
    """Hold the old database while the new one is made; raises UserMistake when a run is feeding it at the moment."""
    try:
        held = open_for_writing(database)
    except UserMistake as mistake:
        if mistake.code == "database_locked":
            raise
        yield  # broken or another version's: that is what a rebuild is for
        return
    try:
        yield
    finally:
        held.close()


def ingest_journal(connection: Any, file: Path, warn: Callable[[str], None]) -> bool:
    """The Run of one journal file into an open database; whether there was one; `warn` hears of damage."""
    reading = read_journal(file)
    assembled = assemble(reading.records)
    for doubt in filter(None, (reading.torn, *reading.corrupt, *assembled.dropped)):
        warn(f"{file.name}: {doubt}")
    run, rounds = assembled.run, assembled.rounds
    if run is None:
        return False
    cases = {point.case.case_id: point.case for point in run.plan.cases}
    with_metrics = [(round_, metrics_of(round_, cases[round_.case_id])) for round_ in rounds]
    ingest_run(connection, run, with_metrics, results_of(run, rounds))
    return True
