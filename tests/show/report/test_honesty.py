"""Where a report could easily say more than was measured: each of these was once said wrongly."""

from pathlib import Path

import pytest

from harness.analyse.comparison import Side
from harness.core.errors import UserMistake
from harness.core.nouns import Policy
from harness.core.rounds import Verdict
from harness.show.report.answer import answer_figure
from harness.show.report.architecture import architecture_report
from harness.show.report.as_html import as_html, template_text
from harness.show.report.as_svg import as_svg
from harness.show.report.batch_scaling import batch_scaling_report
from harness.show.report.comparison import comparison_report
from harness.show.report.coverage import coverage_report
from harness.show.report.run import run_report
from harness.show.report.training_vs_inference import training_report
from harness.steps.reporting import Asked, report_of
from tests.analyse.made_runs import made_run
from tests.show.report.made_up import point, sides, three, wrong
from tests.store.made_up_results import case_of

UNCHECKED = Verdict(checked=False, passed=False)
IMPORTED = {
    "machine_id": "imported-x",
    "imported": {
        "tool": "other-bench", "version": "1.2", "format": "mapping", "files": ["a.json"], "sha256": "0",
        "imported_at": "2026-05-05T00:00:00+00:00", "measured_at": None,
    },
}  # fmt: skip


def steady(of: float) -> tuple[float, float, float]:
    return (of, of * 1.001, of * 0.999)


def on(machine: str, run_id: str, *latencies: tuple[str, float]) -> list[Side]:
    points = [point(case_of("bert", place), steady(ms), run_id) for place, ms in latencies]
    return sides(*points, run_id=run_id, machine={"machine_id": machine, "cpu": machine})


def test_an_answer_that_nobody_checked_is_not_a_right_one() -> None:
    report = coverage_report(sides(point(case_of("bert", "cpu"), steady(1.0), correct=UNCHECKED)))
    (answer,) = report.answers
    assert answer.text == "cpu: 0 of 1 run and give the right answer (0 %); 1 run, and their answers were not checked."
    assert answer.tone == "doubt"
    drawn = {row["state"]: row["count"] for row in report.figures[0].rows}
    assert (drawn["ok"], drawn["not checked"]) == (0, 1)


def test_no_machine_is_divided_by_another() -> None:
    """Twice as fast as its own CPU on one, half as fast on the other."""
    laptop = on("laptop", "r1", ("cpu", 100.0), ("webgpu", 50.0))
    server = on("server", "r2", ("cpu", 10.0), ("webgpu", 20.0))
    report = architecture_report([*laptop, *server])
    assert [answer.text for answer in report.answers] == [
        "webgpu: 1.00 times PyTorch on the CPU (geometric mean of 2 points), slower for 1."
    ]
    table = next(each for each in report.tables if each.name == "architectures")
    assert [(row[0].text, row[1].text) for row in table.rows] == [
        ("bert, 128 tokens, laptop", "2.00"),
        ("bert, 128 tokens, server", "0.500"),
    ]
    assert [answer.text[:40] for answer in comparison_report([*laptop, *server]).answers] == [
        "bert, 128 tokens, laptop: webgpu is fast",
        "bert, 128 tokens, server: cpu is fastest",
    ]


def test_what_was_measured_in_another_run_than_the_cpu_is_a_doubt() -> None:
    (answer,) = architecture_report([*on("m", "r1", ("cpu", 100.0)), *on("m", "r2", ("webgpu", 50.0))]).answers
    assert answer.tone == "doubt"
    assert answer.trust == "1 of them measured in another run than the CPU, not side by side"


def test_alone_and_doubted_is_not_decided_however_many_models_there_are() -> None:
    points = [point(case_of(f"m{n}", "webgpu"), steady(5.0), software=True, doubts=("made up",)) for n in range(7)]
    first, *_ = comparison_report(sides(*points)).answers
    assert first.tone == "doubt"
    assert first.trust == "7 alone: nothing else can be ranked, 7 with doubts"


