"""A report in each of its formats: the same numbers, and nothing from outside that could be markup or a formula."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.core.errors import UserMistake
from harness.show.report.as_html import as_html, template_text
from harness.show.report.as_text import as_csv, as_json, as_markdown
from harness.show.report.comparison import comparison_report
from harness.show.report.model import Report
from tests.show.report.made_up import many, point, sides, three, without_numbers
from tests.store.made_up_results import case_of

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>\"'|@all"


class Elements(HTMLParser):
    """Counts elements, and keeps ids and links within the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src"):
                self.links.append(value or "")


@pytest.fixture
def report() -> Report:
    return comparison_report(three())


@pytest.fixture
def hostile() -> Report:
    named = case_of(HOSTILE, "cpu")
    return comparison_report(
        sides(
            point(named, (1.0, 1.01, 0.99), doubts=(HOSTILE,)),
            without_numbers(case_of("=1+1", "wasm"), "failed", HOSTILE), command=HOSTILE,
        )
    )  # fmt: skip


def test_the_page_asks_nothing_of_anybody_and_every_link_leads_to_a_line_of_it(report: Report) -> None:
    found = Elements(as_html(report))
    assert found.links and all(link.startswith("#") or link == "data:," for link in found.links)
    assert {link[1:] for link in found.links if link.startswith("#")} <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))


def test_what_models_say_is_text_in_the_page(report: Report, hostile: Report) -> None:
    plain, found = Elements(as_html(report)), Elements(as_html(hostile))
    assert "img" not in found.names
    assert found.names.count("script") == plain.names.count("script")
    assert "alert(1)" in as_html(hostile)  # it is shown


def test_the_page_s_data_are_the_figures_specifications(report: Report) -> None:
    (text,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', as_html(report), re.DOTALL)
    specs = json.loads(text)
    assert list(specs) == [figure.name for figure in report.figures]
    (values,) = next(iter(specs.values()))["datasets"].values()
    assert [row["place"] for row in values] == ["cpu", "wasm", "webgpu (software)"]
    assert [row["value"] for row in values] == [10.0, 25.0, 500.0]


@pytest.mark.long
def test_three_thousand_points_are_less_than_five_megabytes() -> None:
    run = many()
    page = as_html(comparison_report([(run, one) for one in run.cases]))
    assert len(run.cases) == 3000
    assert len(page.encode()) < 5_000_000


def test_csv_has_units_in_its_names_and_numbers_in_its_cells(report: Report) -> None:
    first, *_ = csv.DictReader(io.StringIO(as_csv(report)))
    assert (first["platform"], float(first["latency_median_ms"]), first["verdict"]) == ("cpu", 10.0, "fastest")
    assert first["times_as_long_ci95"] == ""


def test_no_cell_of_the_csv_is_a_formula(hostile: Report) -> None:
    rows = list(csv.reader(io.StringIO(as_csv(hostile))))
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@")]


def test_markdown_holds_tables_whatever_a_name_is(report: Report, hostile: Report) -> None:
    for each in (report, hostile):
        lines = [line for line in as_markdown(each).splitlines() if line.startswith("|")]
        widths = {table.columns.__len__() for table in each.tables}
        assert lines and {line.count("|") - 1 for line in lines} <= widths
    text = as_markdown(hostile)
    assert "&#60;img src=x onerror=alert(1)&#62;" in text  # as the words that they are
    assert "<img" not in text and "<script" not in text and "@all" not in text


def test_markdown_of_many_points_fits_into_a_comment_and_says_what_it_leaves_out() -> None:
    run = many()
    text = as_markdown(comparison_report([(run, one) for one in run.cases]))
    assert len(text) < 65_536
    assert "2960 rows more" in text


def test_json_has_the_same_numbers_and_where_they_come_from(report: Report) -> None:
    told = json.loads(json.dumps(as_json(report)))
    assert [row["latency_median_ms"] for row in told["tables"]["results"]] == [10.0, 25.0, 500.0]
    assert told["answers"][0]["tone"] == "good"
    assert {source["id"] for source in told["sources"]} == {"s1", "s2", "s3"}


def test_a_user_s_template_extends_ours(tmp_path: Path, report: Report) -> None:
    mine = tmp_path / "mine.jinja"
    mine.write_text(
        '{% extends "report.html.jinja" %}{% block header %}<h1>ACME: {{ report.title }}</h1>{% endblock %}'
    )
    page = as_html(report, mine)
    assert "<h1>ACME: Which platform is fastest</h1>" in page
    assert "wasm takes 2.50 times as long" in page
    copied = tmp_path / "copied.jinja"
    copied.write_text(template_text())
    assert as_html(report, copied) == as_html(report)


@pytest.mark.parametrize(
    "text",
    ["{% block", "{{ nothing.of_that_name.at_all }}", '{% extends "gone.jinja" %}', "{{ report.__class__.__mro__ }}"],
)
def test_a_broken_template_or_one_that_reaches_out_is_the_user_s_mistake(
    tmp_path: Path, report: Report, text: str
) -> None:
    mine = tmp_path / "mine.jinja"
    mine.write_text(text)
    with pytest.raises(UserMistake) as raised:
        as_html(report, mine)
    assert raised.value.code == "bad_template"
