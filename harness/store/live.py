"""The database while a Run is under way: opened, fed and closed between Rounds, never during one.

Where another process keeps the file, what was to be written waits here (it is in the journal already) and goes in
with a later call; what is still waiting at the end goes in with `harness db rebuild`.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb

from harness.core.errors import UserMistake
from harness.core.nouns import Case, PlannedCase
from harness.core.rounds import CaseResult, Round, Run
from harness.core.text import one_line
from harness.store import ingest
from harness.store.database import PATIENCE_S, attached, instance, open_for_writing
from harness.store.rows import Metrics

# Of what is written, not of the file: trying again would be refused again.
_CANNOT_HOLD = (
    duckdb.DataError, duckdb.ProgrammingError, duckdb.IntegrityError, duckdb.NotSupportedError, ValueError,
    OverflowError,
)  # fmt: skip
_Write = Callable[[duckdb.DuckDBPyConnection], None]
_PATIENCE_BETWEEN_ROUNDS_S = 0.5


class LiveStore:
    """Feeds one database file; `warn` hears when it begins to take nothing, and when something is left over."""

    def __init__(self, path: Path, warn: Callable[[str], None] = lambda _: None) -> None:
        self.path = path
        self._warn = warn
        self._waiting: list[_Write] = []
        self._instance: duckdb.DuckDBPyConnection | None = None
        self._in_trouble = False

    def check(self) -> None:
        """Make the file, or see that it is one of ours; raises UserMistake when it is not: better now than later."""
        try:
            open_for_writing(self.path, _PATIENCE_BETWEEN_ROUNDS_S).close()
        except UserMistake as mistake:
            if mistake.code != "database_locked":
                raise

    def begin(
        self, run: Run, rounds: Sequence[tuple[Round, Metrics]], known: Sequence[tuple[Case, CaseResult]]
    ) -> None:
        """The Run and its Plan, the Rounds of an earlier sitting, and what is known before anything is measured now."""
        self._write(lambda con: ingest.ingest_run(con, run, rounds, known), PATIENCE_S)

    def decide(self, run_id: str, points: Mapping[int, PlannedCase], known: Sequence[tuple[Case, CaseResult]]) -> None:
        """Points of the Plan, by their places in it, that got their outcome between Rounds."""
        self._write(lambda con: ingest.write_points(con, run_id, points, known), PATIENCE_S)

    def forget_results(self, run_id: str) -> None:
        """Of an earlier sitting; those that still stand are told again by `begin`."""
        self._write(lambda con: ingest.forget_results(con, run_id), PATIENCE_S)

    def add(self, round_: Round, metrics: Metrics, case: Case, result: CaseResult) -> None:
        """A finished Round, and what its Case has come to so far."""
        self._write(lambda con: ingest.write_done(con, round_, metrics, case, result), _PATIENCE_BETWEEN_ROUNDS_S)

    def end(self, run: Run) -> None:
        """The Run again, with its end."""
        self._write(lambda con: ingest.write_run(con, run), PATIENCE_S)
        self._let_go()
        if self._waiting:
            self._warn(f"{self.path} could not be fed; `harness db rebuild` brings in what waits in the journal")

    def _write(self, write: _Write, patience_s: float) -> None:
        self._waiting.append(write)
        con = self._instance = self._instance or instance()
        try:
            with attached(con, self.path, patience_s):
                while self._waiting:
                    self._write_first(con)
                    self._waiting.pop(0)
            self._in_trouble = False
        # Locked by another process, a full disk, a file that somebody damaged: what waits is tried again.
        except (UserMistake, duckdb.Error, OSError) as error:
            self._let_go()
            if not self._in_trouble:
                said = str(error).splitlines()[0]
                self._warn(f"{self.path} takes nothing: {said}; measuring goes on, the journal has everything")
            self._in_trouble = True

    def _let_go(self) -> None:
        """Also of the file, where an error left it attached."""
        if self._instance is not None:
            with contextlib.suppress(duckdb.Error):  # it may have said already that it cannot write
                self._instance.close()
            self._instance = None

    def _write_first(self, con: duckdb.DuckDBPyConnection) -> None:
        """What the tables cannot hold is left in the journal, and said so: it must not dam up what comes after it."""
        try:
            self._waiting[0](con)
        except _CANNOT_HOLD as error:
            told = one_line(str(error), 200)
            self._warn(f"{self.path} cannot hold a part of this run: {told}; the journal has it")
