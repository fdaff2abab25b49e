"""What `check` says: the sentence is as sure as what it rests on, and foreign words are shown and never obeyed."""

from xml.etree import ElementTree

import pytest

from harness.analyse.regression import Checked, Status
from harness.core.text import one_line
from harness.show.checked import checked_as_json, checked_junit, checked_markdown
from tests.analyse.made_runs import made_run, measured
from tests.store.made_up import case

POINT = measured(case("cpu"), (10, 10, 10))
BASE, RUN = made_run(POINT, run_id="base"), made_run(POINT, run_id="new")


def checked(status: Status, why: str = "+1 %") -> Checked:
    return Checked(status, (BASE, POINT), (RUN, POINT), why)


@pytest.mark.parametrize(
    ("statuses", "begins"),
    [
        (["passed", "regression", "suspect"], "### ❌ Regression since"),
        (["broke"], "### ❌ Regression since"),
        (["passed", "suspect"], "### ⚠️ Not decided since"),
        (["passed", "faster", "gone"], "### ✅ No regression of 10 % since"),
    ],
)
def test_the_sentence_is_as_sure_as_its_points(statuses: list[Status], begins: str) -> None:
    found = [checked(status) for status in statuses]
    assert checked_markdown(found, BASE, RUN, 0.10).startswith(begins)
    assert checked_as_json(found, BASE, RUN, 0.10)["regression"] == ("❌" in begins)


def test_what_a_model_or_an_error_says_ends_no_cell_and_calls_nobody() -> None:
    hostile = "a | b `code` @everyone ![x](https://example.org/x.png) <script>\n| more"
    lines = checked_markdown([checked("broke", hostile)], BASE, RUN, 0.10).splitlines()
    (row,) = [line for line in lines if "everyone" in line]
    assert row.count("|") - row.count("\\|") == 7  # six cells
    # All of it stands between two backticks, and between them nothing is Markdown.
    inside = row.split("`")[3]
    assert inside == one_line(hostile, 300).replace("`", "'").replace("|", "\\|")


def test_a_report_is_xml_whatever_stands_in_it() -> None:
    odd = made_run(POINT, run_id="a\x01b")
    found = [checked("broke", "\x00\x1b[31m <&> ]]>"), checked("suspect"), checked("passed")]
    suite = ElementTree.fromstring(checked_junit(found, odd, RUN, 0.10).partition("\n")[2])
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert [test.find("failure") is not None for test in suite.iter("testcase")] == [True, False, False]
