-- Average throughput and speed-up of each family, a pair of columns per platform.
-- `…_mean_items_per_second` is the arithmetic mean over models, `…_speedup_vs_cpu` the geometric mean of each model's
-- throughput / that of PyTorch on the CPU in fp32; null unless every model of the mean has that one. Both are over the
-- newest verified result of each Case on the machine, and over the same `models` in all columns of a row: those that
-- every platform of the row has; `models_left_out` have results on some of them only. What is averaged may come from
-- several Runs. A GPU adapter that is software has `software` in its column's name. `settings` says what else was asked
-- for, null where it is the usual. None of it has an interval here; `harness compare` gives one.
WITH newest_runs AS (
    SELECT case_id, max({'started_at': started_at, 'run_id': run_id}).run_id AS run_id
    FROM performance_results_view
    WHERE throughput_items_per_second IS NOT NULL
    GROUP BY machine_id, case_id
), newest AS MATERIALIZED (
    SELECT
        measured.* EXCLUDE (runtime, browser_version), model, work, all_but_platform_and_precision,
        concat_ws(
            '_',
            CASE WHEN device IN (hardware_type, 'cpu') THEN hardware_type ELSE hardware_type || ':' || device END,
            CASE WHEN browser IS NOT NULL AND backend NOT IN ('ort_web', hardware_type) THEN backend END,
            browser, nullif(versions_asked, ''),
            CASE WHEN options <> '{}' THEN options::VARCHAR END,
            CASE WHEN software THEN 'software' END
        ) AS platform
    FROM performance_results_view AS measured
    SEMI JOIN newest_runs USING (run_id, case_id)
    JOIN points USING (case_id)
), on_cpu AS (
    SELECT machine_id, all_but_platform_and_precision, throughput_items_per_second AS cpu_items_per_second
    FROM newest
    WHERE hardware_type = 'cpu' AND backend = 'pytorch' AND options = '{}' AND precision = 'fp32'
), width AS (
    SELECT
        machine_id, model_family, weights, scale, work, count(DISTINCT platform) AS platforms,
        count(DISTINCT model) AS models_of_row
    FROM newest
    GROUP BY ALL
), compared AS (
    SELECT
        newest.*, models_of_row, throughput_items_per_second / cpu_items_per_second AS speedup,
        count(*) OVER (PARTITION BY machine_id, model_family, work, model) = platforms AS has_all
    FROM newest
    JOIN width USING (machine_id, model_family, weights, scale, work)
    LEFT JOIN on_cpu USING (machine_id, all_but_platform_and_precision)
), averaged AS (
    SELECT
        model_family, task, mode, weights, scale, precision, batch_size, length, threads,
        json_merge_patch(
            work,
            '{"task": null, "mode": null, "precision": null, "batch_size": null, "length": null, "threads": null}'
        )::VARCHAR AS rest,
        nullif(rest, '{"cache":"cold","dims":{},"isolation":"process","outputs":"host","seed":0}') AS settings,
        machine_id, platform,
        count(*) FILTER (WHERE has_all) AS models,
        any_value(models_of_row) - models AS models_left_out,
        avg(throughput_items_per_second) FILTER (WHERE has_all) AS mean_items_per_second,
        CASE
            WHEN count(speedup) FILTER (WHERE has_all) = models THEN exp(avg(ln(speedup)) FILTER (WHERE has_all))
        END AS speedup_vs_cpu
    FROM compared
    GROUP BY
        model_family, task, mode, weights, scale, precision, batch_size, length, threads, work, machine_id, platform
)
FROM (
    PIVOT averaged
    ON platform
    USING any_value(mean_items_per_second) AS mean_items_per_second, any_value(speedup_vs_cpu) AS speedup_vs_cpu
    GROUP BY
        model_family, task, mode, weights, scale, precision, batch_size, length, threads, settings, machine_id,
        models, models_left_out
)
ORDER BY machine_id, model_family, task, mode, weights, scale, precision, batch_size, length, threads, settings;
