"""What goes wrong in a page, in every other engine: the same outcomes, in that engine's words, and a sound next Round.

The embedded Chromium has `test_page_faults`, with more. What an engine cannot do is left out here with its reason. At
every commit each engine meets what is its own, and of the rest one fault of each kind; the whole matrix is long.
"""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil
import pytest
from _pytest.mark import ParameterSet

from harness import catalog
from harness.core.events import Done, Failed, Phase, Refused
from tests.execute.page_rounds import LONG, assign, browser_with, do_round, make_executor, processes
from tests.execute.test_page_faults import EVERYWHERE, HARMLESS, MIDDLE, Rounds, assert_failed, meddle_with

ENGINES = ("chromium-system", "firefox", "webkitgtk")
SILENCE_S = {"chromium-system": 5, "firefox": 12, "webkitgtk": 5}  # it starts in this time
# Firefox gives 16 GB without a word, since it reserves addresses only.
IN_ITS_WORDS = {
    "chromium-system": [
        ("lost_webgpu", "run", "webgpu_lost", "Device was destroyed"),
        ("memory_refused", "prepare", "out_of_memory", "Array buffer allocation failed"),
        ("memory_wasm", "load", "out_of_memory", "could not allocate memory"),
    ],
    "firefox": [
        ("lost_webgpu", "run", "webgpu_lost", "Device destroyed"),
        ("memory_wasm", "load", "out_of_memory", "out of memory"),
        ("close", "run", "page_closed", "the page was closed"),  # a script may close a page that it did not open
    ],
    "webkitgtk": [
        ("memory_refused", "prepare", "load_failed", "length too large"),
        ("memory_wasm", "load", "out_of_memory", "Out of memory"),
    ],
}
# kind of process, signal, fault meanwhile, code, word
OUTSIDE: dict[str, list[tuple[object, ...]]] = {
    "chromium-system": [
        ("renderer", signal.SIGKILL, None, "page_crashed", "SIGKILL"),
        ("gpu-process", signal.SIGKILL, "use_webgpu", "webgpu_lost", "no longer exists"),
    ],
    # Without a screen it has no GPU process: WebGPU computes in its root.
    "firefox": [("renderer", signal.SIGKILL, None, "browser_ended", "or its page crashed")],
    "webkitgtk": [("renderer", signal.SIGKILL, None, "page_crashed", "the page's process ended")],
}
DIES_OR_STOPS = [
    ("", signal.SIGKILL, None, "browser_ended", "before the page's last word"),
    ("renderer", signal.SIGSTOP, None, "silence", "no progress"),
    ("", signal.SIGSTOP, "silent", "silence", "no progress"),
]


@pytest.fixture(scope="module")
def rounds_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Rounds]]:
    """One executor for all engines: what one leaves behind would be in the next one's way."""
    known = {name: browser_with(name=name) for name in ENGINES}
    folder, home = tmp_path_factory.mktemp("t"), tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "browsers", lambda: known)
        patch.setenv("TMPDIR", str(folder))
        patch.setenv("HOME", str(home))
        patch.setattr(tempfile, "tempdir", None)
        patch.setattr("harness.execute.page_server._LARGEST_FRAME_BYTES", 1024 * 1024)
        served = Rounds(folder)

        def in_engine(engine: str) -> Rounds:
            served.browser = engine
            return served

        yield in_engine
        served.close()
    tempfile.tempdir = None
    assert not psutil.Process().children(), "drivers and the screen have ended too"
    assert not list(home.iterdir()), "no cache, crash report or download is left with the user"


def long_but(names: set[str], fault: tuple[object, ...]) -> tuple[pytest.MarkDecorator, ...]:
    """The mark of a fault that is not met at every commit."""
    return () if names & set(map(str, fault)) else (pytest.mark.long,)


def cases(
    table: Mapping[str, Sequence[tuple[object, ...]]], common: Sequence[tuple[object, ...]], always: set[str]
) -> list[ParameterSet]:
    """Each engine with its own faults, of which all but the first are long, and with the common ones, of which those
    that `always` names are not."""
    own = [
        pytest.param(engine, *each, marks=[pytest.mark.long] * (place > 0))
        for engine in ENGINES
        for place, each in enumerate(table[engine])
    ]
    return own + [pytest.param(engine, *each, marks=long_but(always, each)) for engine in ENGINES for each in common]


