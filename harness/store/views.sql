-- One row per Case per Run. database.py puts one column per metric where `metrics` stands in braces, from the names that
-- occur, so that a new metric needs no migration. A Case that was planned and never measured says so instead of missing.
-- A point that reuses another Run's result is left out: its row is that Run's, and nothing may count a measurement twice.
CREATE OR REPLACE VIEW performance_results_all_view AS
WITH asked AS (
    SELECT * FROM planned_cases WHERE reused_from IS NULL
    QUALIFY row_number() OVER (PARTITION BY run_id, case_id ORDER BY position) = 1
), pivoted AS (
    SELECT run_id, case_id, {metrics} FROM result_metrics GROUP BY run_id, case_id
)
SELECT
    asked.model_name, asked.model_family, cases.task, cases.mode, cases.weights, cases.scale,
    cases.platform AS hardware_type, cases.backend, cases.device, cases.browser, results.browser_version,
    results.runtime, cases.precision, nullif(cases.batch_size, 0) AS batch_size, cases.length, nullif(cases.threads, 0) AS threads, cases.options,
    coalesce(results.outcome, asked.outcome, 'failed') AS outcome,
    CASE WHEN results.outcome IS NULL AND asked.outcome IS NULL THEN 'not_measured' ELSE results.code END AS code,
    CASE WHEN results.outcome IS NULL THEN coalesce(asked.reason, '{not_measured}') ELSE results.reason END AS reason,
    pivoted.* EXCLUDE (run_id, case_id),
    results.latency_ci95_low_ms, results.latency_ci95_high_ms, results.interval_method,
    coalesce(results.rounds, 0) AS rounds, coalesce(results.rounds_failed, 0) AS rounds_failed,
    results.software, results.fallback_share, results.stage, results.checked, results.passed, results.doubts, results.stopped_by,
    asked.run_id, asked.case_id, asked.slug, runs.started_at, runs.machine_id,
    coalesce(runs.policy->>'purpose', 'timing') AS purpose, -- timing | coverage: whether anything was timed
    coalesce(runs.policy->>'origin', 'asked') AS origin, -- asked | finding_out: measured here; imported: by another program
    concat_ws(' ', runs.machine->'imported'->>'tool', runs.machine->'imported'->>'version') AS imported_from -- '': not
FROM asked
JOIN runs ON runs.run_id = asked.run_id
JOIN cases ON cases.case_id = asked.case_id
LEFT JOIN results ON results.run_id = asked.run_id AND results.case_id = asked.case_id
LEFT JOIN pivoted ON pivoted.run_id = asked.run_id AND pivoted.case_id = asked.case_id;

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
