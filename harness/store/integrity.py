"""Does a database agree with itself? Aggregates in SQL, so that a hundred million samples need no more memory than rows
per Round; what is asked of a table is left out where the table or the column is not there.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import duckdb

from harness.core.events import Samples
from harness.core.rounds import Round
from harness.core.text import one_line
from harness.store.derived import not_in_step
from harness.store.rows import summary_rows

REBUILD = "harness db rebuild (makes it again from the journal)"
# Floats that were added up in another order.
RELATIVE = 1e-9
_KEYS_LOOKED_UP = 1000
_DERIVED_AT_ONCE = 100
_DERIVED = 200
_CLOCKS_APART = timedelta(hours=1)
# (table or view, what is impossible, its condition, whether it is wrong or only worth a note)
_IMPOSSIBLE = (
    ("samples", "samples of less than nothing", "duration_ns < 0", True),
    ("samples", "samples of no duration", "duration_ns = 0 AND phase = 'sample'", True),
    ("samples", "samples of no duration in other phases than the timed one", "duration_ns = 0 AND phase <> 'sample'",
     False),
    ("samples", "samples of less than one run", "runs < 1", True),
    ("phases", "phases of less than nothing", "duration_ns < 0", True),
    ("memory", "memory of less than nothing", "size_bytes < 0", True),
    ("operators", "operators of less than no time or calls", "self_ns < 0 OR count < 0", True),
    # What another program did not tell is 0 there.
    ("cases", "batches of less than one item", "(batch_size < 1 OR length < 1) AND case_id NOT IN"
     " (SELECT case_id FROM planned_cases WHERE starts_with(run_id, 'imported-'))", True),
    ("rounds", "rounds in the future", "started_at > {now}", True),
    ("rounds", "rounds with an unknown outcome", "outcome NOT IN ('ok', 'unsupported', 'failed') OR number < 1", True),
    ("runs", "runs in the future", "started_at > {now} OR ended_at > {now}", True),
    ("runs", "runs that ended before they began", "ended_at < started_at", True),
    ("summaries", "summaries out of order", "n < 1 OR least_ns > median_ns OR median_ns > most_ns OR p90_ns > p95_ns"
     " OR p95_ns > p99_ns OR mad_ns < 0 OR effective_n > n * (1 + {relative})", True),
    ("summaries", "intervals that do not hold their median", "ci95_low_ns > median_ns * (1 + {relative})"
     " OR ci95_high_ns < median_ns * (1 - {relative})", True),
)  # fmt: skip
# From the tables themselves: what the views show is kept beside them.
_RESULTS = """
FROM results JOIN cases USING (case_id) JOIN (
    SELECT run_id, case_id, max(value) FILTER (metric = 'latency_median_ms') AS latency,
        max(value) FILTER (metric = 'throughput_items_per_second') AS throughput
    FROM result_metrics GROUP BY run_id, case_id
) AS measured USING (run_id, case_id)
"""
_IMPOSSIBLE_RESULTS = (
    ("latency intervals that do not hold their median",
     "latency_ci95_low_ms > latency * (1 + {relative}) OR latency_ci95_high_ms < latency * (1 - {relative})"),
    ("throughputs that are not the batch over the latency",
     "abs(throughput * latency / (batch_size * 1000.0) - 1) > {relative} AND NOT starts_with(run_id, 'imported-')"),
    ("latencies of nothing or less", "latency <= 0"),
)  # fmt: skip
_NOT_IN_STEP = {
    "performance_results": "rows that the views show are not what the tables come to",
    "points": "cases of which no question knows what they share with others",
}
_SUMMED_ANEW = """
WITH anew AS (
    SELECT round_id, phase, clock, count(*) AS n, min(duration_ns / runs) AS least, max(duration_ns / runs) AS most,
        avg(duration_ns / runs) AS mean
    FROM samples WHERE clock <> 'slope' AND runs > 0 GROUP BY ALL
), stored AS (FROM summaries WHERE clock <> 'slope')
SELECT count(*), min(round_id) FROM anew FULL JOIN stored USING (round_id, phase, clock)
WHERE stored.n IS DISTINCT FROM anew.n OR abs(least_ns - least) > {relative} * abs(least)
    OR abs(most_ns - most) > {relative} * abs(most) OR abs(mean_ns - mean) > {relative} * abs(mean)
"""
# Exact up to collisions of a hash: what 0 … n - 1, each once, come to.
_POSITIONS = """
WITH held AS (SELECT round_id, count(*) AS n, sum(hash(position::BIGINT)) AS content FROM samples GROUP BY round_id),
ideal AS (SELECT range + 1 AS n, sum(hash(range)) OVER (ORDER BY range) AS content
    FROM range((SELECT coalesce(max(n), 0) FROM held)))