@pytest.mark.parametrize(
    ("engine", "fault", "at", "code", "word"),
    cases(IN_ITS_WORDS, EVERYWHERE, set()),
)
def test_a_fault_in_the_page_has_its_code_and_its_words(
    rounds_in: Callable[[str], Rounds], tmp_path: Path, engine: str, fault: str, at: str, code: str, word: str
) -> None:
    events, conversation = rounds_in(engine)(tmp_path, LONG, fault=fault, at=at)
    assert_failed(conversation, code, word)
    assert len([event for event in events if event.event == "hello"]) == 1, "a Round begins once"


@pytest.mark.parametrize(
    "engine", [pytest.param(each, marks=[pytest.mark.long] * (each != "webkitgtk")) for each in ENGINES]
)
@pytest.mark.parametrize("fault", ["hang", pytest.param("silent", marks=pytest.mark.long)])
def test_a_page_that_gets_nowhere_is_ended(
    rounds_in: Callable[[str], Rounds], tmp_path: Path, engine: str, fault: str
) -> None:
    events, conversation = rounds_in(engine)(tmp_path, LONG, fault=fault, silence_s=SILENCE_S[engine])
    assert_failed(conversation, "silence", f"no progress for {SILENCE_S[engine]} s")
    assert any(isinstance(event, Phase) and event.phase == "first" for event in events), "it hung where it was to"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_browser_that_is_ended_while_it_starts_leaves_nothing(
    rounds_in: Callable[[str], Rounds], tmp_path: Path, engine: str
) -> None:
    _, conversation = rounds_in(engine)(tmp_path, silence_s=0.3)
    assert_failed(conversation, "silence", "no progress for 0.3 s")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(each, marks=long_but({"alert"}, (each,)))
        for each in (*HARMLESS, "cut", "console_flood")
        if each != "close"
    ],
)
def test_what_asks_a_person_or_makes_noise_does_not_stop_a_round(
    rounds_in: Callable[[str], Rounds], tmp_path: Path, engine: str, fault: str
) -> None:
    _, conversation = rounds_in(engine)(tmp_path, fault=fault, at="load")
    assert isinstance(conversation.last, Done), conversation.last


@pytest.mark.parametrize(("engine", "kind", "number", "fault", "code", "word"), cases(OUTSIDE, DIES_OR_STOPS, set()))
def test_a_process_that_dies_or_stops_fails_its_round_only(
    rounds_in: Callable[[str], Rounds], tmp_path: Path,
    engine: str, kind: str, number: signal.Signals, fault: str | None, code: str, word: str,
) -> None:  # fmt: skip
    silence_s = SILENCE_S[engine] if code == "silence" else 60
    options = {} if fault is None else {"fault": fault, "at": "run" if fault == "silent" else "load"}
    _, conversation = rounds_in(engine)(tmp_path, LONG, meddle_with(kind, number), silence_s, **options)
    assert_failed(conversation, code, word)
    _, conversation = rounds_in(engine)(tmp_path)
    assert isinstance(conversation.last, Done), conversation.last


def test_a_webdriver_that_is_killed_is_no_harm_to_its_round_or_the_next(
    rounds_in: Callable[[str], Rounds], tmp_path: Path
) -> None:
    """The page speaks to us, not to its driver."""
    _, conversation = rounds_in("webkitgtk")(tmp_path, MIDDLE, meddle_with("driver", signal.SIGKILL))
    assert isinstance(conversation.last, Done), conversation.last
    _, conversation = rounds_in("webkitgtk")(tmp_path)
    assert isinstance(conversation.last, Done), conversation.last


async def last_word(folder: Path, **limits: float) -> object:
    executor = make_executor(**limits)
    try:
        return (await do_round(executor, assign(folder, browser="webkitgtk")))[1].last
    finally:
        await executor.close()


@pytest.mark.parametrize("script", ["exit 3", pytest.param("exec sleep 1000", marks=pytest.mark.long)])
def test_a_webdriver_that_does_not_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    deaf = tmp_path / "WebDriver"
    deaf.write_text(f"#!/bin/sh\n{script}\n")
    deaf.chmod(0o755)
    known = catalog.browsers()["webkitgtk"]
    place = {**known.find[0], "path": str(deaf)}
    monkeypatch.setattr(catalog, "browsers", lambda: {"webkitgtk": known.model_copy(update={"find": (place,)})})
    before = psutil.Process().children()
    last = asyncio.run(last_word(tmp_path, open_s=2.0, close_s=2.0))
    assert isinstance(last, Failed) and last.code == "browser_start" and "does not start" in last.reason, last
    assert not processes() and psutil.Process().children() == before


def test_without_a_screen_there_is_no_webkitgtk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "Xvfb" else which(name))
    last = asyncio.run(last_word(tmp_path))
    assert isinstance(last, Refused) and "Xvfb" in last.reason and "apt install" in last.reason, last
