-- How many times faster than PyTorch on the CPU, for the same model, shapes and Run; software adapters are marked.
-- Precision may differ between the two: `cpu_precision` says so. Intervals do not carry over to the ratio here;
-- `harness compare` gives it with one.
SELECT
    here.run_id, here.model_name, here.hardware_type, here.browser, here.device, here.software,
    here.precision, cpu.precision AS cpu_precision, here.batch_size, here.length, here.threads,
    here.latency_median_ms, cpu.latency_median_ms AS cpu_latency_median_ms,
    cpu.latency_median_ms / here.latency_median_ms AS speedup_vs_cpu
FROM performance_results_view AS here
JOIN performance_results_view AS cpu
    ON cpu.run_id = here.run_id AND cpu.hardware_type = 'cpu' AND cpu.precision = 'fp32' AND cpu.options = '{}'
    AND cpu.model_name = here.model_name AND cpu.task = here.task AND cpu.mode = here.mode
    AND cpu.weights = here.weights AND cpu.scale = here.scale AND cpu.batch_size = here.batch_size
    AND cpu.length IS NOT DISTINCT FROM here.length AND cpu.threads = here.threads
WHERE here.case_id <> cpu.case_id
ORDER BY here.run_id, here.model_name, speedup_vs_cpu DESC;