SELECT count(*), min(round_id) FROM held JOIN ideal USING (n) WHERE held.content <> ideal.content
"""


@dataclass(frozen=True)
class Finding:
    """What, where, how many, one of them, and the next step. Not `wrong`: worth knowing, and nothing to mend."""

    what: str
    where: str
    count: int = 1
    example: str | None = None
    next: str | None = None
    wrong: bool = True


def unreadable(database: Path, words: str) -> Finding:
    """What DuckDB's words about a file mean; looks at its first bytes itself."""
    first = one_line(words, 300)
    with database.open("rb") as file:
        begin = file.read(4096)
    if len(begin) < 4096 or "read enough bytes" in words:
        what = f"the file ends too early ({database.stat().st_size:,} bytes): it was cut short"
    elif begin[8:12] != b"DUCK":
        what = "the file does not begin as a DuckDB database does: its header was overwritten, or it is something else"
    elif "checksum" in words or "Corrupt" in words:
        what = "the file is damaged: a block is not as it was written"
    else:
        what = "the file cannot be read"
    return Finding(f"{what}; DuckDB says: {first}", str(database), next=REBUILD)


def read_everything(con: duckdb.DuckDBPyConnection, database: Path) -> tuple[list[Finding], dict[str, int]]:
    """(findings, table → rows). DuckDB proves a block's checksum when it reads it, so every value is read, and a
    thousand keys are looked up, which reads the indexes."""
    found, rows = [], {}
    for table in sorted(_tables(con)):
        try:
            row = con.execute(f'SELECT count(*), sum(hash(one)) FROM "{table}" AS one').fetchone()
            rows[table] = int(row[0]) if row else 0
            if lost := _lost_keys(con, table):
                found.append(
                    Finding("keys that an index does not find", table, len(lost), lost[0], "harness db maintain")
                )
        except duckdb.Error as error:
            damage = unreadable(database, str(error))
            found.append(Finding(damage.what, f"{database}, table {table}", next=REBUILD))
    return found, rows


def row_findings(con: duckdb.DuckDBPyConnection, with_samples: bool) -> list[Finding]:
    """Orphans, duplicates, impossible values; without the samples where a part of them cannot be read."""
    found = [*_orphans(con, with_samples), *_impossible(con, with_samples), *_not_numbers(con), *_duplicates(con)]
    if with_samples:
        found += _counted(con, _POSITIONS, "rounds whose samples are not there each once", "samples")
        found += _counted(con, _SUMMED_ANEW, "summaries that are not what the samples come to", "summaries")
    return found


def derived_findings(con: duckdb.DuckDBPyConnection, everything: bool) -> tuple[list[Finding], int]:
    """(findings, Rounds looked at): summaries made anew from the samples, of all Rounds or of some hundred."""
    limit = "" if everything else f"LIMIT {_DERIVED}"
    chosen = con.execute(
        f"SELECT round_id FROM (SELECT DISTINCT round_id FROM summaries) ORDER BY hash(round_id) {limit}"
    ).fetchall()
    ids, wrong = [str(row[0]) for row in chosen], []
    for at in range(0, len(ids), _DERIVED_AT_ONCE):
        some = ids[at : at + _DERIVED_AT_ONCE]
        anew = _summaries_anew(con, some)
        held = con.execute("SELECT * FROM summaries WHERE round_id IN (SELECT unnest(?::VARCHAR[]))", [some])
        columns = [str(column[0]) for column in held.description or ()]
        stored: dict[str, dict[tuple[str, str], dict[str, object]]] = {}
        for row in held.fetchall():
            one = dict(zip(columns, row, strict=True))
            stored.setdefault(one["round_id"], {})[one["phase"], one["clock"]] = one
        wrong += [each for each in some if not same(anew.get(each, {}), stored[each])]
    found = [_derived_wrong("summaries", wrong)] if wrong else []
    return found, len(ids)


