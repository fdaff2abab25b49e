"""The store at 100 million Samples and at a tenth of them: how fast it takes them in, how large it is, how soon it
answers.

The history is synthetic and says so; it lives in the bench's own folder. Three questions are answered in four ways from
the same history, and the answers have to be the same; how JSON and SQLite do it stands in rivals.py.
"""

import json
import math
import shutil
from collections.abc import AsyncGenerator
from typing import Any

from harness.core.errors import HarnessError
from harness.core.statistics import median
from tests.bench.fresh import output_of
from tests.bench.rivals import QUESTIONS
from tests.bench.section import Bench, Findings, Row, Section, below_aims, row

_ROUNDS, _QUICK_ROUNDS = 1_000_000, 3_000
_CLOSE = 1e-9
_DASHBOARD_MS = 200.0
_WAYS = {"sqlite": "SQLite", "summaries_json": "JSON of results", "raw_json": "raw JSON"}
Found = dict[str, Any]


async def measure(bench: Bench) -> AsyncGenerator[Findings, None]:
    sizes: list[dict[str, Found]] = []
    for part in (10, 1):
        rounds = bench.times(_ROUNDS, _QUICK_ROUNDS) // part
        found: dict[str, Found] = {}
        async for name, said in _steps(bench, rounds):
            found[name] = said
            bench.say(f"scale: {rounds:,} rounds: {name}, peak memory {said['peak_rss_mb']:.0f} MB")
        for way in _WAYS:
            check_same(way, found["duckdb"]["answers"], found[way]["answers"])
        sizes.append(found)
        rows = _figures(found, sizes[0])
        yield Findings(rows, *below_aims(rows))


async def _steps(bench: Bench, rounds: int) -> AsyncGenerator[tuple[str, Found], None]:
    """Each step's findings; its files are deleted after the last."""
    place = bench.folder / f"scale-{rounds}"
    place.mkdir()
    database, raw, lines, lite = (place / name for name in ("h.duckdb", "raw.jsonl", "results.jsonl", "h.sqlite"))
    for name, *arguments in (
        ("build", rounds, bench.seed, database),
        ("journal", rounds, bench.seed, raw),
        ("rebuild", rounds, bench.seed, place / "rebuilt"),
        ("raw_json", raw),
        ("results", database, lines, lite),
        ("summaries_json", lines),
        ("sqlite", lite),
        ("duckdb", database),
        ("cold", database),
        ("live", database),
    ):
        said = await output_of(f"scale: {name}", "-m", "tests.bench.scale_process", name, *arguments)
        yield name, json.loads(said)
    shutil.rmtree(place)


def _figures(found: dict[str, Found], tenth: dict[str, Found]) -> list[Row]:
    """The rows of one size; `tenth` is the smaller one, beside which each latency has grown so many times."""
    built, duck, stored, rebuilt = (found[step] for step in ("build", "duckdb", "results", "rebuild"))
    latencies, before = _latencies_ms(found), _latencies_ms(tenth)
    counts = {name: built[name] for name in ("rounds", "samples", "results", "runs", "cases")}
    rows = [
        _row("bulk ingest, per sample", 1e6 * built["wrote_s"] / built["samples"], "µs", 1.0, **counts),
        _row("bulk ingest, peak memory", built["peak_rss_mb"], "MB"),
        _row("db rebuild, per round", 1000 * rebuilt["took_s"] / rebuilt["rounds"], "ms", samples=rebuilt["samples"]),
        _row("size", built["bytes"] / 1e6, "MB"),
        # The lines' length is that of the first million rows of each table.
        _row("size, of its tables as JSON lines", 100 * built["bytes"] / stored["rows_json_bytes"], "%", 10.0),
        _row("size, of the journal's JSON lines", 100 * built["bytes"] / found["journal"]["bytes"], "%"),
    ]
    for name, value in latencies.items():
        aim = _DASHBOARD_MS if name in duck["named_ms"] else None
        rows.append(_row(name, value, "ms", aim, tenth_ms=before[name], growth=value / before[name]))
    for way, words in _WAYS.items():
        for question, seconds in duck["seconds"].items():
            times = found[way]["seconds"][question] / seconds
            aim = 1.0 if way == "raw_json" else None
            rows.append(_row(f"{question}: DuckDB, of {words}", 100 / times, "%", aim, times_faster=times))
    if found is not tenth:
        ours = [name for name in latencies if not name.endswith(tuple(_WAYS.values()))]
        rows += [_row(f"{name}: with ten times the data", latencies[name] / before[name], "×") for name in ours]
    return rows


def _latencies_ms(found: dict[str, Found]) -> dict[str, float]:
    duck = found["duckdb"]
    return {
        "live ingest, one round": median(found["live"]["each_ms"]),
        "family_by_platform with its process": found["cold"]["ms"],
        **duck["named_ms"],
        **{f"{question}: DuckDB": seconds * 1000 for question, seconds in duck["seconds"].items()},
        **{
            f"{question}: {words}": seconds * 1000
            for way, words in _WAYS.items()
            for question, seconds in found[way]["seconds"].items()
        },
    }


def check_same(way: str, ours: dict[str, dict[str, float]], theirs: dict[str, dict[str, float]]) -> None:
    """Raises HarnessError where another way has another answer: a comparison of times would be worth nothing."""
    for question in QUESTIONS:
        mine, other = ours[question], theirs[question]
        if mine.keys() != other.keys() or not mine:
            raise HarnessError(f"{question}: {len(mine)} values here, {len(other)} by {way}")
        far = [key for key in mine if not math.isclose(mine[key], other[key], rel_tol=_CLOSE)]
        if far:
            raise HarnessError(f"{question}: {far[0]} is {mine[far[0]]} here, {other[far[0]]} by {way}")


def _row(name: str, value: float, unit: str, aim: float | None = None, **more: Any) -> Row:
    return {**row(name, value, unit=unit, **more), "aim": aim}


SECTION = Section(
    name="scale",
    what="a synthetic history in the store, in JSON lines and in SQLite: ingest, size, answers (the same in all four)",
    unit="ms",
    aim="bulk ingest 1 µs per sample; a tenth of the tables' JSON; questions in 200 ms, in 1 % of a scan of raw JSON",
    measure=measure,
)
