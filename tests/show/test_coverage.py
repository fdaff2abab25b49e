"""A coverage shown: the table, the ranking, the page that holds hostile names, the JSON, two Runs."""

import json
import re
from typing import Any

import pytest
from rich.console import Console, RenderableType

from harness.analyse.coverage import coverage_of
from harness.analyse.differences import between_runs, grouped, version_changes
from harness.analyse.why import ranked
from harness.show.as_json import coverage_as_json
from harness.show.coverage_page import coverage_page
from harness.show.coverage_table import coverage_table, percent
from harness.show.coverage_why import coverage_why
from harness.show.versions import coverage_difference_lines
from tests.analyse.test_coverage import TIMM, absent, at, covered, run_of, stages

HOSTILE = "</script><img onerror=alert(1)>[red]\x1b[2J"


def shown(what: RenderableType, width: int = 120) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def test_the_table_counts_by_family_and_says_where_the_others_stopped() -> None:
    found = [at("a", "cpu"), at("a", "wasm"), at("b", "cpu"), at("b", "wasm", "export", code="export_failed")]
    text = shown(coverage_table(covered(*found)))
    lines = [line.split() for line in text.splitlines()]
    assert lines[0] == ["family", "build", "forward", "export", "cpu", "wasm"]
    assert lines[1] == ["vision", "2/2", "100%", "2/2", "100%", "1/2", "50%", "2/2", "100%", "1/2", "50%"]
    assert lines[2][0] == "all" and "Cells that stopped: 1 at export." in text
    assert "2 architectures, 4 cells: 3 ok, 1 failed. Nothing here was timed." in text and "--why" in text
    narrow = [line.split() for line in shown(coverage_table(covered(*found), 50), 50).splitlines()]
    assert narrow[1] == ["vision", "2/2", "2/2", "1/2", "2/2", "1/2"] and narrow[3][0] == "percent"


def test_a_platform_that_is_not_here_says_so_once_and_has_no_percent() -> None:
    text = shown(coverage_table(covered(absent("a"), absent("b"))))
    assert text.count("there is no safari here") == 1 and "not here" in text.splitlines()[1] and "0%" not in text


def test_a_percent_is_all_or_none_only_where_it_is() -> None:
    assert [percent(share) for share in (0, 0.2, 49.6, 99.8, 100)] == ["0%", "<1%", "50%", ">99%", "100%"]


def test_nothing_asked_is_said() -> None:
    assert "No architecture" in shown(coverage_table(covered())) and "no hole" in shown(coverage_why([]))


def test_the_ranking_names_the_cause_and_its_models() -> None:
    found = covered(*(at(name, "cpu", "build", code="build_failed", reason=TIMM) for name in "abcdef"))
    text = shown(coverage_why(ranked(found)))
    assert text.splitlines()[1].split() == ["6", "build", "missing_package", "package", "timm"]
    assert "a, b, c, d and 2 more on cpu" in text


def data_of(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_hostile_names_stay_text() -> None:
    found = [at(HOSTILE, "wasm", "run", code="inference_failed", reason=HOSTILE, family=HOSTILE)]
    coverage = covered(*found)
    page = coverage_page(run_of(), [point for point, _ in found], coverage)
    assert "<img" not in page and page.count("</script>") == 2 and "http" not in page.replace("http-equiv", "")
    data = data_of(page)
    assert data["rows"][0][0] == HOSTILE and HOSTILE in data["reasons"]
    for text in (shown(coverage_table(coverage)), shown(coverage_why(ranked(coverage)))):
        assert "\x1b[2J" not in text


def test_the_page_holds_605_architectures_on_6_platforms() -> None:
    places = ("cpu", "onnxruntime", "openvino", "wasm", "webgpu", "webnn")
    found = [at(f"m{n}", place) for n in range(605) for place in places]
    points = [point for point, _ in found]
    data = data_of(coverage_page(run_of(torch="2.13"), points, coverage_of(points, stages(*found))))
    assert len(data["rows"]) == 605 and sum(len(row[4]) for row in data["rows"]) == 3630
    assert data["totals"][-1][1][-1] == [605, 605, 0] and "torch 2.13" in data["head"]["versions"]


@pytest.mark.parametrize("family", [None, "vision"])
def test_json_has_cells_table_and_causes(family: str | None) -> None:
    found = [at("a", "cpu"), at("b", "cpu", "build", code="build_failed", reason=TIMM)]
    whole = json.loads(json.dumps(coverage_as_json(run_of(), [point for point, _ in found], stages(*found))))
    right, stopped = whole["cells"]
    assert (right["stage"], right["why"]) == (None, None) and stopped["stage"] == "build"
    assert stopped["why"] == {"class": "missing_package", "owner": "package", "subject": "timm"}
    (total,) = [one for one in whole["table"] if (one["family"], one["column"]) == (family, "cpu")]
    assert (total["ok"], total["asked"], total["percent"]) == (1, 2, 50) and total["names"]["failed"] == ["b"]
    assert [(one["class"], one["architectures"]) for one in whole["causes"]] == [("missing_package", ["b"])]


def test_two_runs_say_the_versions_between_them_and_what_broke() -> None:
    before, after = [at("a", "webnn")], [at("a", "webnn", "run", code="webnn_lost", reason="context is lost")]
    old, new = ([point for point, _ in one] for one in (before, after))
    changes = version_changes(run_of(torch="2.12"), old, run_of(torch="2.13"), new)
    groups = grouped(between_runs(old, new), stages(*before), stages(*after))
    text = shown(coverage_difference_lines(groups, changes, "r0"), 200)
    assert "Since run r0: torch 2.12 → 2.13." in text and "broke: 1 point\n" in text
    assert "vision on webnn [lost_device, to mend: browser]: a: ok → failed: context is lost" in text
    assert "Nothing broke" in shown(coverage_difference_lines([], [], "r0"))
