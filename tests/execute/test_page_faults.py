"""Everything that goes wrong in a page or its browser: the right outcome and code, a reason that helps, no harm done.

One executor serves the whole file, so that each Round is also the next one of the fault before it.
"""

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness import catalog
from harness.core.events import Conversation, Done, Event, Failed, Note, Phase, Samples
from harness.core.nouns import LoopPolicy
from harness.execute.executor import Assignment
from harness.execute.page import PageExecutor
from harness.execute.page_server import PageServer, Seat
from harness.measure.verify import judge
from tests.execute.page_rounds import (
    LONG,
    SHORT,
    Meddle,
    assign,
    browser_with,
    do_round,
    driver,
    drivers,
    make_executor,
    processes,
)  # fmt: skip
from tests.making import make_case
from tests.page.artifacts import make_artifact as make_graph_artifact

# Long enough for a page to come back in the middle of it, after half a second.
MIDDLE = LoopPolicy(slice_ns=1_200_000_000, least_time_ns=1_000_000, narrow_within=0.0)


class Rounds:
    """One executor in one event loop, and a temporary folder that must be empty between Rounds."""

    browser = "chromium"

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        self.runner = asyncio.Runner()
        self.executor = make_executor(link_s=2.0, close_s=5.0)

    def __call__(
        self, folder: Path, policy: LoopPolicy = SHORT, meddle: Meddle | None = None, silence_s: float = 60,
        **options: Any,
    ) -> tuple[list[Event], Conversation]:  # fmt: skip
        assignment = assign(folder, policy, backend="faulty_web", browser=self.browser, duration_us="1000", **options)
        heard = self.runner.run(do_round(self.executor, assignment, meddle, silence_s))
        assert not processes(), "the browser of a Round has ended when the next may begin"
        left = [path for path in self.temporary.glob("*/*") if "harness-screen-" not in str(path)]  # one for all Rounds
        assert not left, "no profile is left"
        return heard

    def close(self) -> None:
        self.runner.run(self.executor.close())
        self.runner.close()


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rounds]:
    chromium = browser_with()
    folder = tmp_path_factory.mktemp("t")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "browsers", lambda: {"chromium": chromium})
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", None)
        # Playwright copies every frame through a reader whose time grows with the square of its length.
        patch.setattr("harness.execute.page_server._LARGEST_FRAME_BYTES", 1024 * 1024)
        served = Rounds(folder)
        yield served
        served.close()
    tempfile.tempdir = None
    assert not psutil.Process().children(), "Playwright's own process has ended too"


def assert_failed(conversation: Conversation, code: str, word: str) -> None:
    assert isinstance(conversation.last, Failed), conversation.last
    assert (conversation.last.code, word in conversation.last.reason) == (code, True), conversation.last


# The same in every engine.
EVERYWHERE = [
    ("timer_error", "run", "page_error", "stray"),
    ("rejection", "run", "page_error", "nobody cares"),
    ("leave_blank", "run", "page_left", "about:blank"),
    ("leave_page", "load", "page_left", "/run.html?other"),
    ("reload", "run", "page_left", "a second time"),
    ("garbage", "load", "protocol", "not an Event"),
    ("binary", "load", "protocol", "a binary frame"),
    ("giant", "load", "protocol", "a frame of more than 1048576 bytes"),
    ("cut_for_good", "load", "link_lost", "did not come back within 2 s"),
]
IN_THE_PAGE = [
    *EVERYWHERE,
    ("lost_webgpu", "run", "webgpu_lost", "Device was destroyed"),
    ("lost_webnn", "run", "webnn_lost", "destroy() called on MLContext"),
    ("memory_refused", "prepare", "out_of_memory", "Array buffer allocation failed"),
    ("memory_wasm", "load", "out_of_memory", "could not allocate memory"),
]


OFTEN = ("timer_error", "reload", "garbage", "cut_for_good", "lost_webgpu", "memory_wasm")  # at every commit


@pytest.mark.parametrize(
    ("fault", "at", "code", "word"),
    [pytest.param(*each, marks=[pytest.mark.long] * (each[0] not in OFTEN)) for each in IN_THE_PAGE],
)
def test_a_fault_in_the_page_has_its_code_and_its_words(
    rounds: Rounds, tmp_path: Path, fault: str, at: str, code: str, word: str
) -> None:
    events, conversation = rounds(tmp_path, LONG, fault=fault, at=at)
    assert_failed(conversation, code, word)
    assert len([event for event in events if event.event == "hello"]) == 1, "a Round begins once"


