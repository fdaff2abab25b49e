"""What leads a database of an older schema to the newest: an ordered table of statements, carried out in place.

A new schema is one entry more here, and the same columns in `schema.sql`, at the end of their tables: that is where
`ADD COLUMN` puts them. Views are not mentioned: they are remade from `views.sql` after the last step.
"""

import duckdb

# version that it leads to → what to do to a database of the version before
MIGRATIONS: dict[int, tuple[str, ...]] = {
    2: (
        "ALTER TABLE planned_cases ADD COLUMN versions JSON",
        "ALTER TABLE planned_cases ADD COLUMN reused_from VARCHAR",
        "ALTER TABLE runs ADD COLUMN resumed_at VARCHAR[]",
    ),
}
SCHEMA_VERSION = max(MIGRATIONS)


def migrate(con: duckdb.DuckDBPyConnection, version: int) -> None:
    """Every step after `version`, in order; the caller's transaction makes it all or nothing."""
    for target in range(version + 1, SCHEMA_VERSION + 1):
        for statement in MIGRATIONS[target]:
            con.execute(statement)
    con.execute("UPDATE schema_version SET version = ?", [SCHEMA_VERSION])
