"""What a Round costs beyond its work, and what makes that up; measured on the real pipeline, part by part."""

from collections.abc import AsyncGenerator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import catalog
from harness.core.nouns import Case, Plan, PlannedCase
from harness.core.statistics import median
from harness.execute.playwright_driver import PlaywrightDriver
from harness.execute.selenium_driver import SeleniumDriver
from harness.export.process import inspect_model
from harness.pipeline import run_plan
from harness.plan.cases import make_plan
from harness.plan.selection import make_selection
from harness.steps import one_round
from harness.steps.workplace import RealExecutors, Workplace
from harness.store.journal import Journal
from harness.store.live import LiveStore
from tests.bench.ours import isolations
from tests.bench.section import Bench, Findings, Row, Section, row
from tests.bench.standins import stand_in
from tests.bench.statistics import middle
from tests.bench.watching import RoundClock, RoundWatcher

_WORK = ("prepare", "load", "first", "warm", "sample")
# Row → stand-in, platform, browser.
_PLACES = {
    "native": ("native", "onnxruntime", None),
    "page": ("page", "wasm", "chromium"),
    **{f"page, {name}": ("page", "wasm", name) for name in ("chromium-system", "firefox", "webkitgtk")},
}
_SLICE_S = 1


async def measure(bench: Bench) -> AsyncGenerator[Findings, None]:
    rows: list[Row] = []
    for isolation in isolations():
        sides = ("native",) if bench.quick else tuple(name for name in _PLACES if _can(name, isolation))
        with TemporaryDirectory(dir=bench.folder) as place:
            plan = await _plan(bench, sides, isolation)
            watcher = RoundWatcher(lambda text: bench.say(f"round_cost: {text}"))
            await _carry_out(plan, Path(place), sides, watcher)
        for side in sides:
            reasons = [point.reason for point in plan.cases if _is_of(side, point.case) and point.reason]
            clocks = [each for each in watcher.rounds if _is_of(side, each.planned.case)]
            rows.append(row_of(f"{side}, {isolation}", clocks, reasons))
        troubles = dict.fromkeys(reason for each in rows for reason in each["reasons"])
        yield Findings(list(rows), None, "; ".join(troubles) or None)


def _can(place: str, isolation: str) -> bool:
    browser = _PLACES[place][2]
    return browser is None or isolation == "process" or catalog.browsers()[browser].keeps


def _is_of(place: str, case: Case) -> bool:
    return (case.platform, case.browser) == _PLACES[place][1:]


async def _plan(bench: Bench, sides: tuple[str, ...], isolation: str) -> Plan:
    """The 1 ms stand-in of each side, everywhere, in one run, interleaved as runs are."""
    rounds = bench.times(7, 2)
    points: list[PlannedCase] = []
    for side in sides:
        kind, hardware, browser = _PLACES[side]
        standin = await stand_in(bench, kind, 1)
        flags = {
            "model": (str(standin.path),), "hardware": (hardware,), "threads": bench.threads,
            "browser": (browser or "chromium",), "rounds": rounds, "budget": f"{rounds * _SLICE_S}s",
            "seed": bench.seed,
        }  # fmt: skip
        asked = flags if isolation == "process" else {**flags, "isolation": isolation}
        plan = make_plan(make_selection(None, asked), inspect_model)
        points += plan.cases
    return plan.model_copy(update={"cases": tuple(points)})


async def _carry_out(plan: Plan, place: Path, sides: tuple[str, ...], watcher: RoundWatcher) -> None:
    from playwright.async_api import BrowserType

    with ExitStack() as clocks:
        for owner, name in (
            (BrowserType, "launch"), (PlaywrightDriver, "open"), (PlaywrightDriver, "end"),
            (SeleniumDriver, "open"), (SeleniumDriver, "end"),
            (one_round, "judge"), (Journal, "sync"), (LiveStore, "add"),
        ):  # fmt: skip
            clocks.enter_context(watcher.timing(owner, name))
        await run_plan(plan, Workplace(place / "h.duckdb", RealExecutors(), watcher), "bench")


def row_of(name: str, clocks: list[RoundClock], reasons: list[str]) -> Row:
    """Over all good Rounds but a Case's first, which also starts what lasts for the run, and asks for the placement."""
    good = [each for each in clocks if each.trouble is None]
    later = [each for each in good if each.planned.number > 1]
    reasons = [*reasons, *(each.trouble for each in clocks if each.trouble is not None)]
    if not later:
        return row(name, None, reasons=reasons)
    fixed = [_fixed_s(each) * 1e3 for each in later]
    parts = [parts_s(each) for each in later]
    names = dict.fromkeys(part for each in parts for part in each)
    value, interval = middle(fixed)
    return row(
        name, value, interval, n=len(later), each_ms=fixed, reasons=reasons,
        parts={part: median([each.get(part, 0.0) for each in parts]) * 1e3 for part in names},
        first_round_ms=next((_fixed_s(each) * 1e3 for each in good if each.planned.number == 1), None),
        work_ms=median([_work_s(each) for each in later]) * 1e3,
    )  # fmt: skip


def _work_s(clock: RoundClock) -> float:
    return sum(clock.phase_s(name) for name in _WORK)


def _fixed_s(clock: RoundClock) -> float:
    return clock.ended_s - clock.began_s - _work_s(clock)


def parts_s(clock: RoundClock) -> dict[str, float]:
    """What the fixed cost is made of; `the rest` is what nobody's clock was at."""
    hello, last = clock.heard_s("hello"), clock.heard_s("done")
    sampled, judged = clock.heard_s("phase", "sample"), clock.calls["judge"][0]
    runtime, launch, opened = clock.phase_s("runtime"), clock.spent_s("launch"), clock.spent_s("open")
    if opened:
        before = {
            "browser launch": launch, "page open": opened - launch,
            "start → hello": hello - runtime - clock.calls["open"][0][1],
            "runtime import": runtime,
        }  # fmt: skip
    else:
        before = {"start → hello": hello - runtime - clock.began_s, "runtime import": runtime}
    parts = {
        **before,
        "between phases": sampled - hello - _work_s(clock),
        "outputs": last - sampled,
        # From the last word to the judge: the acknowledgement, and the end of the process or the browser.
        "end of process": judged[0] - last,
        "judge": clock.spent_s("judge"),
        "journal sync": clock.spent_s("sync"),
        "DuckDB ingest": clock.spent_s("add"),
    }
    return {**parts, "the rest": _fixed_s(clock) - sum(parts.values())}


SECTION = Section(
    name="round_cost",
    what="a Round's time beyond prepare, load, first, warm and sample; 1 ms stand-in, medians but for the first Round",
    unit="ms",
    aim=None,
    measure=measure,
)
