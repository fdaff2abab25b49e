"""A Round that somebody looks at: in a window, paused, kept open, traced; and a picture of one that failed."""

import asyncio
import contextlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.core.events import Done, Event, Failed, Note, Phase, Refused
from harness.core.nouns import Plan, PlannedCase, Policy
from harness.execute.page import PageExecutor
from harness.execute.seeing import Seeing
from harness.export.request import digest_of_request, request_for
from harness.pipeline import run_plan
from harness.steps.workplace import RealExecutors, Workplace
from tests.execute.page_rounds import LONG, assign, do_round, driver, make_seeing_executor, processes
from tests.execute.seen_rounds import (
    Viewing,
    colours_in,
    notes_of,
    press_continue,
    provenance_of,
    started_in,
    use,
)  # fmt: skip
from tests.making import make_artifact, make_case
from tests.test_pipeline import Silent

WINDOWS = ("chromium-system", "firefox", "webkitgtk")


@pytest.fixture
def viewing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Viewing]:
    made = Viewing(monkeypatch)
    yield made
    made.close()


@pytest.mark.parametrize(
    "browser", [pytest.param(each, marks=[pytest.mark.long] * (each != "chromium-system")) for each in WINDOWS]
)
def test_in_a_window_a_round_waits_for_a_person_and_says_so(
    viewing: Viewing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser: str
) -> None:
    use(monkeypatch, browser)
    viewing.show()
    pressing: list[asyncio.Future[list[str]]] = []

    def look(event: Event, executor: PageExecutor) -> None:
        if isinstance(event, Note) and event.data.get("paused"):
            pressing.append(asyncio.ensure_future(press_continue(executor)))

    seeing = Seeing(headed=True, pause=True)
    events, conversation = viewing.round(assign(tmp_path, browser=browser), seeing, look)
    assert isinstance(conversation.last, Done), conversation.last
    told = provenance_of(events)
    assert told["browser"]["headless"] is False and told["seeing"] == {"headed": True, "paused": True}
    if browser == "webkitgtk":
        assert told["browser"]["screen"] == "the user's"
    begins, ends = (at for at, event in enumerate(events) if "paused" in getattr(event, "data", {}))
    phases = [(at, event.phase) for at, event in enumerate(events) if isinstance(event, Phase)]
    assert {phase for at, phase in phases if at < begins} == {"runtime", "prepare", "load"}
    assert {phase for at, phase in phases if at > ends} == {"first", "warm", "sample"}
    (found,) = (each.result() for each in pressing)
    if browser == "chromium-system":
        assert found[0].startswith("devtools:") and found[-1] == "pause", "DevTools is open, and stops once more"


@pytest.mark.long
def test_while_it_is_paused_no_silence_ends_it(viewing: Viewing, tmp_path: Path) -> None:
    """In the embedded Chromium, since it starts soonest; the executor does not ask for a window."""

    async def press_late(executor: PageExecutor) -> None:
        await asyncio.sleep(4)
        await press_continue(executor)

    def look(event: Event, executor: PageExecutor) -> None:
        if isinstance(event, Note) and event.data.get("paused"):
            waiting.append(asyncio.ensure_future(press_late(executor)))

    waiting: list[asyncio.Future[None]] = []
    _, conversation = viewing.round(assign(tmp_path), Seeing(pause=True), look, silence_s=3.5)
    assert isinstance(conversation.last, Done), conversation.last


def test_who_is_told_to_stop_while_it_is_paused_leaves_nothing(viewing: Viewing, tmp_path: Path) -> None:
    async def stop_when_paused() -> None:
        def look(event: Event, _: PageExecutor) -> None:
            if isinstance(event, Note) and event.data.get("paused"):
                task.cancel()

        executor = make_seeing_executor(Seeing(pause=True))
        task = asyncio.ensure_future(do_round(executor, assign(tmp_path), look))
        with pytest.raises(asyncio.CancelledError):
            await task
        await executor.close()

    viewing.run(stop_when_paused())
    assert not processes()


