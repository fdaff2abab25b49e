"""The database while a Run is under way: opened, fed and closed between Rounds, never during one.

Where another process keeps the file, what was to be written waits here (it is in the journal already) and goes in
with a later call; what is still waiting at the end goes in with `harness db rebuild`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

from harness.core.errors import UserMistake
from harness.core.nouns import Case
from harness.core.rounds import CaseResult, Round, Run
from harness.store import ingest
from harness.store.database import PATIENCE_S, open_for_writing
from harness.store.rows import Metrics

_Write = Callable[[duckdb.DuckDBPyConnection], None]
_PATIENCE_BETWEEN_ROUNDS_S = 0.5


class LiveStore:
    """Feeds one database file; `warn` hears once when it is locked and once when something is left over."""

    def __init__(self, path: Path, warn: Callable[[str], None] = lambda _: None) -> None:
        self.path = path
        self._warn = warn
        self._waiting: list[_Write] = []
        self._locked = False

    def check(self) -> None:
        """Make the file, or see that it is one of ours; raises UserMistake when it is not: better now than later."""
        try:
            open_for_writing(self.path, _PATIENCE_BETWEEN_ROUNDS_S).close()
        except UserMistake as mistake:
            if mistake.code != "database_locked":
                raise

    def begin(self, run: Run, known: Sequence[tuple[Case, CaseResult]]) -> None:
        """The Run and its Plan, and the results that were known before anything was measured."""
        self._write(lambda con: ingest.ingest_run(con, run, [], known), PATIENCE_S)

    def add(self, round_: Round, metrics: Metrics, case: Case, result: CaseResult) -> None:
        """A finished Round, and what its Case has come to so far."""

        def write(con: duckdb.DuckDBPyConnection) -> None:
            ingest.write_round(con, round_, metrics)
            ingest.write_result(con, case, result)

        self._write(write, _PATIENCE_BETWEEN_ROUNDS_S)

    def end(self, run: Run) -> None:
        """The Run again, with its end."""
        self._write(lambda con: ingest.write_run(con, run), PATIENCE_S)
        if self._waiting:
            self._warn(f"{self.path} could not be fed; `harness db rebuild` brings in what waits in the journal")

    def _write(self, write: _Write, patience_s: float) -> None:
        self._waiting.append(write)
        try:
            con = open_for_writing(self.path, patience_s)
        except UserMistake as mistake:
            if mistake.code != "database_locked":
                raise
            if not self._locked:
                self._warn(f"{mistake.message}; measuring goes on, the journal has everything")
            self._locked = True
            return
        try:
            while self._waiting:
                self._waiting[0](con)
                self._waiting.pop(0)
        except duckdb.Error as error:  # a full disk, say: the journal has it, and what waits is tried again
            self._warn(
                f"{self.path} takes no more: {str(error).splitlines()[0]}; measuring goes on, the journal has it"
            )
        finally:
            con.close()
