"""Policies, on made-up readings: what is said, what is refused, what is waited for."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from harness.core.errors import UserMistake
from harness.core.nouns import Plan, Policy
from harness.core.rounds import Run
from harness.measure.quiet import Readings
from harness.steps import quiet
from harness.steps.workplace import Workplace
from tests.test_pipeline import Silent

CALM = Readings(window_s=1.0)
BUSY = Readings(window_s=1.0, others_cores=1.0)
HELD_BACK = Readings(window_s=1.0, others_cores=1.0, governors=("powersave",))


def look(
    monkeypatch: pytest.MonkeyPatch, policy: Literal["warn", "strict", "off"], readings: Sequence[Readings]
) -> tuple[Run | UserMistake, list[str], int]:
    """What comes of these readings, one after the other (the last repeats); what was said; how often was looked."""
    looked: list[Readings] = []

    async def look_around() -> Readings:
        looked.append(readings[min(len(looked), len(readings) - 1)])
        return looked[-1]

    monkeypatch.setattr(quiet, "look_around", look_around)
    run = Run(
        run_id="r", started_at="2026-01-02", command="", machine={}, plan=Plan(cases=(), policy=Policy(quiet=policy))
    )
    watcher = Silent()
    try:
        return asyncio.run(quiet.quietened(run, Workplace(Path("none"), {}, watcher))), watcher.said, len(looked)
    except UserMistake as mistake:
        return mistake, watcher.said, len(looked)


def codes(run: Run | UserMistake) -> list[str]:
    assert isinstance(run, Run)
    return [each["code"] for each in run.machine["quiet"]["findings"]]


def test_warn_measures_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    run, said, looked = look(monkeypatch, "warn", [BUSY])
    assert (codes(run), looked) == (["other_processes"], 1)
    assert len(said) == 1 and said[0].startswith("warned noisy machine: other processes use 100 % of a core")


def test_off_does_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    run, said, looked = look(monkeypatch, "off", [BUSY])
    assert (codes(run), said, looked) == ([], [], 0)


def test_strict_waits_for_what_can_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    run, said, looked = look(monkeypatch, "strict", [BUSY, BUSY, CALM])
    assert (codes(run), looked) == ([], 3)
    assert len(said) == 1 and said[0].startswith("warned waiting up to ")


def test_strict_waits_no_longer_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    mistake, _, looked = look(monkeypatch, "strict", [BUSY])
    assert isinstance(mistake, UserMistake) and mistake.code == "not_quiet"
    assert 2 < looked < 20


def test_strict_does_not_wait_for_a_governor_and_names_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    mistake, said, looked = look(monkeypatch, "strict", [HELD_BACK])
    assert isinstance(mistake, UserMistake) and mistake.hint
    assert "other processes" in mistake.message and "powersave" in mistake.message
    assert (said, looked) == ([], 1)


@pytest.mark.parametrize(
    ("steal_s", "policy", "kept"), [(0.0, "warn", []), (0.5, "warn", []), (5.0, "warn", [0.05]), (5.0, "off", [])]
)
def test_a_round_notes_the_cpu_that_the_host_took(
    monkeypatch: pytest.MonkeyPatch, steal_s: float, policy: Literal["warn", "off"], kept: list[float]
) -> None:
    counted = [{"cpu_total_s": 0.0, "cpu_steal_s": 0.0}, {"cpu_total_s": 100.0, "cpu_steal_s": steal_s}]
    monkeypatch.setattr(quiet, "counters", lambda: counted.pop(0))
    plan = Plan(cases=(), policy=Policy(quiet=policy))
    run = Run(run_id="r", started_at="2026-01-02", command="", machine={}, plan=plan)
    records: list[dict[str, Any]] = []
    with quiet.noting_steal("r-1", run, records.append):
        pass
    assert [record["event"]["data"]["steal_share"] for record in records] == kept
