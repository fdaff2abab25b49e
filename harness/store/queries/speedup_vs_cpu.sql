-- How many times faster than PyTorch on the CPU, for the same model, shapes, threads and Run.
-- All else is the same, but options and precision may differ: the CPU's is fp32, `cpu_precision` says so. Software
-- adapters are marked. The ratio has no interval here; `harness compare` gives one.
WITH measured AS (
    SELECT * FROM performance_results_view JOIN points USING (case_id)
)
SELECT
    here.run_id, here.model_name, here.model_family, here.hardware_type, here.backend, here.browser, here.device,
    here.software, here.precision, cpu.precision AS cpu_precision, here.batch_size, here.length, here.threads,
    here.latency_median_ms, here.latency_ci95_low_ms, here.latency_ci95_high_ms,
    cpu.latency_median_ms AS cpu_latency_median_ms, cpu.latency_ci95_low_ms AS cpu_latency_ci95_low_ms,
    cpu.latency_ci95_high_ms AS cpu_latency_ci95_high_ms,
    cpu.latency_median_ms / here.latency_median_ms AS speedup_vs_cpu,
    here.slug, here.machine_id
FROM measured AS here
JOIN measured AS cpu
    ON cpu.run_id = here.run_id AND cpu.all_but_platform_and_precision = here.all_but_platform_and_precision
    AND cpu.hardware_type = 'cpu' AND cpu.backend = 'pytorch' AND cpu.precision = 'fp32' AND cpu.options = '{}'
WHERE here.case_id <> cpu.case_id
ORDER BY here.run_id, here.model_name, speedup_vs_cpu DESC, here.slug;
