-- How long the fastest page takes against the fastest native platform, per model and point.
-- Task, precision, batch size, length, threads and the rest are the same, on one machine; only platform, backend,
-- device, browser, versions and options may differ. `browser_latency_ratio` is browser / native: 2 is twice as long.
-- Of each Case the newest verified result counts: where `same_run` is false the two were not interleaved. A software
-- adapter is marked, and the doubts of each side are counted (`harness show` has the words). Being the fastest of
-- several is partly luck, and the ratio has no interval here; `harness compare` gives one.
WITH newest AS (
    SELECT case_id, max({'started_at': started_at, 'run_id': run_id}).run_id AS run_id
    FROM performance_results_view
    GROUP BY machine_id, case_id
), fastest AS MATERIALIZED (
    SELECT
        *,
        CASE WHEN device IN (hardware_type, 'cpu') THEN hardware_type ELSE hardware_type || ':' || device END
            AS hardware
    FROM performance_results_view
    SEMI JOIN newest USING (run_id, case_id)
    JOIN points USING (case_id)
    QUALIFY row_number() OVER (
        PARTITION BY machine_id, all_but_platform, browser IS NULL ORDER BY latency_median_ms NULLS LAST, case_id
    ) = 1
)
SELECT
    native.model_name, native.model_family, native.task, native.mode, native.precision, native.batch_size,
    native.length, native.threads,
    native.hardware AS native_hardware, native.software AS native_software,
    native.latency_median_ms AS native_latency_median_ms, native.latency_ci95_low_ms AS native_latency_ci95_low_ms,
    native.latency_ci95_high_ms AS native_latency_ci95_high_ms, len(native.doubts) AS native_doubts,
    page.hardware AS browser_hardware, page.backend AS browser_backend, page.browser, page.software AS browser_software,
    page.latency_median_ms AS browser_latency_median_ms, page.latency_ci95_low_ms AS browser_latency_ci95_low_ms,
    page.latency_ci95_high_ms AS browser_latency_ci95_high_ms, len(page.doubts) AS browser_doubts,
    page.latency_median_ms / native.latency_median_ms AS browser_latency_ratio,
    native.run_id = page.run_id AS same_run, native.slug AS native_slug, page.slug AS browser_slug, native.machine_id
FROM fastest AS native
JOIN fastest AS page USING (machine_id, all_but_platform)
WHERE native.browser IS NULL AND page.browser IS NOT NULL
ORDER BY native.machine_id, native.model_name, native.precision, native.batch_size, native.length, native.threads,
    native.slug;
