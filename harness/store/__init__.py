"""What is kept: an append-only journal first, DuckDB second. Nothing else of the house imports duckdb.

journal.py    one JSON line per record, flushed at each Round's end; read back with a torn last line
database.py   open the file: schema, version, retry while another process has it
migrations.py from an older schema to the newest, in place
rows.py       nouns → rows of the schema's tables
ingest.py     rows → tables, idempotent, one transaction per Round or one for a whole Run
results.py    tables → a Run and its CaseResults
known.py      what is known already of some Cases on one machine
query.py      SQL from outside, read-only and locked down
schema.sql    tables; views.sql the views over them; queries/ named queries
"""
