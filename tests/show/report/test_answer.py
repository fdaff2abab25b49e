"""An answer to SQL as a report, a drawing by itself, and bars for a terminal."""

import io
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from harness.core.errors import UserMistake
from harness.show.bars import bar_lines
from harness.show.report.answer import MOST_BARS, answer_figure, answer_report
from harness.show.report.as_html import as_html
from harness.show.report.as_svg import as_svg

COLUMNS = ["model", "hardware", "batch", "ms"]
ROWS: list[list[Any]] = [["bert", "cpu", 8, 1.25], ["bert", "wasm", 2, 3.0], ["vit", None, 4, None]]


def test_the_first_number_is_drawn_and_words_are_its_name() -> None:
    figure = answer_figure(COLUMNS, ROWS)
    assert [(row["place"], row["value"]) for row in figure.rows] == [("bert cpu", 8), ("bert wasm", 2), ("vit", 4)]
    assert figure.axes == ("batch",)


def test_rows_of_one_name_are_told_apart_and_what_has_no_number_is_no_bar() -> None:
    figure = answer_figure(["model", "ms"], [["bert", 1.0], ["bert", 2.0], ["vit", None]])
    assert [row["place"] for row in figure.rows] == ["bert #1", "bert #2"]


def test_of_too_many_rows_the_first_are_drawn_and_the_title_says_so() -> None:
    figure = answer_figure(["n", "name"], [[n, f"row-{n}"] for n in range(MOST_BARS + 5)])
    assert len(figure.rows) == MOST_BARS
    assert figure.title == "n, the first 40 of 45 rows"


@pytest.mark.parametrize(("columns", "rows"), [(["a"], [["x"]]), (["a"], []), (["a"], [[None]]), (["a"], [[True]])])
def test_without_a_number_there_is_nothing_to_draw(columns: list[str], rows: list[list[Any]]) -> None:
    with pytest.raises(UserMistake) as raised:
        answer_figure(columns, rows)
    assert raised.value.code == "nothing_to_draw"
    assert "<table" in as_html(answer_report(columns, rows, "SELECT a"))  # the page has the table all the same


def test_the_svg_is_whole_has_a_bar_per_row_and_no_variable_that_only_a_page_knows() -> None:
    text = as_svg(answer_figure(COLUMNS, ROWS))
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    marks = [each for each in root.iter() if each.get("aria-roledescription") == "bar"]
    assert len(marks) == 3
    assert "var(" not in text
    assert not re.search(r'(href|src)="http', text)


def test_bars_of_a_terminal_are_as_long_as_their_numbers_and_fit_its_width() -> None:
    console = Console(width=60, record=True, file=io.StringIO())
    console.print(bar_lines(answer_figure(COLUMNS, ROWS), 60))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 60
    lengths = {line.split()[0] + line.split()[1]: line.count("█") for line in lines[1:3]}
    assert lengths["bertcpu"] == pytest.approx(4 * lengths["bertwasm"], abs=4)
