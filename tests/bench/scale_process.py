"""`python -m tests.bench.scale_process WHAT …`: one step of the scale section in a fresh process, its findings as JSON.

A process of its own, so that its peak of resident memory is that step's.
"""

import contextlib
import json
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from harness.core.nouns import Plan, PlannedCase, Policy
from harness.steps import recording
from harness.steps.results import metrics_of, result_of
from harness.store.database import open_for_reading, open_for_writing
from harness.store.ingest import append_columns
from harness.store.journal import journal_path
from harness.store.live import LiveStore
from harness.store.questions import Narrowing, ask, narrowed, questions
from tests.bench import rivals
from tests.bench.synthetic import Synthetic
from tests.bench.synthetic_journal import journal_lines
from tests.store.made_up import round_of

Found = dict[str, Any]
_ROWS = 1000
_TIMES = 5
_LIVE_ROUNDS = 30
_REBUILT_ROUNDS = 3_600
_JSON_ROWS = 1_000_000


def build(rounds: str, seed: str, database: str) -> Found:
    """A database of that many Rounds; the seconds that were spent on making and on writing what was made."""
    history, path = Synthetic(int(rounds), int(seed)), Path(database)
    if path.exists():
        raise FileExistsError(path)
    made_s = wrote_s = 0.0
    pieces = history.pieces()
    with open_for_writing(path) as con:
        append_columns(con, history.beginning(), [])
        while True:
            began = time.perf_counter()
            piece = next(pieces, None)
            made = time.perf_counter()
            if piece is not None:
                append_columns(con, piece[1], piece[0])
            else:
                con.execute("CHECKPOINT")
            made_s, wrote_s = made_s + made - began, wrote_s + time.perf_counter() - made
            if piece is None:
                break
        counts = {
            table: con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
            for table in ("rounds", "samples", "results", "runs", "cases")
        }
    return {**counts, "made_s": made_s, "wrote_s": wrote_s, "bytes": path.stat().st_size}


def journal(rounds: str, seed: str, file: str) -> Found:
    """The same history as JSON lines, all its Runs in one file."""
    with Path(file).open("wb") as out:
        for _, lines in journal_lines(Synthetic(int(rounds), int(seed))):
            out.write(b"\n".join(lines) + b"\n")
    return {"bytes": Path(file).stat().st_size}


def rebuild(rounds: str, seed: str, folder: str) -> Found:
    """`db rebuild` from the journals of at most so many Rounds: reading, checking, metrics and summaries included."""
    database = Path(folder) / "rebuilt.duckdb"
    journal_path(database, "*").parent.mkdir(parents=True)
    for run_id, lines in journal_lines(Synthetic(min(int(rounds), _REBUILT_ROUNDS), int(seed))):
        journal_path(database, run_id).write_bytes(b"\n".join(lines) + b"\n")
    began = time.perf_counter()
    recording.rebuild(database, _fail)
    took_s = time.perf_counter() - began
    with open_for_reading(database) as con:
        counts = con.execute("SELECT (SELECT count(*) FROM rounds), (SELECT count(*) FROM samples)").fetchall()[0]
    return {"rounds": counts[0], "samples": counts[1], "took_s": took_s}


