"""A coverage as one HTML page that needs nothing from outside: the table, the list of architectures, the reasons."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.analyse.coverage import OWN_STAGES, Coverage
from harness.analyse.pairs import Point
from harness.core.rounds import Run
from harness.show.coverage_why import why_as_json
from harness.show.report.sources import machine_label

_TEMPLATE = Path(__file__).with_name("coverage_page.html")
_PLACE = "/*DATA*/"


def coverage_page(run: Run, points: Sequence[Point], coverage: Coverage) -> str:
    """The page's text, UTF-8. What models say is data in it: it can end no element, and is only ever shown as text."""
    data = {"head": _head(run, points), **_body(coverage)}
    # Inside a script element nothing but `</` and `<!--` ends anything; the line separators end a line in old engines.
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    before, after = _TEMPLATE.read_text(encoding="utf-8").split(_PLACE)
    return before + text + after


def _head(run: Run, points: Sequence[Point]) -> dict[str, Any]:
    """Versions: of the packages as the machine tells them, of runtimes and browsers as the results do."""
    machine = run.machine
    packages = machine.get("packages")
    versions = [f"{name} {value}" for name, value in packages.items() if value] if isinstance(packages, dict) else []
    seen = {f"{case.browser} {r.browser_version}" for case, r in points if case.browser and r.browser_version}
    runtimes = {r.runtime for _, r in points if r.runtime}
    return {
        "run": run.run_id,
        "date": run.started_at[:10],
        "versions": [*versions, *sorted(runtimes), *sorted(seen)],
        "machine": machine_label(machine),
        "interrupted": run.interrupted,
    }


def _body(coverage: Coverage) -> dict[str, Any]:
    """Rows short enough for thousands of cells: reasons and causes stand once, cells hold their numbers."""
    reasons: dict[str, int] = {}
    causes: dict[str, int] = {}
    names = [column.name for column in coverage.columns]
    rows = []
    for row in coverage.rows:
        cells: list[list[Any] | None] = []
        for name in names:
            cell = row.cells.get(name)
            if cell is None:
                cells.append(None)
                continue
            reason = "" if cell.state == "ok" else cell.reason or cell.code or "no reason was given"
            cause = json.dumps(why_as_json(cell.why))
            note = "software" if cell.software else "not checked" if cell.state == "ok" and not cell.checked else ""
            at = [reasons.setdefault(reason, len(reasons)), causes.setdefault(cause, len(causes))]
            cells.append([cell.state, cell.stage, *at, note])
        rows.append([row.architecture, row.family, [row.stages[stage] for stage in OWN_STAGES], row.exporter, cells])
    totals = []
    for family in (*coverage.families, None):
        found = [coverage.totals[family, title] for title in (*OWN_STAGES, *names)]
        agreed = [None if t.agreed is None else [len(t.agreed), t.percent_of_agreed] for t in found]
        counts = [[t.ok, t.asked, len(t.names["not_here"])] for t in found]
        totals.append([family, counts, agreed])
    return {
        "stages": list(OWN_STAGES), "columns": names, "rows": rows, "totals": totals, "reasons": list(reasons),
        "causes": [json.loads(cause) for cause in causes],
    }  # fmt: skip
