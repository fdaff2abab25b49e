-- Rows of `points` for planned Cases that have none yet.
WITH planned AS (
    SELECT case_id, json_merge_patch('{}', asked, '{"inputs_path": null, "model": {"name": null, "path": null, "family": null}}')
        AS asked
    FROM planned_cases
    WHERE rowid IN ( -- one of each Case: they say the same
        SELECT min(rowid) FROM planned_cases
        WHERE {wanted} AND case_id NOT IN (SELECT case_id FROM points)
        GROUP BY case_id
    )
), without_platform AS (
    SELECT
        *,
        json_merge_patch(
            asked,
            '{"platform": null, "backend": null, "device": null, "browser": null, "browser_version": null,
              "runtime": null, "options": null}'
        ) AS rest
    FROM planned
)
INSERT INTO points
SELECT
    case_id,
    md5_number(json_merge_patch(asked, '{"batch_size": null}')::VARCHAR),
    md5_number(json_merge_patch(asked, '{"mode": null}')::VARCHAR),
    md5_number(json_merge_patch(asked, '{"precision": null}')::VARCHAR),
    md5_number(rest::VARCHAR),
    md5_number(json_merge_patch(rest, '{"precision": null}')::VARCHAR),
    (asked->'model')::VARCHAR,
    json_merge_patch(rest, '{"model": null}')::VARCHAR,
    concat_ws('_', asked->>'browser_version', asked->>'runtime')
FROM without_platform;
