"""The runner: real sections in their quick form, failures with their reason, an interruption that keeps all."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from tests.bench import history, runner
from tests.bench.made_up import made_up_bench
from tests.bench.section import Bench, Findings, Section, row

SECTION_KEYS = {"name", "what", "unit", "rows", "aim", "met", "why_missed", "took_s"}


def run(folder: Path, *names: str, say: Any = lambda _: None) -> dict[str, Any]:
    return asyncio.run(runner.run_bench(names, quick=True, seed=0, folder=folder, say=say))


def section(measure: Any) -> Section:
    return Section("made_up", "what", "s", "none", measure)


async def one_row_then_trouble(bench: Bench) -> AsyncGenerator[Findings, None]:
    yield Findings([row("a", 1.0)], True)
    raise RuntimeError("the cable is out")


async def one_row_then_silence(bench: Bench) -> AsyncGenerator[Findings, None]:
    yield Findings([row("a", 1.0)], True)
    bench.say("waiting")
    await asyncio.Event().wait()


def test_quick_sections_leave_json_a_line_of_history_and_a_picture(tmp_path: Path) -> None:
    said: list[str] = []
    found = run(tmp_path, "startup", "noop", say=said.append)
    (path,) = tmp_path.glob("*Z.json")
    assert json.loads(path.read_text()) == found
    assert {"date", "commit", "machine", "quick", "seed", "interrupted", "sections"} == set(found)
    assert found["machine"]["machine_id"]
    assert [each["name"] for each in found["sections"]] == ["startup", "noop"]
    for each in found["sections"]:
        assert set(each) == SECTION_KEYS
        for line in each["rows"]:
            assert {"name", "value", "low", "high", "aim", "n"} <= set(line)
            assert line["value"] > 0
    assert {"harness --help", "native, batched"} <= {
        line["name"] for each in found["sections"] for line in each["rows"]
    }
    (line,) = history.recall(tmp_path, found)
    assert line["headline"] == history.headline(found)
    assert (tmp_path / "bench.png").stat().st_size > 10_000
    assert any("noop" in text for text in said)


def test_a_section_that_fails_keeps_what_it_had_and_says_why(tmp_path: Path) -> None:
    found, interrupted = asyncio.run(runner.run_section(section(one_row_then_trouble), Bench(tmp_path)))
    assert not interrupted
    assert [each["name"] for each in found["rows"]] == ["a"]
    assert found["met"] is None
    assert found["why_missed"] == "RuntimeError: the cable is out"


def test_an_interruption_keeps_what_there_is_and_ends_the_bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "section_named", lambda name: section(one_row_then_silence))

    async def interrupt() -> dict[str, Any]:
        waiting = asyncio.Event()

        def say(text: str) -> None:
            if text == "waiting":
                waiting.set()

        bench = asyncio.create_task(runner.run_bench(["a", "b"], True, 0, tmp_path, say))
        await waiting.wait()
        bench.cancel()
        return await bench

    found = asyncio.run(interrupt())
    assert found["interrupted"]
    (only,) = found["sections"]
    assert (only["met"], only["why_missed"]) == (None, "interrupted")
    assert [each["name"] for each in only["rows"]] == ["a"]
    (path,) = tmp_path.glob("*Z.json")
    assert json.loads(path.read_text()) == found


def test_only_benches_of_the_same_machine_and_kind_are_compared(tmp_path: Path) -> None:
    mine = made_up_bench()
    for bench in (mine, made_up_bench(quick=True), made_up_bench(machine={"machine_id": "other"}), mine):
        history.write(bench, tmp_path)
        history.remember(bench, tmp_path)
    assert len((tmp_path / history.HISTORY).read_text().splitlines()) == 4
    assert len(history.recall(tmp_path, mine)) == 2
    assert [path.name for path in tmp_path.glob("*Z.json")] == ["20260102T030405Z.json"]


def test_headline_figures_are_named_by_section_and_row_and_leave_out_what_has_no_value() -> None:
    figures = history.headline(made_up_bench())
    assert figures["noop/native, batched"] == 0.4
    assert "round_cost/page, zygote" not in figures