@pytest.mark.parametrize("browser", ["webkitgtk", pytest.param("chromium-system", marks=pytest.mark.long)])
def test_a_window_that_is_kept_open_stays_until_it_is_closed(
    viewing: Viewing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser: str
) -> None:
    async def close_by_hand(started: Any) -> None:
        if browser == "webkitgtk":
            with contextlib.suppress(Exception):  # we may be quicker to end the driver than it is to answer
                await asyncio.to_thread(started.session.close)
        else:
            await started.context.pages[0].close()

    async def look_at_it() -> None:
        executor = make_seeing_executor(Seeing(headed=True, keep_open=True, say=said.append))
        try:
            _, conversation = await do_round(executor, assign(tmp_path, browser=browser))
            assert isinstance(conversation.last, Done), conversation.last
            lingering = asyncio.ensure_future(executor.linger())
            await asyncio.sleep(1)
            assert not lingering.done() and processes() and "close it to go on" in said[0]
            await close_by_hand(started_in(executor))
            await asyncio.wait_for(lingering, 30)
            assert not processes(), "before the executor is told to close"
        finally:
            await executor.close()

    said: list[str] = []
    use(monkeypatch, browser)
    viewing.show()
    viewing.run(look_at_it())


def test_what_has_no_window_is_passed_over_and_says_which_one_has(viewing: Viewing, tmp_path: Path) -> None:
    (last,) = (conversation.last for _, conversation in [viewing.round(assign(tmp_path), Seeing(headed=True))])
    assert isinstance(last, Refused)
    assert "has no window" in last.reason and "--browser chromium-system" in last.reason


@pytest.mark.long
def test_traces_are_of_each_round_and_none_is_written_over(viewing: Viewing, tmp_path: Path) -> None:
    well, fails = assign(tmp_path), replace(assign(tmp_path, fail="load_failed"), number=2)
    seeing = Seeing(trace=tmp_path / "t.zip")
    heard = viewing.rounds([well, fails, well], seeing)
    assert [type(conversation.last) for _, conversation in heard] == [Done, Failed, Done]
    written = [provenance_of(events)["trace"] for events, _ in heard]
    assert [each["missing"] for each in written] == [{}] * 3
    names = [sorted(Path(file).name for file in each["files"]) for each in written]
    slugs = [each.case.slug.replace("/", "-") for each in (well, fails, well)]
    stems = [f"t.{slug}.{number}" for slug, number in zip(slugs, ("1", "2", "1-2"), strict=True)]
    assert names == [[f"{stem}.json", f"{stem}.zip"] for stem in stems]
    for file in (Path(file) for each in written for file in each["files"]):
        if file.suffix == ".zip":
            lines = zipfile.ZipFile(file).read("trace.trace").decode().splitlines()
            assert any("/run.html" in json.dumps(json.loads(line)) for line in lines), "the page's load is in it"
        else:
            named = {event["name"] for event in json.loads(file.read_bytes())["traceEvents"]}
            assert {"EvaluateScript", "ResourceSendRequest"} & named, "from before the page's scripts"
    assert heard[0][0][-1] == heard[0][1].last, "nothing is said after the last word"
    assert provenance_of(heard[0][0])["seeing"] == {"traced": True}


@pytest.mark.long
def test_a_page_that_gets_nowhere_is_traced_all_the_same(viewing: Viewing, tmp_path: Path) -> None:
    seeing = Seeing(trace=tmp_path / "t")
    assignment = assign(tmp_path, LONG, backend="faulty_web", duration_us="1000", fault="hang")
    _, conversation = viewing.round(assignment, seeing, silence_s=4)
    assert isinstance(conversation.last, Failed) and conversation.last.code == "silence"
    assert any(path.suffix == ".json" and json.loads(path.read_bytes()) for path in tmp_path.glob("t.*"))


@pytest.mark.long
def test_who_traces_may_die_without_the_round_being_lost_or_waiting_for_ever(viewing: Viewing, tmp_path: Path) -> None:
    def look(event: Event, _: PageExecutor) -> None:
        if isinstance(event, Phase) and event.phase == "first":
            driver().kill()

    seeing = Seeing(trace=tmp_path / "t")
    events, conversation = viewing.round(assign(tmp_path), seeing, look, trace_s=4.0)
    assert isinstance(conversation.last, Done | Failed), conversation.last
    assert set(provenance_of(events)["trace"]["missing"]) == {"performance", "playwright"}
    assert "no trace was written" in notes_of(events, "warning")[-1].text


