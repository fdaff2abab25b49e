-- How throughput and latency grow with the batch size, against batch 1 of the same Run.
-- `throughput_ratio` is throughput(b) / throughput(1); `batch_efficiency` is that / b, so 1 is a batch that takes no
-- longer than a single item; `latency_ratio` is latency(b) / latency(1). They are null where the Run has no verified
-- batch 1. All but the batch size is the same: model, platform, browser, precision, length, threads, options and the
-- rest. `best_batch_size` has the highest throughput of those that were verified. The ratios have no interval here;
-- `harness compare` gives one.
WITH measured AS MATERIALIZED (
    SELECT
        model_name, model_family, hardware_type, backend, device, browser, software, precision, length, threads,
        batch_size, latency_median_ms, latency_ci95_low_ms, latency_ci95_high_ms, throughput_items_per_second, slug,
        run_id, machine_id, all_but_batch
    FROM performance_results_view
    JOIN points USING (case_id)
), same_but_batch AS (
    SELECT
        run_id, all_but_batch,
        max(latency_median_ms) FILTER (WHERE batch_size = 1) AS batch_1_latency_median_ms,
        max(throughput_items_per_second) FILTER (WHERE batch_size = 1) AS batch_1_items_per_second,
        -- The smallest of those that are equally good; one without a throughput is the worst.
        max({'rate': coalesce(throughput_items_per_second, -1), 'order': -batch_size, 'batch_size': batch_size}).batch_size
            AS best_batch_size
    FROM measured
    GROUP BY run_id, all_but_batch
    HAVING count(*) > 1
)
SELECT
    model_name, model_family, hardware_type, backend, device, browser, software, precision, length, threads,
    batch_size, latency_median_ms, latency_ci95_low_ms, latency_ci95_high_ms, throughput_items_per_second,
    throughput_items_per_second / batch_1_items_per_second AS throughput_ratio,
    throughput_items_per_second / (batch_size * batch_1_items_per_second) AS batch_efficiency,
    latency_median_ms / batch_1_latency_median_ms AS latency_ratio,
    best_batch_size, slug, run_id, machine_id
FROM measured
JOIN same_but_batch USING (run_id, all_but_batch)
ORDER BY run_id, model_name, hardware_type, browser, precision, length, threads, best_batch_size, batch_size, slug;
