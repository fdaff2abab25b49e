"""What a comparison says first: who is fastest, by how much, and whether that can be trusted."""

from harness.core.nouns import Policy
from harness.show.report.comparison import comparison_report
from harness.show.report.model import Cell, Report
from tests.show.report.made_up import point, sides, three, without_numbers, wrong
from tests.store.made_up_results import case_of


def cells(report: Report, table: str) -> dict[tuple[str, str], dict[str, Cell]]:
    """(model, platform) → column → cell."""
    found = next(each for each in report.tables if each.name == table)
    names = [column.name for column in found.columns]
    return {(row[0].text, row[1].text): dict(zip(names, row, strict=True)) for row in found.rows}


def test_the_answer_names_the_winner_by_how_much_and_on_each_side() -> None:
    (answer,) = comparison_report(three()).answers
    assert answer.text.startswith(
        "bert, 128 tokens: cpu is fastest, 10.0 ms (9.90–10.1 ms); wasm takes 2.50 times as long"
    )
    assert answer.tone == "good"
    assert answer.trust == "decided, answers checked, no doubts"


def test_ratios_intervals_and_verdicts_stand_in_the_table_the_fastest_first() -> None:
    rows = cells(comparison_report(three()), "results")
    assert [place for _, place in rows] == ["cpu", "wasm", "webgpu (software)"]
    wasm = rows["bert, 128 tokens", "wasm"]
    # By turns: 25.0 ÷ 10.0, 25.3 ÷ 10.1 and 24.8 ÷ 9.9, whose geometric mean is 2.503.
    assert abs(float(wasm["times_as_long"].value or 0) - (2.5 * 25.3 / 10.1 * 24.8 / 9.9) ** (1 / 3)) < 1e-9
    assert wasm["verdict"].text == "slower"
    assert wasm["throughput_items_per_second"].value == 40.0
    assert rows["bert, 128 tokens", "cpu"]["verdict"].text == "the fastest"
    assert rows["bert, 128 tokens", "webgpu (software)"]["doubts"].value == 2  # its own, and the comparison's


def test_what_overlaps_is_not_decided_and_the_answer_says_so() -> None:
    two = sides(
        point(case_of("bert", "cpu"), (10.0, 14.0, 9.0)), point(case_of("bert", "wasm"), (11.0, 10.0, 13.0))
    )  # fmt: skip
    (answer,) = comparison_report(two).answers
    assert "is not decided" in answer.text
    assert (answer.tone, answer.trust) == ("doubt", "not decided: measure more rounds")


def test_fast_but_wrong_is_never_the_fastest_and_stands_among_what_is_left_out() -> None:
    report = comparison_report(
        sides(
            point(case_of("bert", "cpu"), (10.0, 10.1, 9.9)),
            wrong(case_of("bert", "wasm"), (1.0, 1.0, 1.0)),
            without_numbers(case_of("bert", "webnn"), "unsupported", "no WebNN here"),
        )
    )
    assert report.answers[0].text.startswith("bert, 128 tokens: cpu is fastest")
    assert report.answers[0].trust == "alone: nothing else can be ranked"
    rows = cells(report, "results")
    assert rows["bert, 128 tokens", "wasm"]["times_as_long"].value is None
    assert rows["bert, 128 tokens", "wasm"]["throughput_items_per_second"].value is None
    left_out = next(table for table in report.tables if table.name == "left_out")
    assert {row[0].text for row in left_out.rows} == {"wrong: wrong output", "unsupported: no WebNN here"}


def test_where_everything_failed_no_winner_is_named() -> None:
    failed = [without_numbers(case_of("bert", place), "failed", "it broke") for place in ("cpu", "wasm")]
    (answer,) = comparison_report(sides(*failed)).answers
    assert answer.text == "bert, 128 tokens: nothing can be ranked (2 failed)."
    assert answer.tone == "bad"


def test_what_a_coverage_ran_is_not_ranked() -> None:
    """It times nothing: several cases ran at once."""
    covered = sides(point(case_of("bert", "cpu"), (10.0, 10.1, 9.9)), policy=Policy(purpose="coverage"))
    assert comparison_report(covered).answers[0].tone == "bad"


def test_many_models_are_counted_and_the_browser_is_held_against_the_native() -> None:
    points = [
        point(case_of(f"m{n}", place), (base, base * 1.001, base * 0.999))
        for n in range(8)
        for place, base in (("cpu", 10.0), ("wasm", 20.0 if n < 7 else 5.0))
    ]
    first, second = comparison_report(sides(*points)).answers
    assert first.text == "cpu is fastest in 7 of 8; wasm in 1."
    assert "2.00 times as long (median of 7)" in second.text


def test_precision_and_batch_are_work_of_their_own_and_threads_are_told_where_labels_would_be_the_same() -> None:
    points = [
        point(case_of("bert", "cpu", threads=threads, precision=precision), (10.0, 10.1, 9.9))
        for threads in (1, 2)
        for precision in ("fp32", "fp16")
    ]
    rows = cells(comparison_report(sides(*points)), "results")
    assert [model for model, _ in rows] == [
        "bert, 128 tokens, 1 threads, random",
        "bert fp16, 128 tokens, 1 threads, random",
        "bert, 128 tokens, 2 threads, random",
        "bert fp16, 128 tokens, 2 threads, random",
    ]


def test_every_number_links_to_a_source_that_tells_run_clock_and_check() -> None:
    report = comparison_report(three())
    known = {source.id: source for source in report.sources}
    linked = {cell.source for table in report.tables for row in table.rows for cell in row if cell.source}
    assert linked == set(known)
    numbers = [
        cell for table in report.tables if table.name != "left_out" for row in table.rows for cell in row
        if isinstance(cell.value, float)
    ]  # fmt: skip
    assert numbers and all(cell.source for cell in numbers)
    first = known[str(numbers[0].source)]
    assert first.facts["run"] == "r"
    assert first.facts["clock"] == "perf_counter, step 0.04 µs"
    assert first.facts["answer"] == "correct against pytorch-fp32, largest error 1e-06"