def results(database: str, lines: str, lite: str) -> Found:
    """The results as JSON lines and as an SQLite database; and how large every table would be as JSON lines."""
    with open_for_writing(Path(database)) as con:
        rivals.write_summaries(con, Path(lines))
        rivals.write_sqlite(con, Path(lite))
        tables = [str(row[0]) for row in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        rows_bytes = sum(_as_json_bytes(con, table) for table in tables if table != "performance_results")
    found = {"json_bytes": Path(lines).stat().st_size, "sqlite_bytes": Path(lite).stat().st_size}
    return {**found, "rows_json_bytes": rows_bytes}


def raw_json(file: str) -> Found:
    with Path(file).open("rb") as lines:
        return _of_scan(lambda: rivals.answers(rivals.from_journal(lines)))


def summaries_json(file: str) -> Found:
    with Path(file).open("rb") as lines:
        return _of_scan(lambda: rivals.answers(rivals.from_summaries(lines)))


def sqlite(file: str) -> Found:
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as con:
        return _plain(rivals.from_sql(con, "sqlite"))


def duckdb(database: str) -> Found:
    """The three questions, every named one, and the view's pivot: as a process that has the file open."""
    with open_for_reading(Path(database)) as con:
        asked = {name: question.sql for name, question in questions().items()}
        asked |= {"PIVOT of the view": _PIVOT, "one model of the view": _ONE_MODEL}
        one_model = Narrowing(models=["synthetic-007"])
        asked["history of one model"] = narrowed(Path(database), questions()["history"], one_model)
        named = {name: _median_ms(partial(_first_rows, con, sql)) for name, sql in asked.items()}
        return {**_plain(rivals.from_sql(con, "duckdb")), "named_ms": named}


def cold(database: str) -> Found:
    """A named question as a stranger asks it: with the process that reads on its behalf."""
    question = questions()["family_by_platform"]
    return {"ms": _median_ms(lambda: ask(Path(database), question))}


def live(database: str) -> Found:
    """Milliseconds of one finished Round and what its Case has come to, as between two measurements.

    The Run comes on top of the history. The first Round may bring metrics that the history has not: apart.
    """
    history = Synthetic(1)
    cases = history.cases[0][:_LIVE_ROUNDS]
    run = history.run(0).model_copy(
        update={
            "run_id": "20300101T000000-synthetic-live", "ended_at": None,
            "plan": Plan(cases=tuple(PlannedCase(case=case) for case in cases), policy=Policy()),
        }
    )  # fmt: skip
    store, told = LiveStore(Path(database), _fail), []
    store.begin(run, [], [])
    for number, case in enumerate(cases):
        one = round_of(case, 1, tuple(8 + (at * 7919 % 100) / 1000 for at in range(105)), run_id=run.run_id)
        one = one.model_copy(update={"round_id": f"synthetic-live-{number}"})
        metrics, result = metrics_of(one, case), result_of(run.run_id, case, [one])
        began = time.perf_counter()
        store.add(one, metrics, case, result)
        told.append((time.perf_counter() - began) * 1000)
    store.end(run)
    return {"first_ms": told[0], "each_ms": told[1:]}


_PIVOT = """
PIVOT (SELECT model_family, hardware_type, throughput_items_per_second FROM performance_results_view)
ON hardware_type USING avg(throughput_items_per_second)"""
_ONE_MODEL = "SELECT * FROM performance_results_view WHERE model_name = 'synthetic-007' ORDER BY started_at"
_STEPS: dict[str, Callable[..., Found]] = {
    each.__name__: each
    for each in (build, journal, rebuild, results, raw_json, summaries_json, sqlite, duckdb, cold, live)
}


def _as_json_bytes(con: Any, table: str) -> float:
    """Of the whole table, a line per row: the mean length of up to a million rows times their number."""
    line = f"SELECT strlen(to_json(each)::VARCHAR) + 1 AS bytes FROM {table} AS each LIMIT {_JSON_ROWS}"
    sql = f"SELECT coalesce(avg(bytes), 0) * (SELECT count(*) FROM {table}) FROM ({line})"
    return float(con.execute(sql).fetchall()[0][0])


def _of_scan(scan: Callable[[], dict[str, tuple[rivals.Answer, float]]]) -> Found:
    """A scan is one for all questions: each of them would need it, so each is charged with it."""
    began = time.perf_counter()
    found = scan()
    scanned_s = time.perf_counter() - began - sum(seconds for _, seconds in found.values())
    return _plain({name: (answer, scanned_s + seconds) for name, (answer, seconds) in found.items()})


def _plain(found: dict[str, tuple[rivals.Answer, float]]) -> Found:
    return {"answers": {name: answer for name, (answer, _) in found.items()},
            "seconds": {name: seconds for name, (_, seconds) in found.items()}}  # fmt: skip


def _first_rows(con: Any, sql: str) -> list[Any]:
    """The answer is computed and sorted as a whole; what a page shows of it becomes Python objects."""
    found: list[Any] = con.execute(sql).fetchmany(_ROWS)
    return found


def _median_ms(do: Callable[[], object]) -> float:
    """Of some times, after one that warms up."""
    took = []
    for _ in range(1 + _TIMES):
        began = time.perf_counter()
        do()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took[1:])


def _fail(text: str) -> None:
    raise RuntimeError(text)


def _peak_rss_mb() -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    said = _STEPS[sys.argv[1]](*sys.argv[2:])
    sys.stdout.write(json.dumps({**said, "peak_rss_mb": _peak_rss_mb()}))