@pytest.mark.long
def test_without_chromium_there_is_less_to_trace_and_that_is_said(
    viewing: Viewing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, "firefox", "webkitgtk")
    assignments = [assign(tmp_path, browser=browser) for browser in ("firefox", "webkitgtk")]
    (firefox, _), (webkit, _) = viewing.rounds(assignments, Seeing(trace=tmp_path / "t.zip"))
    trace = provenance_of(firefox)["trace"]
    assert [Path(file).suffix for file in trace["files"]] == [".zip"]
    assert trace["missing"] == {"performance": "only Chromium gives a performance trace"}
    assert "WebDriver" in notes_of(webkit, "warning")[-1].text and not list(tmp_path.glob("*webkit*"))


@pytest.mark.parametrize("browser", ["webkitgtk", pytest.param("chromium", marks=pytest.mark.long)])
def test_of_a_failure_there_is_a_picture(
    viewing: Viewing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser: str
) -> None:
    use(monkeypatch, browser)
    folder = tmp_path / "screenshots"
    _, conversation = viewing.round(assign(tmp_path, browser=browser, fail="load_failed"), Seeing(screenshots=folder))
    assert isinstance(conversation.last, Failed)
    assert colours_in(folder / "r.png") > 20, "not a blank page"


@pytest.mark.long
def test_what_goes_well_needs_no_picture(viewing: Viewing, tmp_path: Path) -> None:
    _, conversation = viewing.round(assign(tmp_path), Seeing(screenshots=tmp_path / "none"))
    assert isinstance(conversation.last, Done) and not (tmp_path / "none").exists()


@pytest.mark.long
def test_a_page_that_hangs_costs_the_picture_and_not_the_round(viewing: Viewing, tmp_path: Path) -> None:
    """Its line is cut while it hangs: so it has a last word of ours, and a picture is tried."""

    def look(event: Event, executor: PageExecutor) -> None:
        if isinstance(event, Phase) and event.phase == "first":
            started = started_in(executor)
            asyncio.get_running_loop().call_later(0.5, started.tab.end, "link_lost", "as if it were")

    assignment = assign(tmp_path, LONG, backend="faulty_web", duration_us="1000", fault="hang")
    seeing = Seeing(screenshots=tmp_path / "screenshots")
    _, conversation = viewing.round(assignment, seeing, look, silence_s=30, picture_s=1.0)
    assert conversation.last == Failed(code="link_lost", reason="as if it were")
    assert not (tmp_path / "screenshots").exists()


def test_a_failed_case_shows_where_its_picture_is_and_what_its_console_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, "chromium")
    faults = ("timer_error", "silent")
    cases = [
        make_case(backend="faulty_web", platform="faulty_web", browser="chromium", options={"fault": fault})
        for fault in faults
    ]
    for case in cases:
        folder = tmp_path / "artifacts" / digest_of_request(request_for(case))
        folder.mkdir(parents=True, exist_ok=True)
        make_artifact(folder)
    policy = Policy(rounds=1, budget_ns=20_000_000_000, silence_limit_ns=3_000_000_000, quiet="off")
    plan = Plan(cases=tuple(PlannedCase(case=case) for case in cases), policy=policy)
    seeing = Seeing(screenshots=tmp_path / "screenshots")
    place = Workplace(tmp_path / "t.duckdb", RealExecutors(seeing), Silent(), seeing)
    outcome = asyncio.run(run_plan(plan, place, "harness run"))
    found = {case.options["fault"]: result for case, result in outcome.results}
    assert {fault: result.code for fault, result in found.items()} == {"timer_error": "page_error", "silent": "silence"}
    for round_ in outcome.rounds:
        picture = tmp_path / "screenshots" / f"{round_.round_id}.png"
        (result,) = (result for case, result in outcome.results if case.case_id == round_.case_id)
        assert colours_in(picture) > 20 and f"a screenshot of the failure: {picture}" in result.doubts
    doubts = found["timer_error"].doubts
    assert any(doubt.startswith("console: page error:") and "stray" in doubt for doubt in doubts), doubts
