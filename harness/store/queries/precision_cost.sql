-- What each precision costs and brings against fp32 at the same point of the same Run: latency, size, error.
-- `latency_ratio` and `size_ratio` are this / fp32, null where the Run has no verified fp32 of the point. The error is
-- the typical one of the outputs against the fp32 reference, as a share of the spread of its values. A precision whose
-- answer is wrong is not here: it has failed, see `unsupported`. The ratios have no interval here; `harness compare`
-- gives one.
WITH measured AS (
    SELECT * FROM performance_results_view JOIN points USING (case_id)
), in_fp32 AS (
    SELECT
        run_id, all_but_precision, max(latency_median_ms) AS fp32_latency_median_ms,
        max(model_size_mb) AS fp32_size_mb, max(rms_error_share) AS fp32_error_share
    FROM measured
    WHERE precision = 'fp32'
    GROUP BY run_id, all_but_precision
)
SELECT
    model_name, model_family, hardware_type, backend, device, browser, software, batch_size, length, threads, precision,
    latency_median_ms, latency_ci95_low_ms, latency_ci95_high_ms, fp32_latency_median_ms,
    latency_median_ms / fp32_latency_median_ms AS latency_ratio,
    model_size_mb AS size_mb, fp32_size_mb, model_size_mb / fp32_size_mb AS size_ratio,
    rms_error_share AS error_share, fp32_error_share,
    slug, run_id, machine_id
FROM measured
LEFT JOIN in_fp32 USING (run_id, all_but_precision)
WHERE precision <> 'fp32'
ORDER BY run_id, model_name, hardware_type, browser, batch_size, length, threads, precision, slug;
