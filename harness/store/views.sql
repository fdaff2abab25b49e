-- One row per Case per Run, whatever became of it: performance_results.sql says how it is made.
CREATE OR REPLACE VIEW performance_results_all_view AS
SELECT * FROM performance_results;

-- What may be ranked: ok, and verified against something independent.
CREATE OR REPLACE VIEW performance_results_view AS
SELECT * EXCLUDE (outcome, code, reason, stage, checked, passed, purpose)
FROM performance_results
WHERE outcome = 'ok' AND checked AND passed AND purpose = 'timing';
