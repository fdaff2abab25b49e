"""Anomalies and trends as they are read."""

from io import StringIO

import pytest
from rich.console import Console, RenderableType

from harness.analyse.again import Again
from harness.analyse.anomalies import anomalies_of
from harness.analyse.trends import trends_of
from harness.show.history import anomalies_as_json, anomaly_lines, sparkline, trend_lines, trends_as_json
from tests.analyse.odd import CASE, QUIET_HISTORY, history, judged_run, rounds
from tests.analyse.test_trends import past, steady


def printed(what: RenderableType, width: int = 200) -> str:
    out = StringIO()
    Console(file=out, width=width).print(what, highlight=False)
    return out.getvalue()


@pytest.mark.parametrize(
    ("values", "bars"),
    [([1, 2, 4, 8], "▁▃▆█"), ([5, 5, 5], "▅▅▅"), ([3], "▅"), ([1, 128, 2], "▁█▂"), ([100, 101], "▄▅")],
)
def test_a_sparkline_has_a_bar_per_run(values: list[float], bars: str) -> None:
    assert sparkline(values) == bars


def test_a_sparkline_shows_the_latest_forty() -> None:
    assert sparkline([100.0, *range(1, 41)]) == sparkline(list(range(1, 41)))


def test_an_anomaly_has_its_reason_beneath_and_again_its_verdict() -> None:
    findings = anomalies_of(judged_run(), rounds(10.0, 17.0, 9.9), history(*QUIET_HISTORY), 0.95, 3)
    told = printed(anomaly_lines(findings, None))
    assert "outlier a" in told and CASE.slug in told and "times what 9 other rounds" in told
    assert "1 anomaly in 3 rounds of 1 case; 9 tests" in told and "at most 0.05 have a false alarm" in told
    again = [Again(findings.anomalies[0], "not_confirmed", "it is 10 ms now", ("its versions changed meanwhile",))]
    told = printed(anomaly_lines(findings, again))
    assert "not confirmed" in told and "c its versions changed meanwhile" in told
    assert "Measured again: 0 confirmed, 1 not confirmed, 0 undecided." in told
    as_json = anomalies_as_json(findings, again, "second")
    assert as_json["rerun"] == {
        "run_id": "second", "verdicts": {"confirmed": 0, "not_confirmed": 1, "undecided": 0}
    }  # fmt: skip


def test_what_was_not_judged_is_one_line_per_reason() -> None:
    findings = anomalies_of(judged_run(), rounds(10.0, 10.0), [], 0.95, 3)
    told = printed(anomaly_lines(findings, None))
    assert "not judged for outlier: 2 rounds of 1 case: history too short: 1 of 3 other rounds" in told
    assert "No anomalies in 2 rounds" in told
    assert anomalies_as_json(findings)["not_judged"] == [
        {
            "kind": "outlier", "case_id": CASE.case_id, "slug": CASE.slug, "rounds": [1, 2],
            "reason": "history too short: 1 of 3 other rounds",
        }
    ]  # fmt: skip


def test_a_change_has_its_place_and_versions_beneath() -> None:
    latencies = [*steady(6, 10, 1), *steady(6, 20, 2)]
    versions = [{"artifact": "b" if run >= 6 else "a", "torch": "3" if run >= 6 else "2"} for run in range(12)]
    trends = trends_of(
        [
            *(past(run, latency, versions=versions[run]) for run, latency in enumerate(latencies)),
            *(past(run, 1.0, machine_id="elsewhere") for run in range(3)),
        ]
    )
    told = printed(trend_lines(trends))
    assert "2.0" in told and "(run r5) and 2026-01-07T00:00 (run r6)" in told
    assert "the artifact changed, torch 2 → 3" in told
    assert "machine" in told and "elsewhere" in told and "3 of 8 runs" in told
    assert "1 of 1 case changed by 5% or more, at a level of 5% each" in told
    assert "Of 1 case with fewer than 8 runs nothing is said." in told
    found = trends_as_json(trends)["trends"]
    assert isinstance(found, list)
    assert [one["verdict"] for one in found] == ["changed", "too_few_runs"]
    assert {one["name"] for one in found[0]["changes"][0]["versions"]} == {"artifact", "torch"}


def test_a_steady_case_is_told_to_be() -> None:
    trends = trends_of([past(run, latency) for run, latency in enumerate([10.0] * 9)])
    assert "no change" in printed(trend_lines(trends)) and "machine" not in printed(trend_lines(trends))
