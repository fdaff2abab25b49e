"""How long one waits for an answer that needs no measuring."""

import time
from collections.abc import AsyncGenerator

from tests.bench.fresh import output_of
from tests.bench.section import Bench, Findings, Row, Section, below_aims, row
from tests.bench.statistics import middle

# what is typed, how often, what it should stay below; `doctor` starts every browser, so it is asked less often
_ASKED: tuple[tuple[str, int, float | None], ...] = (("--help", 20, 0.3), ("--version", 20, None), ("doctor", 6, None))


async def measure(bench: Bench) -> AsyncGenerator[Findings, None]:
    rows: list[Row] = []
    for typed, times, aim_s in _ASKED[:2] if bench.quick else _ASKED:
        await time_command(typed)  # warm: files in the cache, bytecode compiled
        took_s = [await time_command(typed) for _ in range(bench.times(times, 2))]
        value, interval = middle(took_s)
        rows.append({**row(f"harness {typed}", value, interval, n=len(took_s), each_s=took_s), "aim": aim_s})
        bench.say(f"startup: {rows[-1]['name']}")
        yield Findings(list(rows), *below_aims(rows))


async def time_command(*typed: str) -> float:
    """Seconds from the start of a fresh process to its end; raises HarnessError when it fails."""
    began = time.perf_counter()
    await output_of(f"harness {' '.join(typed)}", "-m", "harness", *typed)
    return time.perf_counter() - began


SECTION = Section(
    name="startup",
    what="wall time of a fresh process, from start to end, warm",
    unit="s",
    aim="--help below 0.3 s",
    measure=measure,
)
