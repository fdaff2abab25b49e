"""What `check` found: for a terminal, a program, a CI's JUnit report and a pull request."""

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.analyse.regression import FAILS, Checked, any_fails, summary
from harness.core.measured import MeasuredRun
from harness.core.ratios import Ratio
from harness.core.text import one_line
from harness.show.table import duration, times

_COLOURS = {"regression": "red", "broke": "red", "suspect": "yellow", "faster": "green", "mended": "green"}
_QUIET = ("passed",)  # said as a number: a table of a thousand that passed hides the one that did not


def checked_lines(
    found: Sequence[Checked], baseline: MeasuredRun, run: MeasuredRun, threshold: float
) -> RenderableType:
    """A row for every point that did not simply pass, then the sentence that decides."""
    shown = [each for each in found if each.status not in _QUIET]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    for title in ("", "point", "before", "now", "ratio", "why"):
        table.add_column(title, justify="right" if title in ("before", "now", "ratio") else "left", overflow="fold")
    for each in sorted(shown, key=lambda one: list(summary(found)).index(one.status)):
        style = _COLOURS.get(each.status, "dim")
        row = [each.status.replace("_", " "), each.case.slug, *_numbers(each), one_line(each.why, 300)]
        table.add_row(*(Text(cell, style=style if place == 0 else "") for place, cell in enumerate(row)))
    doubts = dict.fromkeys(doubt for each in shown if each.status != "not_compared" for doubt in each.doubts)
    lines = [Text(one_line(doubt, 300), style="dim") for doubt in doubts]
    return Group(*([table] if shown else []), *lines, Text(_sentence(found, baseline, run, threshold)))


def checked_as_json(
    found: Sequence[Checked], baseline: MeasuredRun, run: MeasuredRun, threshold: float
) -> dict[str, Any]:
    """`ratio`: by what was stored; `remeasured`: by the Rounds that decided, null where none were needed."""
    return {
        "run_id": run.run_id,
        "baseline": {"run_id": baseline.run_id, "started_at": baseline.started_at},
        "threshold": threshold,
        "regression": any_fails(found),
        "summary": summary(found),
        "points": [
            {
                "status": each.status, "case_id": each.case.case_id, "slug": each.case.slug, "why": each.why,
                "before_ms": _latency(each, 0), "now_ms": _latency(each, 1), "ratio": _ratio_as_json(each.ratio),
                "remeasured": _ratio_as_json(each.again), "remeasured_in": each.again_in,
                "doubts": list(each.doubts),
            }
            for each in found
        ],
    }  # fmt: skip


def checked_junit(found: Sequence[Checked], baseline: MeasuredRun, run: MeasuredRun, threshold: float) -> str:
    """A test case per point: what fails the gate is a failure, what could not be compared is skipped and says why."""
    failures = sum(each.status in FAILS for each in found)
    skipped = [each for each in found if each.status in ("not_compared", "gone", "new", "suspect")]
    suite = ElementTree.Element(
        "testsuite", name="harness check", tests=str(len(found)), failures=str(failures), errors="0",
        skipped=str(len(skipped)), timestamp=run.started_at[:19],
    )  # fmt: skip
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("baseline", baseline.run_id), ("run", run.run_id), ("threshold", f"{threshold:g}")):
        ElementTree.SubElement(properties, "property", name=name, value=_printable(value))
    for each in found:
        model = each.case.model.short_name
        test = ElementTree.SubElement(suite, "testcase", classname=_printable(model), name=_printable(each.case.slug))
        words = _printable(one_line(each.why, 1000))
        if each.status in FAILS:
            ElementTree.SubElement(test, "failure", message=words, type=each.status)
        elif each in skipped:
            ElementTree.SubElement(test, "skipped", message=f"{each.status}: {words}")
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def checked_markdown(found: Sequence[Checked], baseline: MeasuredRun, run: MeasuredRun, threshold: float) -> str:
    """For a pull request: the sentence that decides first, the rows that matter, the rest folded away."""
    head = "❌" if any_fails(found) else "⚠️" if "suspect" in summary(found) else "✅"
    lines = [f"### {head} {_sentence(found, baseline, run, threshold)}", ""]
    loud = [each for each in found if each.status in _COLOURS]
    lines += _markdown_table(loud) if loud else []
    if doubts := dict.fromkeys(doubt for each in loud for doubt in each.doubts):
        lines += ["", *(f"- {_code(doubt)}" for doubt in doubts)]
    if rest := [each for each in found if each.status not in _COLOURS]:
        lines += [
            "",
            f"<details><summary>{len(rest)} more points</summary>",
            "",
            *_markdown_table(rest),
            "",
            "</details>",
        ]
    return "\n".join(lines) + "\n"


def _markdown_table(found: Sequence[Checked]) -> list[str]:
    rows = ["| | point | before | now | ratio | why |", "|---|---|--:|--:|--:|---|"]
    for each in found:
        status = each.status.replace("_", " ")
        rows.append("| " + " | ".join([status, _code(each.case.slug), *_numbers(each), _code(each.why)]) + " |")
    return rows


def _code(text: str) -> str:
    """A model's name or an error is shown and never obeyed: it ends no cell, calls nobody and loads no picture."""
    return "`" + one_line(text, 300).replace("`", "'").replace("|", "\\|") + "`"


def _printable(text: str) -> str:
    """XML has no way to say a control character."""
    return "".join(each if each.isprintable() else "�" for each in text)


def _sentence(found: Sequence[Checked], baseline: MeasuredRun, run: MeasuredRun, threshold: float) -> str:
    counts = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in summary(found).items())
    passed = f"No regression of {100 * threshold:g} %"
    if any_fails(found):
        passed = "Regression"
    elif "suspect" in summary(found):
        passed = "Not decided"
    return (
        f"{passed} since {baseline.started_at[:10]} ({baseline.run_id}) in run {run.run_id}: {counts or 'no points'}."
    )


def _numbers(each: Checked) -> list[str]:
    told = [_latency(each, place) for place in (0, 1)]
    ratio = each.again or each.ratio
    return [*("" if value is None else duration(value) for value in told), "" if ratio is None else times(ratio.value)]


def _latency(each: Checked, place: int) -> float | None:
    side = (each.before, each.after)[place]
    return None if side is None else side[1].result.metrics.get("latency_median_ms")


def _ratio_as_json(ratio: Ratio | None) -> dict[str, Any] | None:
    if ratio is None:
        return None
    interval = list(ratio.interval) if ratio.interval else None
    return {
        "ratio": ratio.value, "interval": interval, "confidence": ratio.confidence, "rounds": ratio.rounds,
        "method": ratio.method,
    }  # fmt: skip
