"""A peer: tachometer, asked in the same minutes as we are which of two pages with the same work but 5 % is slower.

Both drive the same Chromium without a window, in a fresh tab each time, on the same graphs, bytes, runtime and threads.
Both stop when their interval excludes no difference; ours allows for having looked before, tachometer's does not.
"""

import json
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from tests.bench.chains import Chain, write_chain
from tests.bench.limited import Ended, until_limit
from tests.bench.pairs import ratio_row
from tests.bench.section import Bench, Findings, Row, Section, below_aims, row
from tests.bench.statistics import middle
from tests.bench.tachometer import BROWSER, SAMPLE_SIZE, Told, ask_tachometer, why_absent

_PRODUCTS, _MORE = 20, 21
_TRUE = _MORE / _PRODUCTS
# How well the true ratio is known: a run has its own cost besides the products, and caches are not endless.
_TRUE_WITHIN = 0.01
_LIMIT_S = 60.0
_AIM_S = 20.0
# What is asked is not how threads share two cores.
_THREADS = 1
# As tachometer: it opens a tab for each sample, in the browser that it began with.
_ISOLATION = "zygote"
# Of twenty Rounds, each of which warms up and samples about as long as one of tachometer's pages.
_BUDGET = "12s"

Outcome = Literal["right", "unsure", "wrong"]
# Who was asked → what it said, each time.
_Said = dict[str, list[Told]]
_SIDES = ("harness", "tachometer")


async def measure(bench: Bench) -> AsyncGenerator[Findings, None]:
    here = bench.folder / "two_pages"
    first, second = (write_chain(here / f"chain{n}", n, bench.seed) for n in (_PRODUCTS, _MORE))
    # Other matrices, the same work: as one file given twice it would be one Case.
    twin = write_chain(here / "twin", _PRODUCTS, bench.seed + 1)
    absent = why_absent()
    sides = _SIDES[:1] if absent else _SIDES
    told: dict[str, _Said] = {"5 %": {side: [] for side in sides}, "A/A": {side: [] for side in sides}}
    for kind, chains, total in (
        ("5 %", (first, second), bench.times(10, 1)),
        ("A/A", (first, twin), bench.times(3, 0)),
    ):
        for number in range(1, total + 1):
            # In alternating order, so that neither always comes when the machine is warm.
            for side in sides if number % 2 else sides[::-1]:
                place = here / f"{kind[0]}-{number}-{side}"
                ask = ask_harness if side == "harness" else ask_tachometer
                told[kind][side].append(await ask(chains, _THREADS, place, _LIMIT_S))
                bench.say(f"two_pages: {kind} {number} of {total}, {side}: {_in_words(told[kind][side][-1])}")
            yield _findings(told, absent)


async def ask_harness(chains: Sequence[Chain], threads: int, place: Path, limit_s: float) -> Told:
    """The whole command, with the export of both graphs; raises HarnessError when it fails."""
    place.mkdir(parents=True)
    models = ",".join(str(chain.path) for chain in chains)
    command = (
        sys.executable, "-m", "harness", "run", "--model", models, "--hardware", "wasm", "--browser", BROWSER,
        "--threads", threads, "--isolation", _ISOLATION, "--until-decided", "--budget", _BUDGET, "--quiet", "off",
        "--json", "--db", place / "h.duckdb",
    )  # fmt: skip
    ended = await until_limit("harness run", command, limit_s, os.environ)
    return told_by_harness(json.loads(ended.said) if ended.in_time else None, ended)


def told_by_harness(said: dict[str, Any] | None, ended: Ended) -> Told:
    """From its JSON; None: it was still at it when its time was over. Undecided when it gave up by itself."""
    if said is None:
        return Told(ended.wall_s, None, None, "undecided")
    began = min(datetime.fromisoformat(case["measured_at"]) for case in said["cases"])
    measured_s = (datetime.fromisoformat(said["ended_at"]) - began).total_seconds()
    (found,) = said["comparisons"]
    interval = tuple(found["ci95"]) if found["ci95"] else None
    return Told(ended.wall_s, measured_s, interval, found["verdict"], found["ratio"], tuple(found["doubts"]))


