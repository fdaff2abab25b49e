"""A bisection for people and programs: the answer in a sentence, what lies under it, a row for each step."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.analyse.bisection import Answer, Bisection, Skipped, Step
from harness.core.ratios import Ratio
from harness.core.text import one_line
from harness.show.table import or_dash, times

_COLOURS = {"broke": "red", "slower": "red", "mended": "green", "faster": "green"}
_LONGEST = 160
_WORDS = {
    "broke": "broke",
    "mended": "mended",
    "changed": "changed",
    "slower": "became slower",
    "faster": "became faster",
}


def bisection_lines(found: Bisection) -> RenderableType:
    """The steps in their order, then the answer and whatever limits it."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("version", no_wrap=True)
    timed = any(step.ratio for step in found.steps)
    if timed:
        table.add_column("÷ oldest", no_wrap=True, justify="right")
        table.add_column("95 % interval", no_wrap=True, justify="right")
    table.add_column("found")
    table.add_column("run", no_wrap=True)
    for step in found.steps:
        ratio = step.ratio
        told = (ratio.value, ratio.interval) if ratio is not None else (None, None)
        cells = [or_dash(told[0], times), or_dash(told[1], _interval)] if timed else []
        table.add_row(escape(step.version), *cells, escape(_what(step)), escape(step.run_id))
    colour = _COLOURS.get(found.answer.change or "", "default")
    first, *rest = answer_lines(found)
    return Group(table, Text(), Text(first, style=colour), *(Text(line) for line in rest))


def answer_lines(found: Bisection) -> list[str]:
    """The answer first; then what it leaves open."""
    answer, name = found.answer, found.name
    lines = [_sentence(found)]
    if answer.skipped and answer.first_after:
        could_be = ", ".join([*(each.version for each in answer.skipped), answer.first_after])
        lines.append(f"It lies in one of {could_be}: those between could not say.")
        lines += [f"  {each.version}: {one_line(each.why, _LONGEST)}" for each in answer.skipped]
    if answer.passed_over:
        named = f" Compared were {answer.ends[0]} and {answer.ends[1]}." if answer.ends else ""
        lines.append(f"At the ends of the range could not say:{named}")
        lines += [f"  {each.version}: {one_line(each.why, _LONGEST)}" for each in answer.passed_over]
    if answer.kind is not None:
        measured = len({step.version for step in found.steps})
        rest = "that it changed only once is assumed of the others"
        lines.append(f"{measured} of {len(found.versions)} versions of {name} were measured; {rest}.")
        if answer.seen and min(answer.seen) < 3 and answer.kind != "latency":
            lines.append(f"Seen only {answer.seen[0]} and {answer.seen[1]} times: it may be a matter of chance.")
    return lines


def _sentence(found: Bisection) -> str:
    answer, name, ratio = found.answer, found.name, _of_ends(found.answer, found.steps)
    if answer.kind is not None and answer.change is not None:
        what = _WORDS[answer.change]
        if answer.kind == "latency" and ratio is not None:
            what += f" ({_ratio_told(ratio)} over the whole range)"
        kind = {"answer": "the answer ", "fallback": "where its nodes ran "}.get(answer.kind, "")
        sides = [str(answer.last_before), str(answer.first_after)]
        if answer.kind != "latency":
            told = (answer.before, answer.after)
            sides = [f"{side} ({one_line(text or '', _LONGEST)})" for side, text in zip(sides, told, strict=True)]
        seen = "" if answer.skipped else f", first seen in {answer.first_after}"
        return f"{kind}{what} between {name} {' and '.join(sides)}{seen}"
    if answer.cannot_say is not None:
        return f"cannot say: {answer.cannot_say}"
    assert answer.ends is not None
    interval = "" if ratio is None else f", {_ratio_told(ratio)}"
    both = f"{name} {answer.ends[0]} and {answer.ends[1]}"
    if answer.undecided:
        return f"nothing else differs between {both}, and whether the latency does was not decided{interval}"
    limit = "" if ratio is None else f" by {found.threshold:g} or more"
    return f"nothing differs between {both}{limit}: {one_line(answer.before or '', _LONGEST)}{interval}"


def _ratio_told(ratio: Ratio) -> str:
    interval = "" if ratio.interval is None else f", interval {_interval(ratio.interval)}"
    return f"{times(ratio.value)} times as long{interval}"


def _interval(pair: tuple[float, float]) -> str:
    return f"{times(pair[0])}–{times(pair[1])}"


def _what(step: Step) -> str:
    one = step.observed
    if one.flaky is not None:
        return one_line(one.flaky, _LONGEST)
    return one_line(one.told, _LONGEST)


def step_line(step: Step) -> str:
    """For a log."""
    ratio = "" if step.ratio is None else f", {_ratio_told(step.ratio)}"
    return f"{step.version}: {_what(step)}{ratio}"


def bisection_as_json(found: Bisection) -> dict[str, Any]:
    """The whole of it; `ci95` are repeated confidence intervals, which hold for all looks at once."""
    answer = found.answer
    return {
        "kind": answer.kind,
        "change": answer.change,
        "name": found.name,
        "versions": list(found.versions),
        "threshold": found.threshold,
        "last_before": answer.last_before,
        "first_after": answer.first_after,
        "before": answer.before,
        "after": answer.after,
        "skipped": _skipped(answer.skipped),
        "ends": list(answer.ends) if answer.ends else None,
        "passed_over": _skipped(answer.passed_over),
        **_ratio_as_json(_of_ends(answer, found.steps)),
        "undecided": answer.undecided,
        "cannot_say": answer.cannot_say,
        "seen": list(answer.seen) if answer.seen else None,
        "steps": [
            {
                "version": step.version, "outcome": step.observed.outcome, "code": step.observed.code,
                "reason": step.observed.flaky or step.observed.reason, "rounds": step.observed.rounds,
                **_ratio_as_json(step.ratio), "run_id": step.run_id,
            }
            for step in found.steps
        ],
        "text": "\n".join(answer_lines(found)),
    }  # fmt: skip


def _of_ends(answer: Answer, steps: Sequence[Step]) -> Ratio | None:
    """At the 95 % that are shown everywhere; the answer's own is the surer one that decided."""
    if answer.ratio is None or answer.ends is None:
        return None
    return next((step.ratio for step in steps if step.version == answer.ends[1] and step.ratio is not None), None)


def _ratio_as_json(ratio: Ratio | None) -> dict[str, Any]:
    interval = None if ratio is None else ratio.interval
    return {"ratio": None if ratio is None else ratio.value, "ci95": None if interval is None else list(interval)}


def _skipped(each: Sequence[Skipped]) -> list[dict[str, str]]:
    return [{"version": one.version, "why": one.why} for one in each]
