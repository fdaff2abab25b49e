-- The newest verified result of every Case on every machine.
WITH newest AS (
    SELECT case_id, max({'started_at': started_at, 'run_id': run_id}).run_id AS run_id
    FROM performance_results_view
    GROUP BY machine_id, case_id
)
SELECT *
FROM performance_results_view
SEMI JOIN newest USING (run_id, case_id)
ORDER BY model_name, hardware_type, browser, precision, batch_size, slug, case_id, machine_id;
