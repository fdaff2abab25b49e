"""What leads a database of an older schema to the newest: an ordered table of statements, carried out in place.

A new schema is one entry more here, and the same columns in `schema.sql`, at the end of their tables: that is where
`ADD COLUMN` puts them. What is derived is not mentioned (points, `performance_results`, views): it is remade
after the last step, and an entry may have no more to say than that.
"""

import duckdb

# version that it leads to → what to do to a database of the version before
MIGRATIONS: dict[int, tuple[str, ...]] = {
    2: (
        "ALTER TABLE planned_cases ADD COLUMN versions JSON",
        "ALTER TABLE planned_cases ADD COLUMN reused_from VARCHAR",
        "ALTER TABLE runs ADD COLUMN resumed_at VARCHAR[]",
    ),
    3: (
        "ALTER TABLE cases ADD COLUMN network VARCHAR",
        "ALTER TABLE cases ADD COLUMN browser_version VARCHAR",
        "ALTER TABLE cases ADD COLUMN runtime VARCHAR",
        "ALTER TABLE cases ADD COLUMN affinity INTEGER[]",
        # The whole Case was always kept with the plan.
        "UPDATE cases SET network = asked->>'network', browser_version = asked->>'browser_version',"
        " runtime = asked->>'runtime' FROM planned_cases WHERE planned_cases.case_id = cases.case_id",
        "ALTER TABLE rounds ADD COLUMN purpose VARCHAR DEFAULT 'timing'",
        "ALTER TABLE verdicts ADD COLUMN rms_rel DOUBLE",
        "CREATE TABLE profiles (round_id VARCHAR PRIMARY KEY, source VARCHAR NOT NULL, runs INTEGER NOT NULL)",
        "CREATE TABLE operators (round_id VARCHAR NOT NULL, position INTEGER NOT NULL, operator VARCHAR NOT NULL,"
        " device VARCHAR NOT NULL, count BIGINT NOT NULL, self_ns BIGINT NOT NULL, fallback BOOLEAN NOT NULL)",
    ),
    4: ("ALTER TABLE results ADD COLUMN stage VARCHAR",),
    5: (),  # `points` and `performance_results`, which are derived
    6: (
        "ALTER TABLE samples RENAME TO recent_samples",
        "CREATE TABLE archived_files (file VARCHAR PRIMARY KEY, folder VARCHAR NOT NULL, rounds BIGINT NOT NULL,"
        " samples BIGINT NOT NULL, duration_ns HUGEINT NOT NULL, size_bytes BIGINT NOT NULL, sha256 VARCHAR NOT NULL,"
        " archived_at TIMESTAMP NOT NULL)",
        "CREATE VIEW samples AS SELECT round_id, position, phase, clock, duration_ns, runs FROM recent_samples",
    ),
}
SCHEMA_VERSION = max(MIGRATIONS)


def migrate(con: duckdb.DuckDBPyConnection, version: int) -> None:
    """Every step after `version`, in order; the caller's transaction makes it all or nothing."""
    for target in range(version + 1, SCHEMA_VERSION + 1):
        for statement in MIGRATIONS[target]:
            con.execute(statement)
    con.execute("UPDATE schema_version SET version = ?", [SCHEMA_VERSION])
