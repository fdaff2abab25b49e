"""What an export costs, and what it costs to find that it was done already."""

from collections.abc import AsyncGenerator
from tempfile import TemporaryDirectory

from tests.bench.section import Bench, Findings, Section, row
from tests.bench.sections.startup import time_command
from tests.bench.statistics import middle


async def measure(bench: Bench) -> AsyncGenerator[Findings, None]:
    took_s: dict[str, list[float]] = {"cold": [], "warm": []}
    for _ in range(bench.times(3, 1)):
        with TemporaryDirectory(dir=bench.folder) as place:
            # An empty cache first; then the same again, which finds the Artifact and checks its bytes.
            for state in took_s:
                asked = ("--model", "bert", "--scale", "tiny", "--hardware", "onnxruntime", "--db", f"{place}/h.duckdb")
                took_s[state].append(await time_command("export", *asked))
        bench.say(f"export: {len(took_s['warm'])} times")
        yield Findings([_row(state, each) for state, each in took_s.items()])


def _row(state: str, each_s: list[float]) -> dict[str, object]:
    value, interval = middle(each_s)
    return row(f"tiny bert, {state}", value, interval, n=len(each_s), each_s=each_s)


SECTION = Section(
    name="export",
    what="wall time of `harness export` of a tiny bert: cold = into an empty cache, warm = found in it",
    unit="s",
    aim=None,
    measure=measure,
)
