"""Rounds in real browsers, for tests that meddle with them: one executor, one event loop, what is left counted."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from harness import catalog
from harness.core.events import Conversation, Event
from harness.core.nouns import LoopPolicy
from harness.core.plugins import Browser
from harness.execute.drivers import Limits
from harness.execute.executor import Assignment, Probes
from harness.execute.flags import platform_args, platform_preferences
from harness.execute.page import PageExecutor
from harness.execute.seeing import Seeing
from harness.execute.watchdog import watched
from harness.measure.host import memory_of_tree, reset_peaks_of_tree
from tests.making import make_artifact, make_case

SHORT = LoopPolicy(slice_ns=400_000_000, least_time_ns=1_000_000)
LONG = LoopPolicy(slice_ns=30_000_000_000, narrow_within=0.0)
Meddle = Callable[[Event, PageExecutor], Any]


def assign(
    folder: Path, policy: LoopPolicy = SHORT, backend: str = "noop_web", browser: str = "chromium", **options: Any
) -> Assignment:
    """A Round of a page backend that answers with what is expected, in folders of its own under `folder`."""
    artifact_dir = folder / "artifact"
    artifact_dir.mkdir(exist_ok=True)
    case = make_case(backend=backend, platform=backend, browser=browser, options=options)
    return Assignment("r", case, make_artifact(artifact_dir), artifact_dir, folder / "out", policy, silence_limit_s=60)


def browser_with(*flags: str, name: str = "chromium") -> Browser:
    """A browser of the catalogue with every platform's flags and preferences, and these."""
    known = catalog.browsers()[name]
    args = (*platform_args(known, None), *flags)
    return known.model_copy(update={"args": args, "preferences": platform_preferences(known, None)})


# Of each kind, what only its command line has: Chromium's, Firefox's, WebKit's.
_KINDS = {
    "renderer": ("--type=renderer", "-isForBrowser", "WebKitWebProcess"),
    "gpu-process": ("--type=gpu-process", " gpu"),
    "network": ("--utility-sub-type=network", "WebKitNetworkProcess"),
}


def processes(kind: str = "") -> list[psutil.Process]:
    """Of the browsers that we started: the root processes, or those of a kind ("renderer", "gpu-process", …)."""
    roots = [child for each in drivers() for child in _children(each)]
    if not kind:
        return roots
    every = [child for root in roots for child in _children(root, recursive=True)]
    return [each for each in every if any(part in f" {_line(each)}" for part in _KINDS[kind])]


def drivers() -> list[psutil.Process]:
    """Playwright's own process, and WebDrivers."""
    return [each for each in _children(psutil.Process()) if "run-driver" in _line(each) or "WebDriver" in _line(each)]


def _children(process: psutil.Process, recursive: bool = False) -> list[psutil.Process]:
    try:
        return [each for each in process.children(recursive) if each.status() != psutil.STATUS_ZOMBIE]
    except psutil.Error:
        return []


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def driver() -> psutil.Process:
    """Playwright's own process."""
    (found,) = [each for each in psutil.Process().children() if "run-driver" in each.cmdline()]
    return found


def temporary() -> set[str]:
    return {path.name for path in Path(tempfile.gettempdir()).iterdir()}


async def do_round(
    executor: PageExecutor, assignment: Assignment, meddle: Meddle | None = None, silence_limit_s: float = 60
) -> tuple[list[Event], Conversation]:
    """All Events of a Round; `meddle` hears each of them. Nothing of its browser is left afterwards."""
    events, conversation = [], Conversation()
    stream = watched(executor.execute(assignment), silence_limit_s, may_pause=executor._seeing.pause)
    async for event in stream:
        events.append(event)
        conversation.accept(event)
        if meddle is not None:
            meddle(event, executor)
        if conversation.ended:
            break
    await stream.aclose()
    return events, conversation


def make_executor(**limits: float) -> PageExecutor:
    return PageExecutor(Probes(memory_of_tree, reset_peaks_of_tree), Limits(**limits))


def make_seeing_executor(seeing: Seeing, **limits: float) -> PageExecutor:
    return PageExecutor(Probes(memory_of_tree, reset_peaks_of_tree), Limits(**limits), seeing=seeing)
