-- Average throughput and speed-up of each family, a pair of columns per platform.
-- `…_mean_items_per_second` is the arithmetic mean over models, `…_speedup_vs_cpu` the geometric mean of each model's
-- throughput / that of PyTorch on the CPU in fp32; null unless every model of the mean has that one. Both are over the
-- newest verified result of each Case on the machine, and over the same `models` in all columns of a row: those that
-- every platform of the row has; `models_left_out` have results on some of them only. What is averaged may come from
-- several Runs. A GPU adapter that is software has `software` in its column's name. `settings` says what else was asked
-- for, null where it is the usual. None of it has an interval here; `harness compare` gives one.
WITH planned AS (
    SELECT run_id, case_id, any_value(asked) AS asked
    FROM planned_cases
    GROUP BY run_id, case_id
), newest AS (
    SELECT *
    FROM performance_results_view
    QUALIFY row_number() OVER (PARTITION BY machine_id, case_id ORDER BY started_at DESC, run_id DESC) = 1
), points AS (
    SELECT
        newest.* EXCLUDE (browser_version, runtime),
        json_merge_patch('{}', asked->'model', '{"name": null, "path": null, "family": null}') AS model,
        json_merge_patch(
            '{}', asked, -- a null and a field that is not there are the same
            '{"model": null, "task": null, "mode": null, "precision": null, "batch_size": null, "length": null,
              "threads": null, "platform": null, "backend": null, "device": null, "browser": null,
              "browser_version": null, "runtime": null, "options": null, "inputs_path": null}'
        ) AS settings,
        concat_ws(
            '_',
            CASE WHEN device IN (hardware_type, 'cpu') THEN hardware_type ELSE hardware_type || ':' || device END,
            CASE WHEN browser IS NOT NULL AND backend NOT IN ('ort_web', hardware_type) THEN backend END,
            browser, asked->>'browser_version', asked->>'runtime', -- the two versions where they were asked for
            CASE WHEN options <> '{}' THEN options::VARCHAR END,
            CASE WHEN software THEN 'software' END
        ) AS platform
    FROM newest
    JOIN planned USING (run_id, case_id)
    WHERE throughput_items_per_second IS NOT NULL
), compared AS (
    SELECT
        *,
        throughput_items_per_second / max(throughput_items_per_second) FILTER (
            WHERE hardware_type = 'cpu' AND backend = 'pytorch' AND options = '{}' AND precision = 'fp32'
        ) OVER (PARTITION BY machine_id, task, mode, model, batch_size, length, threads, settings) AS speedup,
        count(DISTINCT platform) OVER (
            PARTITION BY machine_id, model_family, task, mode, weights, scale, precision, batch_size, length, threads,
            settings
        ) = count(*) OVER (
            PARTITION BY machine_id, model_family, task, mode, weights, scale, precision, batch_size, length, threads,
            settings, model
        ) AS has_all,
        count(DISTINCT model) OVER (
            PARTITION BY machine_id, model_family, task, mode, weights, scale, precision, batch_size, length, threads,
            settings
        ) AS models_of_row
    FROM points
), averaged AS (
    SELECT
        model_family, task, mode, weights, scale, precision, batch_size, length, threads,
        nullif(settings::VARCHAR, '{"cache":"cold","dims":{},"isolation":"process","outputs":"host","seed":0}')
            AS settings,
        machine_id, platform,
        count(*) FILTER (WHERE has_all) AS models,
        any_value(models_of_row) - models AS models_left_out,
        avg(throughput_items_per_second) FILTER (WHERE has_all) AS mean_items_per_second,
        CASE WHEN count(speedup) FILTER (WHERE has_all) = models THEN exp(avg(ln(speedup)) FILTER (WHERE has_all)) END
            AS speedup_vs_cpu
    FROM compared
    GROUP BY ALL
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