def outcome(told: Told, true: float) -> Outcome:
    """A verdict with the true sign and an interval that holds the true ratio, as well as that is known, is right.

    Where the two are the same, nothing but a difference that is not there is wrong; unsure is all that can be said by
    whoever only asks whether there is one.
    """
    if told.verdict == "undecided":
        return "unsure"
    wanted = "same" if true == 1 else "slower"
    if told.verdict != wanted or told.interval is None:
        return "wrong"
    low, high = told.interval
    return "right" if low <= true + _TRUE_WITHIN and high >= true - _TRUE_WITHIN else "wrong"


def verdict_s(told: Told) -> float:
    """How long one waits for a verdict; who gives none is counted with the whole limit, though it takes longer."""
    return _LIMIT_S if told.verdict == "undecided" else told.wall_s


def rows_of(told: dict[str, _Said]) -> list[Row]:
    """Time to verdict of each side and their ratio, what each found and decided, and what it made of no difference."""
    rows: list[Row] = []
    for side, all_told in told["5 %"].items():
        if all_told:
            value, interval = middle([verdict_s(each) for each in all_told])
            timed = row(f"{side}, time to verdict", value, interval, n=len(all_told), each=[_raw(t) for t in all_told])
            rows.append({**timed, "aim": _AIM_S if side == "harness" else None})
    both = [told["5 %"].get(side, []) for side in _SIDES]
    if all(both) and len(both[0]) == len(both[1]):
        ours_ms, theirs_ms = ([1e3 * verdict_s(each) for each in side] for side in both)
        rows.append({**ratio_row("harness ÷ tachometer", ours_ms, theirs_ms), "unit": "ratio"})
    for side, all_told in told["5 %"].items():
        found = [outcome(each, _TRUE) for each in all_told]
        if ratios := [each.ratio for each in all_told if each.ratio is not None]:
            value, interval = middle(ratios)
            rows.append(row(f"{side}, 5 %: ratio found", value, interval, n=len(ratios), unit="ratio"))
        for kind in ("right", "unsure", "wrong"):
            rows.append(row(f"{side}, 5 %: {kind}", found.count(kind), n=len(found), unit="times"))
    for side, all_told in told["A/A"].items():
        false = [outcome(each, 1.0) for each in all_told].count("wrong")
        if all_told:
            each_raw = [_raw(each) for each in all_told]
            rows.append(row(f"{side}, A/A: a false verdict", false, n=len(all_told), unit="times", each=each_raw))
    return rows


def _findings(told: dict[str, _Said], absent: str | None) -> Findings:
    rows = rows_of(told)
    met, missed = below_aims(rows)
    return Findings(rows, met, "; ".join(filter(None, (missed, absent and f"raced with nobody: {absent}"))) or None)


def _raw(told: Told) -> dict[str, Any]:
    return {
        "verdict": told.verdict, "wall_s": told.wall_s, "measured_s": told.measured_s, "ratio": told.ratio,
        "interval": told.interval, "doubts": list(told.doubts),
    }  # fmt: skip


def _in_words(told: Told) -> str:
    interval = f", {told.interval[0]:.3f}–{told.interval[1]:.3f}" if told.interval else ""
    return f"{told.verdict} after {told.wall_s:.1f} s{interval}"


SECTION = Section(
    name="two_pages",
    what=f"time to verdict on two pages whose work differs by 5 %, the whole command, at most {_LIMIT_S:.0f} s; beside "
    f"tachometer at sample size {SAMPLE_SIZE} (its usual 50 takes five times as long) and horizon 0 %; unsure counts "
    "as the limit",
    unit="s",
    aim=f"ours below {_AIM_S:.0f} s",
    measure=measure,
)
