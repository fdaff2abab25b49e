-- How long a training step takes against one inference of the same model, batch and length on the same platform.
-- `training_latency_ratio` is training / inference; all but the mode is the same. Of each Case the newest verified
-- result on the machine counts: where `same_run` is false the two were not interleaved. Empty where no training was
-- measured. The ratio has no interval here; `harness compare` gives one.
WITH newest_runs AS (
    SELECT case_id, max({'started_at': started_at, 'run_id': run_id}).run_id AS run_id
    FROM performance_results_view
    GROUP BY machine_id, case_id
), newest AS (
    SELECT *
    FROM performance_results_view
    SEMI JOIN newest_runs USING (run_id, case_id)
    JOIN points USING (case_id)
)
SELECT
    training.model_name, training.model_family, training.hardware_type, training.backend, training.device,
    training.browser, training.software, training.precision, training.batch_size, training.length, training.threads,
    training.latency_median_ms AS training_latency_median_ms,
    training.latency_ci95_low_ms AS training_latency_ci95_low_ms,
    training.latency_ci95_high_ms AS training_latency_ci95_high_ms,
    inference.latency_median_ms AS inference_latency_median_ms,
    inference.latency_ci95_low_ms AS inference_latency_ci95_low_ms,
    inference.latency_ci95_high_ms AS inference_latency_ci95_high_ms,
    training.latency_median_ms / inference.latency_median_ms AS training_latency_ratio,
    training.run_id = inference.run_id AS same_run, training.slug, training.machine_id
FROM newest AS training
JOIN newest AS inference USING (machine_id, all_but_mode)
WHERE training.mode = 'training' AND inference.mode = 'inference'
ORDER BY training.machine_id, training.model_name, training.hardware_type, training.browser, training.precision,
    training.batch_size, training.length, training.threads, training.slug;
