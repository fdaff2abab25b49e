"""What happens while coverage is found out: a bar over models, and a line for each that is done."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from harness.core.events import Event
from harness.core.nouns import ArtifactRequest, Case, Plan, PlannedRound
from harness.core.rounds import CaseResult, Round
from harness.core.text import one_line
from harness.show.table import browser_label

_LONGEST_REASON = 120


class CoverageProgress:
    """A Watcher for a terminal (a live bar) or a log. Several models are under way at once: what is heard of one of
    them alone would only flicker, so a model is told of when it is done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn(),
            TimeRemainingColumn(), console=console, refresh_per_second=2, transient=True,
            disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("models", total=None)
        self.run_id: str | None = None

    def started(self, run_id: str, plan: Plan, rounds_done: int) -> None:
        self.run_id = run_id
        models = len({point.case.model.identity for point in plan.cases})
        tail = f", {known} are known" if (known := sum(point.reused_from is not None for point in plan.cases)) else ""
        tail += f", {rounds_done} are done" if rounds_done else ""
        said = f"run [bold]{run_id}[/bold]: {models} models, {len(plan.cases)} cells{tail}; nothing is timed"
        self._console.print(said)
        self._bar.start()

    def model_ended(self, results: Sequence[tuple[Case, CaseResult]], done: int, total: int) -> None:
        """One model is done, on all its platforms."""
        self._bar.update(self._task, completed=done, total=total)
        if results:
            marks = " · ".join(f"{_place(case)} {_mark(result)}" for case, result in results)
            name = results[0][0].model.short_name
            reason = next((_reason(result) for _, result in results if result.outcome != "ok"), "")
            text = f"[{done}/{total}] {name}: {marks}{reason}"
            self._console.print(escape(one_line(text, 400)), highlight=False, soft_wrap=True)

    def exporting(self, request: ArtifactRequest, text: str) -> None:
        """Too many at once to be shown."""

    def fetching(self, text: str) -> None:
        self._console.print(escape(one_line(text)), highlight=False, soft_wrap=True)

    def round_started(self, planned: PlannedRound, total: int) -> None:
        """Its model is told of when it is done."""

    def heard(self, event: Event) -> None:
        """Nothing is timed."""

    def round_ended(self, round_: Round, result: CaseResult) -> None:
        """Its model is told of when it is done."""

    def warned(self, text: str) -> None:
        self._console.print(f"[yellow]warning[/yellow] {escape(one_line(text))}", highlight=False)

    def invited(self, device: str, urls: Sequence[str]) -> None:
        """No device is waited for."""

    def arrived(self, device: str, who: str) -> None:
        """No device is waited for."""

    def told(self, text: str) -> None:
        self._console.print(escape(one_line(text)), highlight=False, soft_wrap=True)

    def close(self) -> None:
        self._bar.stop()


def _place(case: Case) -> str:
    browser = browser_label(case)
    return case.hardware if browser in (None, "chromium") else f"{case.hardware}/{browser}"


def _mark(result: CaseResult) -> str:
    return "ok" if result.outcome == "ok" else f"{result.outcome} ({result.stage})" if result.stage else result.outcome


def _reason(result: CaseResult) -> str:
    return f" — {one_line(result.reason or result.code or '', _LONGEST_REASON)}"
