"""A bench that never was: every section, every shape of row."""

from typing import Any

from tests.bench.pairs import judged, ratio_row
from tests.bench.section import below_aims, row

MACHINE = {"machine_id": "m1", "cpu": "a made-up CPU", "cores_logical": 2}
_PARTS = {"start → hello": 300.0, "runtime import": 80.0, "judge": 9.0, "DuckDB ingest": 26.0, "the rest": 12.0}


def section(name: str, rows: list[Any], unit: str, aim: str | None, met: tuple[bool | None, str | None]) -> Any:
    return {
        "name": name, "what": "something", "unit": unit, "rows": rows, "aim": aim,
        "met": met[0], "why_missed": met[1], "took_s": 1.0,
    }  # fmt: skip


def made_up_bench(**changed: Any) -> dict[str, Any]:
    loops = [ratio_row("onnxruntime 1 ms", [1.0, 1.01, 0.99, 1.0], [1.0] * 4), ratio_row("5 ms", [5.4] * 3, [5.0] * 3)]
    costs = [
        {**row("native, batched", 0.4, (0.35, 0.5), n=6), "aim": 2.0},
        {**row("page, batched", 7.0, (6.0, 9.0), n=6), "aim": 5.0},
        row("native, rule asked", 3.0, n=6),
    ]
    rounds = [
        row("native, process", 427.0, n=6, parts=_PARTS),
        row("page, process", 1227.0, n=6, parts={"browser launch": 700.0, **_PARTS, "end of process": 100.0}),
        row("page, zygote", None, reasons=["not here"]),
    ]
    peers = [row("harness", 1.2, n=3, reported_us=0.2), row("loadgen", 9.5, n=3, reported_us=5.2)]
    return {
        "date": "2026-01-02T03:04:05+00:00", "commit": "abc", "quick": False, "seed": 0, "machine": MACHINE,
        "interrupted": False,
        "sections": [
            section("native_loop", loops, "ratio", "0.99–1.01", judged(loops)),
            section("noop", costs, "µs", "below", below_aims(costs)),
            section("round_cost", rounds, "ms", None, (None, None)),
            section("loadgen", peers, "µs", None, (None, None)),
            section("isolation", [], "ratio", None, (None, "not there")),
        ],
        **changed,
    }  # fmt: skip
