-- What is unsupported or has failed, by platform and reason, with the number of Cases.
-- Each Case counts once per machine, by its newest result, in Runs that time and in coverages alike; one that a Run
-- ended too early for counts only where there is no result of it. `cases_on_platform` are all Cases that were asked
-- for there, also those that are ok. `example` is one of them.
WITH newest_runs AS (
    SELECT
        case_id,
        max({
            'measured': code IS DISTINCT FROM 'not_measured', 'started_at': started_at, 'run_id': run_id
        }).run_id AS run_id
    FROM performance_results_all_view
    WHERE origin <> 'imported' -- what another program could not do says nothing of this one
    GROUP BY machine_id, case_id
), newest AS (
    SELECT
        *,
        CASE WHEN device IN (hardware_type, 'cpu') THEN hardware_type ELSE hardware_type || ':' || device END
            AS hardware
    FROM performance_results_all_view
    SEMI JOIN newest_runs USING (run_id, case_id)
), counted AS (
    SELECT *, count(*) OVER (PARTITION BY machine_id, hardware, backend, browser) AS cases_on_platform
    FROM newest
)
SELECT
    hardware, backend, browser, outcome, code, stage, reason,
    count(*) AS cases, any_value(cases_on_platform) AS cases_on_platform, count(DISTINCT model_name) AS models,
    max(started_at) AS last_seen_at, min(slug) AS example, machine_id
FROM counted
WHERE outcome <> 'ok'
GROUP BY machine_id, hardware, backend, browser, outcome, code, stage, reason
ORDER BY machine_id, hardware, backend, browser, cases DESC, outcome, code, stage, reason;
