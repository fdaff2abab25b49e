"""Batch scaling, training against inference, architecture, coverage, trend, run: numbers worked out by hand."""

from harness.analyse.trends import trends_of
from harness.core.history import PastResult
from harness.show.report.architecture import architecture_report
from harness.show.report.batch_scaling import batch_scaling_report
from harness.show.report.coverage import coverage_report
from harness.show.report.model import Cell, Report
from harness.show.report.run import run_report
from harness.show.report.training_vs_inference import training_report
from harness.show.report.trend import trend_report
from tests.analyse.made_runs import made_run
from tests.show.report.made_up import point, sides, three, without_numbers, wrong
from tests.store.made_up_results import case_of


def rows(report: Report, table: str = "results") -> list[dict[str, Cell]]:
    found = next(each for each in report.tables if each.name == table)
    names = [column.name for column in found.columns]
    return [dict(zip(names, row, strict=True)) for row in found.rows]


def steady(of: float) -> tuple[float, float, float]:
    return (of, of * 1.001, of * 0.999)


def test_a_batch_is_held_against_batch_1_of_its_place() -> None:
    report = batch_scaling_report(
        sides(
            *(point(case_of("bert", "cpu", batch_size=b), steady(ms)) for b, ms in ((1, 10.0), (4, 20.0), (8, 80.0))),
            point(case_of("bert", "wasm", batch_size=4), steady(9.0)),
        )
    )
    told = [
        (row["batch_size"].value, row["throughput_ratio"].value, row["batch_efficiency"].value) for row in rows(report)
    ]
    assert told == [(1, 1.0, 1.0), (4, 2.0, 0.5), (8, 1.0, 0.125)]  # 100, 200 and 100 items per second
    assert report.answers[0].text == "bert, 128 tokens on cpu: most at batch 4, 200 items/s, 2.00 times batch 1."


def test_without_a_right_batch_1_there_is_no_efficiency() -> None:
    report = batch_scaling_report(
        sides(
            wrong(case_of("bert", "cpu", batch_size=1), steady(1.0)),
            *(point(case_of("bert", "cpu", batch_size=b), steady(10.0)) for b in (2, 4)),
        )
    )
    assert [row["batch_efficiency"].value for row in rows(report)] == [None, None]
    assert report.answers[0].tone == "doubt"
    assert batch_scaling_report(sides(point(case_of("bert"), steady(1.0)))).answers[0].trust == "no answer"


def test_a_training_step_is_held_against_the_inference_like_it() -> None:
    report = training_report(
        sides(
            point(case_of("bert", "cpu"), steady(10.0)),
            point(case_of("bert", "cpu", mode="training"), steady(35.0)),
            point(case_of("vit", "cpu", mode="training"), steady(35.0)),
        )
    )
    (row,) = rows(report)
    assert abs(float(row["training_latency_ratio"].value or 0) - 3.5) < 1e-9
    assert row["same_run"].value is True
    assert report.answers[0].text == "bert, 128 tokens on cpu: a training step takes 3.50 inferences."


def test_a_family_has_the_geometric_mean_of_its_models_speed_ups() -> None:
    report = architecture_report(
        sides(
            *(point(case_of(name, "cpu"), steady(10.0)) for name in ("bert", "roberta")),
            point(case_of("bert", "onnxruntime", backend="onnxruntime", browser=None), steady(5.0)),
            point(case_of("roberta", "onnxruntime", backend="onnxruntime", browser=None), steady(1.25)),
            point(case_of("vit", "wasm", family="vision"), steady(1.0)),
        )
    )
    (family,) = rows(report, "families")
    assert family["family"].text == "text_encoder"
    assert abs(float(family["speedup onnxruntime"].value or 0) - 4.0) < 1e-9  # √(2 · 8)
    assert report.answers[0].text.startswith("onnxruntime: 4.00 times PyTorch on the CPU")
    assert len(rows(report)) == 5  # what has no CPU beside it is still there


def test_a_coverage_counts_what_could_be_tried_and_shows_why_not() -> None:
    report = coverage_report(
        sides(
            point(case_of("bert", "cpu"), steady(1.0)),
            wrong(case_of("vit", "cpu", family="vision"), steady(1.0)),
            without_numbers(case_of("bert", "wasm"), "failed", "the session was not created"),
        )
    )
    assert [answer.text for answer in report.answers] == [
        "cpu: 1 of 2 run and give the right answer (50 %).",
        "wasm: 0 of 1 run and give the right answer (0 %).",
    ]
    by_model = {row["model"].text: row for row in rows(report)}
    assert by_model["bert"]["cpu"].text == "ok"
    assert by_model["bert"]["wasm"].title == "the session was not created"
    assert by_model["vit"]["wasm"].text == "–"
    assert {row["models"].value for row in rows(report, "causes")} == {1}


def past(day: int, latency_ms: float, torch: str, slug: str = "bert/cpu") -> PastResult:
    return PastResult(
        case_id=slug,
        slug=slug,
        machine_id="here",
        run_id=f"2026010{day}",
        started_at=f"2026-01-{day:02}T00:00:00+00:00",
        clock="perf_counter",
        latency_ms=latency_ms,
        versions={"torch": torch},
        runtime=None,
        browser_version=None,
    )


def test_a_trend_says_when_it_changed_and_what_changed_there() -> None:
    before = [past(day, 10.0 + day / 100, "2.12") for day in range(1, 11)]
    after = [past(day, 15.0 + day / 100, "2.13") for day in range(11, 21)]
    steady_one = [past(day, 7.0 + day % 2 / 100, "2.12", "vit/cpu") for day in range(1, 10)]
    report = trend_report(trends_of([*before, *after, *steady_one]))
    assert report.answers[0].text == "1 of 2 cases changed: the last time 1 became slower, 0 faster."
    # The medians of ten days each: 15.155 ÷ 10.055.
    assert report.answers[1].text == "bert/cpu takes 1.51 times as long since 2026-01-11: 10.1 ms → 15.2 ms."
    assert report.answers[1].trust == "changed there: torch 2.12 → 2.13"
    first, second = rows(report)
    assert (first["case"].text, first["changes"].value, second["changes"].value) == ("bert/cpu", 1, 0)


def test_too_few_runs_are_not_judged() -> None:
    report = trend_report(trends_of([past(day, 10.0, "2.12") for day in range(1, 4)]))
    assert report.answers[0].tone == "doubt"
    assert rows(report)[0]["changes"].text == "not judged"


def test_a_run_counts_its_outcomes_and_gives_each_reason() -> None:
    points = [one for _, one in three()]
    run = made_run(*points, without_numbers(case_of("bert", "webnn"), "unsupported", "no WebNN here"))
    report = run_report(run, {})
    assert report.answers[0].text == "4 points: 3 ok, 1 unsupported."
    assert report.answers[0].trust == "on a quiet machine"
    assert [row["reason"].text for row in rows(report, "reasons")] == ["no WebNN here"]
    assert {figure.name for figure in report.figures} == {"throughput", "memory", "load", "first"}
