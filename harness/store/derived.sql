-- Tables that follow from the others, kept so that questions about a million Rounds answer at once; never the only
-- place of anything. database.py makes them again when the schema or the metrics change, ingest.py keeps them in step,
-- in the transaction that changes what they follow from. `performance_results` stands in performance_results.sql.

-- What a Case shares with others: two with the same value differ in nothing but what the column's name says. A null in
-- what was asked for and a field that is not there are the same; what a machine calls a model, or where its files lie,
-- is not part of it.
CREATE OR REPLACE TABLE points (
    case_id VARCHAR PRIMARY KEY,
    all_but_batch UHUGEINT NOT NULL,
    all_but_mode UHUGEINT NOT NULL,
    all_but_precision UHUGEINT NOT NULL,
    all_but_platform UHUGEINT NOT NULL,                  -- nor backend, device, browser, versions asked for, options
    all_but_platform_and_precision UHUGEINT NOT NULL,
    model VARCHAR NOT NULL,                             -- JSON of the model alone …
    work VARCHAR NOT NULL,                              -- … and of what is neither model nor platform
    versions_asked VARCHAR NOT NULL                     -- of browser and runtime; empty: the pinned ones
);
