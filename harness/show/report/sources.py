"""Points → Sources: machine, versions, clock, correctness and doubts of each number, told once and linked to."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.analyse.comparison import Side
from harness.core.imported import imported_from
from harness.core.measured import MeasuredCase, MeasuredRun
from harness.core.noise import noise_lines
from harness.core.rounds import CaseResult
from harness.core.text import one_line
from harness.show.report.model import Source
from harness.show.table import interval

_LONGEST = 300


class Sources:
    """Gives ids in the order of asking; asked twice for the same point of the same Run, the same id."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Source] = {}

    def id_of(self, side: Side) -> str:
        run, one = side
        key = (run.run_id, one.case.case_id)
        if key not in self._known:
            self._known[key] = _source(f"s{len(self._known) + 1}", run, one)
        return self._known[key].id

    def all(self) -> tuple[Source, ...]:
        return tuple(self._known.values())


def doubts_of(side: Side) -> list[str]:
    """What a reader must know before believing the number: the result's own doubts, and the noise of its Run."""
    run, one = side
    result = one.result
    reused = [] if result.reused_from is None else [f"measured in run {result.reused_from}, not side by side"]
    return [one_line(text, _LONGEST) for text in dict.fromkeys((*reused, *result.doubts, *noise_lines(run.machine)))]


def machine_label(machine: Mapping[str, Any]) -> str:
    """CPU, system and architecture as the fingerprint has them; its id where it tells nothing."""
    told = [str(machine[name]) for name in ("cpu", "system", "release", "architecture") if machine.get(name)]
    return one_line(", ".join(told) or str(machine.get("machine_id") or "not known"), _LONGEST)


def run_facts(sides: Sequence[Side]) -> dict[str, str]:
    """What holds for a report as a whole; several Runs are counted, several machines named."""
    runs = list({run.run_id: run for run, _ in sides}.values())
    if len(runs) == 1:
        run = runs[0]
        imported = imported_from(run.run_id, run.machine)
        facts = {
            "run": run.run_id,
            **({"imported from": imported.label} if imported else {}),
            "measured": _when(run, run.started_at),
            "command": one_line(run.command),
        }
    else:
        days = sorted(run.started_at[:10] for run in runs)
        facts = {"runs": str(len(runs)), **({"measured": f"{days[0]} to {days[-1]} UTC"} if days else {})}
    machines = dict.fromkeys(machine_label(run.machine) for run in runs)
    return {**facts, "machine" if len(machines) == 1 else "machines": "; ".join(machines)}


def _when(run: MeasuredRun, moment: str) -> str:
    """Of what another program measured, only what its file says."""
    imported = imported_from(run.run_id, run.machine)
    told = moment if imported is None else imported.measured_at
    return "when is not known" if told is None else told[:16].replace("T", " ") + " UTC"


def _source(name: str, run: MeasuredRun, one: MeasuredCase) -> Source:
    result = one.result
    facts = {
        "case": one.case.case_id[:12],
        "run": result.reused_from or run.run_id,
        "measured": _when(run, result.measured_at or run.started_at),
        "rounds": _rounds(result),
        "interval": _interval(result),
        "clock": _clock(one),
        "runtime": " ".join(filter(None, (result.runtime, one.case.browser, result.browser_version))),
        "adapter": one.adapter or "",
        "answer": _answer(result),
    }
    kept = {key: one_line(text, _LONGEST) for key, text in facts.items() if text}
    return Source(name, one_line(one.case.slug, 200), kept, tuple(doubts_of((run, one))))


def _rounds(result: CaseResult) -> str:
    failed = f", {result.rounds_failed} failed" if result.rounds_failed else ""
    n = result.metrics.get("samples")
    return f"{result.rounds}{failed}" + (f", {n:.0f} samples" if n else "")


def _interval(result: CaseResult) -> str:
    if result.latency_ci95_ms is None:
        return ""
    return " ".join(filter(None, (interval(*result.latency_ci95_ms), result.interval_method)))


def _clock(one: MeasuredCase) -> str:
    clock = one.result.clock
    step = clock.get("step_us")
    kind = clock.get("kind") or clock.get("verdict") or one.clock or ""
    return f"{kind}, step {step:.3g} µs" if kind and isinstance(step, int | float) else str(kind)


def _answer(result: CaseResult) -> str:
    verdict = result.correct
    if verdict is None or not verdict.checked:
        return "not checked" if result.outcome == "ok" else ""
    against = f"against {verdict.reference}" if verdict.reference else ""
    error = "" if verdict.max_abs is None else f"largest error {verdict.max_abs:.3g}"
    word = "correct" if verdict.passed else "wrong"
    return ", ".join(filter(None, (f"{word} {against}".strip(), error)))
