"""What happens while it happens: a bar over Rounds and the line of the Case under way, at most two repaints a second.

More would disturb what is measured: the conductor shares the machine with it.
"""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from harness.core.events import Event, Samples
from harness.core.nouns import ArtifactRequest, Plan, PlannedRound
from harness.core.rounds import CaseResult, Round
from harness.core.statistics import median
from harness.core.text import one_line
from harness.core.units import ms
from harness.show.invitation import invitation_lines
from harness.show.table import duration, interval

_REPAINTS_PER_SECOND = 2


class Progressing:
    """A Watcher for a terminal (a live bar) or a log (one line per step)."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn(),
            console=console, refresh_per_second=_REPAINTS_PER_SECOND, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=None)
        self.run_id: str | None = None
        self._now = ""
        self._durations_ns: list[float] = []

    def started(self, run_id: str, plan: Plan, rounds_done: int) -> None:
        self.run_id = run_id
        impossible = sum(1 for point in plan.cases if point.outcome is not None)
        tail = f", {impossible} of them cannot run here" if impossible else ""
        if reused := sum(1 for point in plan.cases if point.reused_from is not None):
            tail += f", {reused} are known and not measured again"
        if rounds_done:
            tail += f", {rounds_done} rounds are done"
        self._console.print(f"run [bold]{run_id}[/bold]: {len(plan.cases)} cases × {plan.policy.rounds} rounds{tail}")
        self._bar.advance(self._task, rounds_done)
        self._bar.start()

    def exporting(self, request: ArtifactRequest, text: str) -> None:
        self._say(one_line(f"export {request.model.name}: {text}"))

    def fetching(self, text: str) -> None:
        """Heard from a thread, which Rich allows."""
        self._say(one_line(text))

    def round_started(self, planned: PlannedRound, total: int) -> None:
        self._now = one_line(f"{planned.case.slug} #{planned.number}")
        self._durations_ns = []
        self._bar.update(self._task, total=total, description=escape(self._now))

    def heard(self, event: Event) -> None:
        if isinstance(event, Samples):
            if event.phase == "sample":
                self._durations_ns += [each / event.runs_per_sample for each in event.durations_ns]
            tail = f"n={len(self._durations_ns)}"
            if self._durations_ns:
                tail += f" median {duration(ms(median(self._durations_ns)))}"
            self._bar.update(self._task, description=escape(f"{self._now} {one_line(event.phase, 40)} {tail}"))
        elif event.event == "phase":
            self._bar.update(self._task, description=escape(f"{self._now} after {one_line(event.phase, 40)}"))

    def round_ended(self, round_: Round, result: CaseResult) -> None:
        self._bar.advance(self._task)
        latency, bounds = result.metrics.get("latency_median_ms"), result.latency_ci95_ms
        text = f"{self._now}: {round_.outcome}"
        if round_.profile is not None:
            text += f", profiled {round_.profile.runs} runs"
        elif round_.purpose == "audit" and round_.outcome == "ok":
            text += ", audited"
        elif round_.outcome == "ok" and latency is not None:
            text += f", {duration(latency)}"
            if bounds is not None:
                text += f" ({interval(*bounds)})"
        elif round_.reason:
            text += f", {one_line(round_.reason)}"
        self._console.print(escape(text), highlight=False, soft_wrap=True)

    def warned(self, text: str) -> None:
        self._console.print(f"[yellow]warning[/yellow] {escape(one_line(text))}", highlight=False)

    def invited(self, device: str, urls: Sequence[str]) -> None:
        for line in invitation_lines(device, urls):
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)
        self._bar.update(self._task, description="waiting for devices; nothing is measured meanwhile")

    def arrived(self, device: str, who: str) -> None:
        self._console.print(
            escape(one_line(f"{device or 'a browser'} is here: {who}")), highlight=False, soft_wrap=True
        )

    def told(self, text: str) -> None:
        self._console.print(escape(one_line(text)), highlight=False, soft_wrap=True)

    def close(self) -> None:
        self._bar.stop()

    def _say(self, text: str) -> None:
        if self._console.is_terminal:
            self._bar.update(self._task, description=escape(text))
        else:
            self._console.print(escape(text), highlight=False, soft_wrap=True)
