-- One row per Case per Run, whatever became of it: performance_results.sql says how it is made. derived.py names the
-- columns where `columns` stands in braces: metrics in one order, whenever which of them was first measured.
CREATE OR REPLACE VIEW performance_results_all_view AS
SELECT {columns} FROM performance_results;

-- What may be ranked: ok, verified against something independent, and measured here.
CREATE OR REPLACE VIEW performance_results_view AS
SELECT * EXCLUDE (outcome, code, reason, stage, checked, passed, purpose, origin, imported_from)
FROM performance_results_all_view
WHERE outcome = 'ok' AND checked AND passed AND purpose = 'timing' AND origin <> 'imported';

-- What other programs measured, in the same columns: nobody here checked an answer of theirs.
CREATE OR REPLACE VIEW performance_results_imported_view AS
SELECT * EXCLUDE (outcome, code, reason, stage, checked, passed, purpose, origin, imported_from)
FROM performance_results_all_view
WHERE outcome = 'ok' AND purpose = 'timing' AND origin = 'imported';
