"""`python -m tests.bench [--only a,b] [--quick] [--seed N] [--to FOLDER]`: a table on stdout, progress on stderr."""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from harness.catalog import ROOT
from tests.bench.runner import SECTIONS, run_bench
from tests.bench.table import bench_table, remarks


def main() -> int:
    """0 when it was carried out, also where an aim was missed: it asserts nothing. 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="What the harness itself costs.")
    parser.add_argument("--only", help=f"some of: {', '.join(SECTIONS)}")
    parser.add_argument("--quick", action="store_true", help="does it work? the figures are worth nothing")
    parser.add_argument("--seed", type=int, default=0, help="of the order of pairs and the stand-ins' weights")
    parser.add_argument("--to", type=Path, default=ROOT / "results" / "bench", help="default: results/bench")
    asked = parser.parse_args()
    names = asked.only.split(",") if asked.only else list(SECTIONS)
    if strange := [name for name in names if name not in SECTIONS]:
        parser.error(f"no section named {', '.join(strange)}; there are {', '.join(SECTIONS)}")
    began, console = time.monotonic(), Console(stderr=True)

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - began:6.0f} s  {escape(text)}", highlight=False, soft_wrap=True)

    found = asyncio.run(run_bench(names, asked.quick, asked.seed, asked.to, say))
    out = Console(width=None if sys.stdout.isatty() else 120)
    out.print(bench_table(found))
    out.print("\n" + escape("\n".join(remarks(found))), highlight=False)
    return 130 if found["interrupted"] else 0


if __name__ == "__main__":
    sys.exit(main())
