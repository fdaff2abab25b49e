-- One row per Case per Run, as `performance_results` holds it. In braces: `metrics`, one column per metric from the
-- names that occur, so that a new metric needs no migration; `wanted`, which rows. A Case that was planned and never
-- measured says so instead of missing. A point that reuses another Run's result is left out: its row is that Run's, and
-- nothing may count a measurement twice.
WITH asked AS (
    SELECT * FROM planned_cases WHERE reused_from IS NULL AND {wanted}
    QUALIFY row_number() OVER (PARTITION BY run_id, case_id ORDER BY position) = 1
), pivoted AS (
    SELECT run_id, case_id, {metrics} FROM result_metrics WHERE {wanted} GROUP BY run_id, case_id
), found AS (
    SELECT * FROM results WHERE {wanted}
)
SELECT
    asked.model_name, asked.model_family, cases.task, cases.mode, cases.weights, cases.scale,
    cases.platform AS hardware_type, cases.backend, cases.device, cases.browser, found.browser_version,
    found.runtime, cases.precision, nullif(cases.batch_size, 0) AS batch_size, cases.length, nullif(cases.threads, 0) AS threads,
    cases.options,
    coalesce(found.outcome, asked.outcome, 'failed') AS outcome,
    CASE WHEN found.outcome IS NULL AND asked.outcome IS NULL THEN 'not_measured' ELSE found.code END AS code,
    CASE WHEN found.outcome IS NULL THEN coalesce(asked.reason, '{not_measured}') ELSE found.reason END AS reason,
    found.latency_ci95_low_ms, found.latency_ci95_high_ms, found.interval_method,
    coalesce(found.rounds, 0) AS rounds, coalesce(found.rounds_failed, 0) AS rounds_failed,
    found.software, found.fallback_share, found.stage, found.checked, found.passed, found.doubts, found.stopped_by, asked.versions,
    asked.run_id, asked.case_id, asked.slug, runs.started_at, runs.machine_id,
    coalesce(runs.policy->>'purpose', 'timing') AS purpose, -- timing | coverage: whether anything was timed
    coalesce(runs.policy->>'origin', 'asked') AS origin, -- asked | finding_out: measured here; imported: by another program
    concat_ws(' ', runs.machine->'imported'->>'tool', runs.machine->'imported'->>'version') AS imported_from, -- '': not
    pivoted.* EXCLUDE (run_id, case_id) -- last, where a new one is added; the views have them after `reason`
FROM asked
JOIN runs ON runs.run_id = asked.run_id
JOIN cases ON cases.case_id = asked.case_id
LEFT JOIN found ON found.run_id = asked.run_id AND found.case_id = asked.case_id
LEFT JOIN pivoted ON pivoted.run_id = asked.run_id AND pivoted.case_id = asked.case_id
