-- How throughput and latency grow with the batch size, against batch 1 of the same Run.
-- `throughput_ratio` is throughput(b) / throughput(1); `batch_efficiency` is that / b, so 1 is a batch that takes no
-- longer than a single item; `latency_ratio` is latency(b) / latency(1). They are null where the Run has no verified
-- batch 1. All but the batch size is the same: model, platform, browser, precision, length, threads, options and the
-- rest. `best_batch_size` has the highest throughput of those that were verified. The ratios have no interval here;
-- `harness compare` gives one.
WITH batches AS (
    SELECT
        measured.*,
        max(latency_median_ms) FILTER (WHERE batch_size = 1) OVER same_but_batch AS batch_1_latency_median_ms,
        max(throughput_items_per_second) FILTER (WHERE batch_size = 1) OVER same_but_batch AS batch_1_items_per_second,
        first_value(batch_size) OVER (
            PARTITION BY run_id, all_but_batch ORDER BY throughput_items_per_second DESC NULLS LAST, batch_size
        ) AS best_batch_size
    FROM performance_results_view AS measured
    JOIN points USING (case_id)
    WINDOW same_but_batch AS (PARTITION BY run_id, all_but_batch)
    QUALIFY count(*) OVER same_but_batch > 1
)
SELECT
    model_name, model_family, hardware_type, backend, device, browser, software, precision, length, threads,
    batch_size, latency_median_ms, latency_ci95_low_ms, latency_ci95_high_ms, throughput_items_per_second,
    throughput_items_per_second / batch_1_items_per_second AS throughput_ratio,
    throughput_items_per_second / (batch_size * batch_1_items_per_second) AS batch_efficiency,
    latency_median_ms / batch_1_latency_median_ms AS latency_ratio,
    best_batch_size, slug, run_id, machine_id
FROM batches
ORDER BY run_id, model_name, hardware_type, browser, precision, length, threads, best_batch_size, batch_size, slug;