@pytest.mark.long
def test_a_page_that_uses_up_its_memory_crashes(
    rounds: Rounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which the system does not tell from another crash: so the reason names both."""
    small = browser_with("--js-flags=--max-old-space-size=60")
    monkeypatch.setattr(catalog, "browsers", lambda: {"chromium": small})
    _, conversation = rounds(tmp_path, LONG, fault="memory_heap", at="run")
    assert_failed(conversation, "page_crashed", "also when a script has used up its memory")


@pytest.mark.parametrize("fault", ["hang", pytest.param("silent", marks=pytest.mark.long)])
def test_a_page_that_gets_nowhere_is_ended(rounds: Rounds, tmp_path: Path, fault: str) -> None:
    events, conversation = rounds(tmp_path, LONG, fault=fault, silence_s=4)
    assert_failed(conversation, "silence", "no progress for 4 s")
    assert any(isinstance(event, Phase) and event.phase == "first" for event in events), "it hung where it was to"


HARMLESS = ("alert", "confirm", "prompt", "before_unload", "download", "popup", "close", "console_long")


@pytest.mark.parametrize(
    "fault",
    [pytest.param(each, marks=[pytest.mark.long] * (each not in ("alert", "download", "popup"))) for each in HARMLESS],
)
def test_what_asks_a_person_or_makes_noise_does_not_stop_a_round(rounds: Rounds, tmp_path: Path, fault: str) -> None:
    events, conversation = rounds(tmp_path, fault=fault, at="load")
    assert isinstance(conversation.last, Done), conversation.last
    lines = [event.text for event in events if isinstance(event, Note) and event.kind == "console"]
    words = {"popup": "opened another one", "close": "Scripts may close only"}
    assert fault not in words or words[fault] in lines[0]
    assert all(len(line) <= 1000 for line in lines)


@pytest.mark.long
def test_of_a_flooded_console_the_first_lines_are_kept(rounds: Rounds, tmp_path: Path) -> None:
    events, conversation = rounds(tmp_path, fault="console_flood", at="load")
    assert isinstance(conversation.last, Done), conversation.last
    lines = [event.text for event in events if isinstance(event, Note) and event.kind == "console"]
    assert [line[:10].split("x")[0].strip() for line in lines] == [f"error: {i}" for i in range(20)]
    assert all(len(line) <= 1000 for line in lines)


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("short_outputs", "too few or too many"),
        pytest.param("long_outputs", "too few or", marks=pytest.mark.long),
        pytest.param("undelivered", "too few", marks=pytest.mark.long),
    ],
)
def test_outputs_that_are_not_there_do_not_pass_the_judge(
    rounds: Rounds, tmp_path: Path, fault: str, word: str
) -> None:
    _, conversation = rounds(tmp_path, fault=fault, at="load")
    assert isinstance(conversation.last, Done), conversation.last
    assignment = assign(tmp_path)
    verdict = judge(
        assignment.artifact, assignment.artifact_dir, conversation.outputs, assignment.outputs_dir, assignment.case
    )
    assert not verdict.passed and verdict.reason and word in verdict.reason


@pytest.mark.parametrize("side", ["server", pytest.param("page", marks=pytest.mark.long)])
def test_a_cut_line_neither_loses_nor_doubles_anything(
    rounds: Rounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    cuts: list[Event] = []
    sockets: list[Any] = []
    listen = PageServer._listen

    def listen_seen(server: PageServer, seat: Seat, socket: Any, number: int) -> Any:
        sockets.append(socket)
        return listen(server, seat, socket, number)

    monkeypatch.setattr(PageServer, "_listen", listen_seen)

    def meddle(event: Event, executor: PageExecutor) -> None:
        if side == "server" and isinstance(event, Samples) and len(cuts) < 2:
            cuts.append(event)
            sockets[-1]._req.transport.abort()  # gone without a word, as when a cable is pulled

    fault: dict[str, Any] = {"fault": "cut", "at": "load"} if side == "page" else {}
    events, conversation = rounds(tmp_path, MIDDLE, meddle, **fault)
    assert isinstance(conversation.last, Done), conversation.last
    assert len(sockets) == (2 if side == "page" else 3) and len(cuts) == (0 if side == "page" else 2)
    for phase in ("warm", "sample"):
        (ended,) = [event for event in events if isinstance(event, Phase) and event.phase == phase]
        got = sum(len(event.durations_ns) for event in events if isinstance(event, Samples) and event.phase == phase)
        said = ended.detail["iterations" if phase == "warm" else "samples"]
        assert got == said, "every sample arrives, once"


# WebNN on the CPU computes in the page's own process, as was seen by which one's time went up.
OUTSIDE = [
    ("renderer", signal.SIGKILL, {}, "page_crashed", "SIGKILL"),
    (
        "renderer",
        signal.SIGKILL,
        {"fault": "use_webnn", "at": "load"},
        "page_crashed",
        "SIGKILL",
    ),
    ("gpu-process", signal.SIGKILL, {"fault": "use_webgpu", "at": "load"}, "webgpu_lost", "no longer exists"),
    ("", signal.SIGKILL, {}, "browser_ended", "before the page's last word"),
    ("driver", signal.SIGKILL, {}, "browser_ended", "before the page's last word"),
    ("renderer", signal.SIGSTOP, {}, "silence", "no progress"),
    ("", signal.SIGSTOP, {"fault": "silent"}, "silence", "no progress"),
]


def meddle_with(kind: str, number: signal.Signals) -> Meddle:
    done: list[Event] = []

    def meddle(event: Event, _: PageExecutor) -> None:
        if isinstance(event, Phase) and event.phase == "first" and not done:
            done.append(event)
            for process in drivers() if kind == "driver" else processes(kind):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(number)

    return meddle


@pytest.mark.parametrize(
    ("kind", "number", "fault", "code", "word"),
    [pytest.param(*each, marks=[pytest.mark.long] * (each[1] == signal.SIGSTOP or bool(each[2]))) for each in OUTSIDE],
)
def test_a_process_that_dies_or_stops_fails_its_round_only(
    rounds: Rounds, tmp_path: Path, kind: str, number: signal.Signals, fault: dict[str, str], code: str, word: str
) -> None:
    silence_s = 4 if code == "silence" else 60
    _, conversation = rounds(tmp_path, LONG, meddle_with(kind, number), silence_s, **fault)
    assert_failed(conversation, code, word)
    _, conversation = rounds(tmp_path)
    assert isinstance(conversation.last, Done), conversation.last


def test_a_gpu_process_that_dies_under_the_runtime(rounds: Rounds, tmp_path: Path) -> None:
    artifact = make_graph_artifact(tmp_path)
    case = make_case(model=artifact.model, task="graph", backend="ort_web", platform="webgpu", device="webgpu")
    case = case.model_copy(update={"browser": "chromium", "threads": 2})
    assignment = Assignment("r", case, artifact, tmp_path, tmp_path / "out", LONG, silence_limit_s=60)
    meddle = meddle_with("gpu-process", signal.SIGKILL)
    _, conversation = rounds.runner.run(do_round(rounds.executor, assignment, meddle))
    assert_failed(conversation, "webgpu_lost", "no longer exists")


@pytest.mark.parametrize("kind", ["network", pytest.param("gpu-process", marks=pytest.mark.long)])
def test_a_process_that_the_browser_replaces_harms_nobody(rounds: Rounds, tmp_path: Path, kind: str) -> None:
    killed = []

    def meddle(event: Event, _: PageExecutor) -> None:
        if isinstance(event, Phase) and event.phase == "first":
            killed.extend(processes(kind))
            for process in killed:
                process.kill()

    _, conversation = rounds(tmp_path, MIDDLE, meddle)
    assert isinstance(conversation.last, Done) and killed, conversation.last


def test_a_tab_that_is_closed(rounds: Rounds, tmp_path: Path) -> None:
    closing = []

    def meddle(event: Event, executor: PageExecutor) -> None:
        if isinstance(event, Phase) and event.phase == "first":
            (started,) = executor._drivers["playwright"]._open.values()  # type: ignore[attr-defined]
            (page,) = started.handle.contexts[0].pages
            closing.append(asyncio.ensure_future(page.close()))

    _, conversation = rounds(tmp_path, LONG, meddle)
    assert_failed(conversation, "page_closed", "the page was closed")
    assert closing


def test_a_driver_that_died_between_rounds_is_started_again(rounds: Rounds, tmp_path: Path) -> None:
    rounds(tmp_path)
    driver().kill()
    _, conversation = rounds(tmp_path)
    assert isinstance(conversation.last, Done), conversation.last


@pytest.mark.parametrize(
    "script",
    [
        "trap '' TERM INT HUP; while :; do sleep 1; done",
        pytest.param("exec sleep 1000", marks=pytest.mark.long),
    ],
)
def test_a_browser_that_hangs_when_it_starts_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    deaf = tmp_path / "chromium"
    deaf.write_text(f"#!/bin/sh\n{script}\n")
    deaf.chmod(0o755)
    temporary = tmp_path / "t"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr("harness.execute.finding.find_embedded", lambda package: (deaf, {}))

    before = psutil.Process().children(recursive=True)

    async def attempt() -> Conversation:
        executor = make_executor(open_s=1.0, close_s=2.0)
        try:
            return (await do_round(executor, assign(tmp_path)))[1]
        finally:
            await executor.close()

    assert_failed(asyncio.run(attempt()), "browser_start", "Timeout 1000ms exceeded")
    assert psutil.Process().children(recursive=True) == before and not list(temporary.iterdir())


def test_a_driver_that_dies_as_it_starts_fails_its_round_and_the_next_has_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = tmp_path / "node"
    dying.write_text("#!/bin/sh\nexit 7\n")
    dying.chmod(0o755)

    async def two_rounds() -> list[Conversation]:
        executor = make_executor()
        try:
            monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", str(dying))
            first = (await do_round(executor, assign(tmp_path)))[1]
            monkeypatch.delenv("PLAYWRIGHT_NODEJS_PATH")
            return [first, (await do_round(executor, assign(tmp_path)))[1]]
        finally:
            await executor.close()

    first, second = asyncio.run(two_rounds())
    assert_failed(first, "browser_start", "playwright's own process")
    assert isinstance(second.last, Done), second.last