def test_what_another_program_measured_is_dated_and_marked_as_its_file_says() -> None:
    run = made_run(point(case_of("bert", "cpu"), steady(1.0), correct=UNCHECKED), run_id="imported-1", machine=IMPORTED)
    report = run_report(run, {})
    head = report.answers[0]
    assert (head.text, head.tone) == ("1 point: 1 ok, of which 1 not checked.", "doubt")
    assert head.trust == "imported from other-bench 1.2"
    assert report.facts["imported from"] == "other-bench 1.2"
    assert report.facts["measured"] == report.sources[0].facts["measured"] == "when is not known"


def test_a_right_answer_that_was_not_timed_is_not_called_unchecked() -> None:
    report = comparison_report(sides(point(case_of("bert", "cpu"), steady(1.0)), policy=Policy(purpose="coverage")))
    assert report.answers[0].text == "bert, 128 tokens: nothing can be ranked (1 not timed)."
    (row,) = next(each for each in report.tables if each.name == "left_out").rows
    assert row[0].text == "not timed: coverage times nothing"


def test_a_reused_inference_was_not_measured_side_by_side_and_headline_and_table_agree() -> None:
    training = point(case_of("bert", "cpu", mode="training"), (30.0, 40.1, 29.9))
    fresh = training_report(sides(point(case_of("bert", "cpu"), (10.0, 10.1, 9.9)), training))
    (row,) = fresh.tables[0].rows
    assert row[4].text in fresh.answers[0].text
    reused = training_report(sides(point(case_of("bert", "cpu"), steady(10.0), reused_from="earlier"), training))
    assert "not side by side" in reused.answers[0].trust
    assert reused.tables[0].rows[0][6].text == "no"


def test_batches_of_two_runs_are_a_series_with_a_doubt_and_noise_is_no_gain() -> None:
    batches = [
        point(case_of("bert", "cpu", batch_size=b), steady(ms), r) for b, ms, r in ((1, 10.0, "r1"), (8, 40.0, "r2"))
    ]
    apart = [side for one in batches for side in sides(one, run_id=one.result.run_id)]
    report = batch_scaling_report(apart)
    assert report.answers[0].trust == "measured in 2 runs, not side by side"
    assert [row[-1].value for row in report.tables[0].rows] == [0, 1]
    noisy = [point(case_of("bert", batch_size=b), ms) for b, ms in ((1, (10.0, 13.0, 9.0)), (2, (19.9, 26.0, 18.0)))]
    answer = batch_scaling_report(sides(*noisy)).answers[0]
    assert (answer.tone, answer.trust) == ("doubt", "not decided: the intervals overlap")


def test_no_bar_of_what_gave_a_wrong_answer_stands_beside_the_others() -> None:
    points = [one for _, one in three()]
    report = run_report(made_run(*points, wrong(case_of("bert", "webnn"), steady(0.1))), {})
    for figure in report.figures:
        assert "webnn" not in [row["place"] for row in figure.rows], figure.name


def test_two_clocks_are_not_cured_by_more_rounds() -> None:
    first = point(case_of("bert", "cpu"), steady(10.0))
    other = point(case_of("bert", "webgpu"), steady(5.0)).model_copy(update={"clock": "timestamp"})
    assert comparison_report(sides(first, other)).answers[0].trust == "not decided"


@pytest.mark.parametrize("asked", [Asked(run_id="20260101"), Asked(families=("vision",))])
def test_a_trend_does_not_pretend_to_be_narrowed(tmp_path: Path, asked: Asked) -> None:
    with pytest.raises(UserMistake) as raised:
        report_of(tmp_path / "h.duckdb", "trend", asked)
    assert raised.value.code == "usage"


def test_a_template_called_as_ours_extends_ours_and_an_arithmetic_mistake_is_the_user_s(tmp_path: Path) -> None:
    mine = tmp_path / "report.html.jinja"
    mine.write_text('{% extends "report.html.jinja" %}{% block header %}<h1>ours</h1>{% endblock %}')
    assert "<h1>ours</h1>" in as_html(comparison_report(three()), mine)
    mine.write_text(template_text() + "{{ 1 / 0 }}")
    with pytest.raises(UserMistake) as raised:
        as_html(comparison_report(three()), mine)
    assert raised.value.code == "bad_template"


def test_a_column_that_looks_like_a_colour_is_a_column() -> None:
    assert "var(--foo)" in as_svg(answer_figure(["var(--foo)"], [[1]]))
