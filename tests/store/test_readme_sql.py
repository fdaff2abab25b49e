"""The SQL that the README shows, on numbers worked out by hand."""

import re
from pathlib import Path

from harness.store.query import run_query
from tests.store.made_up_results import case_of, ok, put_run, wrong

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_s_sql_gives_pivot_speed_up_and_batch_efficiency(tmp_path: Path) -> None:
    path = tmp_path / "h.duckdb"
    put_run(
        path,
        "r",
        [
            ok(case_of("bert", "cpu"), 10.0),  # 100 items per second
            ok(case_of("bert", "wasm"), 20.0),  # 50
            ok(case_of("gpt2", "cpu"), 40.0),  # 25
            ok(case_of("gpt2", "wasm"), 20.0),  # 50
            wrong(case_of("t5", "wasm"), 0.001),
            ok(case_of("vit", "cpu", family="vision"), 5.0),  # 200
            ok(case_of("vit", "cpu", family="vision", batch_size=4), 8.0),  # 500
        ],
    )
    pivot, efficiency = (
        block
        for block in re.findall(r"```sql\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[0].split("\n\n")
    )
    columns, rows = run_query(path, pivot)
    told = [dict(zip(columns, row, strict=True)) for row in rows]
    assert told[0] == {
        "model_family": "text_encoder",
        "cpu_mean_items_per_second": 62.5,
        "cpu_median_speedup": 1.0,
        "wasm_mean_items_per_second": 50.0,
        "wasm_median_speedup": 1.25,  # of 0.5 and 2
    }
    assert told[1]["model_family"] == "vision"
    assert told[1]["wasm_mean_items_per_second"] is None
    assert [(row[0], row[2], row[3]) for row in run_query(path, efficiency)[1] if row[2] > 1] == [("vit", 4, 0.625)]
