-- How each Case went from Run to Run on its machine: medians, intervals, versions.
-- `latency_ratio` is this Run's median / that of the Case's verified result before; `versions_changed` says whether
-- any version that the numbers depend on is another than then, null where one of the two is not known. What a Run
-- reused is not repeated. The ratio has no interval here; `harness compare` gives one.
SELECT
    slug, model_name, model_family, hardware_type, browser, software, precision, batch_size, length, threads,
    started_at, run_id,
    row_number() OVER earlier_first AS nth_result, latency_median_ms, latency_ci95_low_ms, latency_ci95_high_ms, rounds,
    latency_median_ms / lag(latency_median_ms) OVER earlier_first AS latency_ratio,
    versions <> lag(versions) OVER earlier_first AS versions_changed,
    runtime, browser_version, versions, len(doubts) AS doubts, case_id, machine_id
FROM performance_results_view
WINDOW earlier_first AS (PARTITION BY machine_id, case_id ORDER BY started_at, run_id)
ORDER BY machine_id, model_name, slug, case_id, started_at, run_id;