def same(one: object, other: object) -> bool:
    """Equal, with floats as far as adding in another order leaves them."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=RELATIVE)
    return one == other


def _derived_wrong(where: str, ids: list[str]) -> Finding:
    return Finding("derived rows are not what would be derived now", where, len(ids), ids[0], REBUILD)


def _tables(con: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    """Table → its columns."""
    found: dict[str, set[str]] = {}
    rows = con.execute(
        "SELECT table_name, column_name FROM duckdb_columns() JOIN duckdb_tables() USING (table_oid, table_name)"
        " WHERE duckdb_columns.database_name = current_database()"
    )
    for table, column in rows.fetchall():
        found.setdefault(table, set()).add(column)
    return found


def _lost_keys(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    keys = con.execute(
        "SELECT constraint_column_names FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY'"
        " AND table_name = ? AND database_name = current_database()",
        [table],
    ).fetchone()
    if keys is None:
        return []
    names = ", ".join(f'"{name}"' for name in keys[0])
    where = " AND ".join(f'"{name}" = ?' for name in keys[0])
    some = con.execute(f'SELECT {names} FROM "{table}" USING SAMPLE {_KEYS_LOOKED_UP} ROWS').fetchall()
    return [
        str(key) for key in some if con.execute(f'SELECT 1 FROM "{table}" WHERE {where}', list(key)).fetchone() is None
    ]


def _orphans(con: duckdb.DuckDBPyConnection, with_samples: bool) -> Iterable[Finding]:
    tables = _tables(con)
    if with_samples:
        tables["samples"] = {"round_id"}
    for owner, key in (("rounds", "round_id"), ("runs", "run_id"), ("cases", "case_id"), ("machines", "machine_id")):
        for table in sorted(set(tables) - {owner, "recent_samples"}):
            if key in tables[table]:
                sql = (
                    f'SELECT count(*), min("{key}") FROM "{table}" WHERE "{key}" IS NOT NULL'
                    f' AND "{key}" NOT IN (SELECT "{key}" FROM {owner})'
                )
                yield from _counted(con, sql, f"rows whose {key.removesuffix('_id')} is not there", table)


def _impossible(con: duckdb.DuckDBPyConnection, with_samples: bool) -> Iterable[Finding]:
    # The harness writes UTC; a machine's clock may be wrong, and only what is beyond that is impossible.
    now = (datetime.now(UTC) + _CLOCKS_APART).replace(tzinfo=None)
    for table, what, condition, wrong in _IMPOSSIBLE:
        if table == "samples" and not with_samples:
            continue
        told = f"min({_first_column(con, table)})"
        filled = condition.format(now=f"TIMESTAMP '{now:%Y-%m-%d %H:%M:%S}'", relative=RELATIVE)
        sql = f"SELECT count(*), {told} FROM {table} WHERE {filled}"
        yield from _counted(con, sql, what, table, "look at them" if not wrong else REBUILD, wrong)
    for what, condition in _IMPOSSIBLE_RESULTS:
        sql = f"SELECT count(*), min(run_id || ' ' || case_id) {_RESULTS} WHERE {condition}"
        yield from _counted(con, sql, what, "results")
    for table, (count, example) in not_in_step(con).items():
        yield Finding(_NOT_IN_STEP[table], table, count, example, "harness db maintain (makes it again)")


def _first_column(con: duckdb.DuckDBPyConnection, table: str) -> str:
    """It names a row, in all of our tables."""
    row = con.execute(f"DESCRIBE {table}").fetchone()
    return f'"{row[0]}"' if row else "NULL"


def _not_numbers(con: duckdb.DuckDBPyConnection) -> Iterable[Finding]:
    rows = con.execute(
        "SELECT table_name, column_name FROM duckdb_columns() JOIN duckdb_tables() USING (table_oid, table_name)"
        " WHERE data_type IN ('DOUBLE', 'FLOAT') AND duckdb_columns.database_name = current_database() ORDER BY ALL"
    ).fetchall()
    for table, column in rows:
        first = _first_column(con, table)
        sql = f'SELECT count(*), min({first}) FROM "{table}" WHERE NOT isfinite("{column}")'
        yield from _counted(con, sql, f"values of {column} that are no numbers", table)


def _duplicates(con: duckdb.DuckDBPyConnection) -> Iterable[Finding]:
    keys = {
        "rounds": "round_id", "runs": "run_id", "cases": "case_id", "planned_cases": "run_id, position",
        "results": "run_id, case_id", "summaries": "round_id, phase, clock", "phases": "round_id, phase",
        "round_metrics": "round_id, metric", "memory": "round_id, source", "notes": "round_id, position",
    }  # fmt: skip
    tables = _tables(con)
    for table, key in keys.items():
        names = key.split(", ")
        if set(names) <= tables.get(table, set()):
            sql = (
                f"SELECT count(*), min(first) FROM (SELECT any_value({names[0]}) AS first FROM {table}"
                f" GROUP BY {key} HAVING count(*) > 1)"
            )
            yield from _counted(con, sql, f"more than one row of the same {key}", table)


def _counted(
    con: duckdb.DuckDBPyConnection, sql: str, what: str, where: str, then: str = REBUILD, wrong: bool = True
) -> list[Finding]:
    row = con.execute(sql.replace("{relative}", str(RELATIVE))).fetchone()
    return [Finding(what, where, int(row[0]), str(row[1]), then, wrong)] if row and row[0] else []


def _summaries_anew(
    con: duckdb.DuckDBPyConnection, round_ids: list[str]
) -> dict[str, dict[tuple[str, str], dict[str, object]]]:
    rows = con.execute(
        "SELECT round_id, phase, clock, list((runs, duration_ns) ORDER BY position) FROM samples"
        " WHERE round_id IN (SELECT unnest(?::VARCHAR[])) AND duration_ns >= 0 AND runs > 0 GROUP BY ALL",
        [round_ids],
    ).fetchall()
    batches: dict[str, list[Samples]] = {}
    for round_id, phase, clock, taken in rows:
        for runs, some in groupby(taken, key=itemgetter(0)):
            durations = tuple(duration for _, duration in some)
            one = Samples(phase=phase, clock=clock, runs_per_sample=runs, durations_ns=durations)
            batches.setdefault(round_id, []).append(one)
    anew: dict[str, dict[tuple[str, str], dict[str, object]]] = {}
    for round_id, each in batches.items():
        begun = {"run_id": "", "case_id": "", "number": 1, "started_at": "", "outcome": "ok"}
        made = Round.model_validate({"round_id": round_id, **begun, "samples": tuple(each)})
        anew[round_id] = {(row["phase"], row["clock"]): row for row in summary_rows(made)}
    return anew
