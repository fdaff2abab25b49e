-- The newest verified result of every Case on every machine.
SELECT *
FROM performance_results_view
QUALIFY row_number() OVER (PARTITION BY machine_id, case_id ORDER BY started_at DESC, run_id DESC) = 1
ORDER BY model_name, hardware_type, browser, precision, batch_size, slug, case_id, machine_id;
