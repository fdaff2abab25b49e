"""All sections, one after the other, whatever becomes of one of them; what is known is on disk after each."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from tests.bench import history
from tests.bench.picture import draw
from tests.bench.section import Bench, Findings, Section

# In this order: what is cheap first, so that an early end leaves something of each kind.
SECTIONS = (
    "startup", "noop", "round_cost", "conductor_cpu", "native_loop", "page_loop", "loadgen", "export", "isolation",
    "backends", "two_pages", "peer", "gate", "scale",
)  # fmt: skip
Say = Callable[[str], None]


def section_named(name: str) -> Section:
    return cast(Section, import_module(f"tests.bench.sections.{name}").SECTION)


async def run_bench(names: Sequence[str], quick: bool, seed: int, folder: Path, say: Say) -> dict[str, Any]:
    """Measure, write and draw; Ctrl-C ends it early, with what there is."""
    found = history.describe_bench(quick, seed)
    with TemporaryDirectory(prefix="harness-bench-") as place:
        bench = Bench(Path(place), say, quick, seed)
        for name in names:
            say(f"{name}: begins")
            began = time.monotonic()
            section, interrupted = await run_section(section_named(name), bench)
            found["sections"].append({**section, "took_s": round(time.monotonic() - began, 1)})
            found["interrupted"] = interrupted
            path = history.write(found, folder)
            if interrupted:
                say(f"interrupted in {name}; what was measured is kept")
                break
    history.remember(found, folder)
    draw(found, history.recall(folder, found), folder / "bench.png")
    say(f"{path} and {folder / 'bench.png'}")
    return found


async def run_section(section: Section, bench: Bench) -> tuple[dict[str, Any], bool]:
    """What the section found, as JSON holds it, and whether it was interrupted.

    A section that fails keeps what it had until then; the reason stands where a missed aim's would.
    """
    latest, trouble, interrupted = Findings([]), None, False
    try:
        async with aclosing(section.measure(bench)) as saying:
            async for findings in saying:
                latest = findings
    except asyncio.CancelledError:
        interrupted, trouble = True, "interrupted"
    except Exception as error:  # whatever it is, the other sections can still measure
        trouble = f"{type(error).__name__}: {error}".strip()
        bench.say(f"{section.name} failed: {trouble}")
    why = "; ".join(filter(None, (latest.why_missed, trouble))) or None
    return {
        "name": section.name, "what": section.what, "unit": section.unit, "rows": latest.rows, "aim": section.aim,
        "met": None if trouble else latest.met, "why_missed": why,
    }, interrupted  # fmt: skip
