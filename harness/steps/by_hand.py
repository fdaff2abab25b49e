"""Pages that a person opens by hand, to look at a Round instead of measuring one: same message, same inputs, same loop.

Every load of such a page is a Round of its own, judged by the same judge. Nothing of it is stored.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from harness.core.clocks import per_run_ns
from harness.core.errors import ProtocolViolation, UserMistake
from harness.core.events import Conversation, Done, Samples
from harness.core.nouns import Case, Plan
from harness.core.statistics import median
from harness.core.text import one_line
from harness.core.units import ms
from harness.execute.doors import Door
from harness.execute.executor import Assignment
from harness.execute.page_server import PageServer, Seat
from harness.execute.seating import pipe_for, seat_for
from harness.measure.verify import judge
from harness.steps.exporting import Exported, export_all
from harness.steps.fetching import fetch_all
from harness.steps.workplace import Workplace

_NOT_STORED = "nothing was stored"
_Say = Callable[[str], None]


async def serve_by_hand(plan: Plan, workplace: Workplace, say: _Say, door: Door | None = None) -> None:
    """Exports, serves, says a URL per page Case, until it is cancelled. Raises UserMistake where no Case has a page."""
    exported = await export_all(plan, workplace)
    exported = replace(exported, plan=await fetch_all(exported.plan, workplace))
    cases = {point.case.slug: point.case for point in exported.plan.cases if point.to_measure and point.case.browser}
    for point in exported.plan.cases:
        if point.outcome is not None:
            say(f"{point.case.slug}: {point.outcome}, {one_line(point.reason or '')}")
    if any(case.cache == "warm" for case in cases.values()):
        raise UserMistake(
            "warm_by_hand", "a page opened by hand is its browser's: it is as warm as that", "leave --cache out"
        )
    if not cases:
        raise UserMistake("no_page", "no case of this selection runs in a page", "try --hardware wasm,webgpu,webnn")
    server = PageServer(door)
    folder = Path(tempfile.mkdtemp(prefix="harness-by-hand-"))
    try:
        await server.open()
        server.pipe = pipe_for(next(iter(cases.values())))  # one rate for all of a selection
        token = server.open_by_hand(_Table(cases, exported, workplace, folder, say).seat)
        say("open any of these, as often as you like; nothing is stored; Ctrl-C ends it")
        for slug in cases:
            say(f"{slug}\n  " + "\n  ".join(_urls(server.outside_urls("run.html"), slug, token)))
        await asyncio.Event().wait()
    finally:
        await server.close()
        shutil.rmtree(folder, ignore_errors=True)


def _urls(pages: tuple[str, ...], slug: str, token: str) -> list[str]:
    return [f"{page}?case={quote(slug, safe='/=@:')}#{token}" for page in pages]


@dataclass(frozen=True)
class _Table:
    """Gives each load of a page a seat, and says at the end of its Round what came of it."""

    cases: dict[str, Case]  # by slug
    exported: Exported
    workplace: Workplace
    folder: Path
    say: _Say

    def seat(self, asked: str) -> Seat | None:
        """A seat for a Case by its slug or its id; None where there is no such Case."""
        found = [case for slug, case in self.cases.items() if asked in (slug, case.case_id)]
        if not found:
            return None
        outputs_dir = Path(tempfile.mkdtemp(dir=self.folder))
        artifact = self.exported.artifacts[found[0].case_id]
        artifact_dir = self.workplace.artifacts / artifact.digest
        policy = self.exported.plan.policy
        assignment = Assignment(
            f"by-hand-{outputs_dir.name}", found[0], artifact, artifact_dir, outputs_dir, policy.loop(),
            policy.silence_limit_ns / 1e9,
        )  # fmt: skip
        seat = seat_for(assignment)
        said: list[str] = []

        async def closing_words() -> str:
            if not said:  # a last word is repeated until its answer arrives
                said.append(await asyncio.to_thread(_came_to, seat, assignment))
                self.say(one_line(f"{found[0].slug}: {said[0]}"))
            return said[0]

        seat.closing_words = closing_words
        return seat


def _came_to(seat: Seat, assignment: Assignment) -> str:
    conversation, samples = Conversation(), list[Samples]()
    try:
        while not seat.events.empty():
            event = seat.events.get_nowait()
            conversation.accept(event)
            samples += [event] if isinstance(event, Samples) and event.phase == "sample" else []
    except ProtocolViolation as error:
        return f"failed: {error}; {_NOT_STORED}"
    if not isinstance(conversation.last, Done):
        last = conversation.last
        return f"{last.event if last else 'failed'}: {last.reason if last else 'no last word'}; {_NOT_STORED}"
    verdict = judge(
        assignment.artifact, assignment.artifact_dir, conversation.outputs, assignment.outputs_dir, assignment.case
    )
    shutil.rmtree(assignment.outputs_dir, ignore_errors=True)
    durations_ns = per_run_ns(samples, samples[0].clock)
    took = f"median {ms(median(durations_ns)):.4g} ms of {len(durations_ns)} samples by {samples[0].clock}"
    right = "the answer is right" if verdict.passed else f"the answer is wrong: {verdict.reason}"
    return f"{took}; {right}; {_NOT_STORED}"
