"""The race over two pages: chains that are what they say, verdicts read and judged, a limit that ends everything."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import psutil
import pytest
from onnx import numpy_helper

from harness.core.errors import HarnessError
from tests.bench import chains, tachometer
from tests.bench.limited import Ended, until_limit
from tests.bench.sections import two_pages
from tests.bench.tachometer import Told, told_by_tachometer

IN_TIME = Ended(b"", True, 12.5, 100.0)


def told(verdict: tachometer.Verdict, low: float, high: float, wall_s: float = 10.0) -> Told:
    return Told(wall_s, None, (low, high), verdict, ratio=(low + high) / 2)


def tachometer_said(low: float, high: float) -> dict[str, Any]:
    """As its JSON has it, both sides of a pair, in percent."""
    mirrored = {"percentChange": {"low": -high, "high": -low}}
    return {
        "benchmarks": [
            {"differences": [None, mirrored]},
            {"differences": [{"percentChange": {"low": low, "high": high}}, None]},
        ]
    }


def test_a_chain_is_a_sound_graph_of_so_many_products_with_its_product_beside_it(tmp_path: Path) -> None:
    chain = chains.write_chain(tmp_path / "c", 3, seed=0)
    model = onnx.load(chain.path)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["MatMul"] * 3
    given, output = (
        numpy_helper.to_array(onnx.load_tensor(str(tmp_path / "c" / "test_data_set_0" / f"{name}_0.pb")))
        for name in ("input", "output")
    )
    assert np.array_equal(np.fromfile(chain.input_file, np.float32).reshape(chain.shape), given)
    # Orthogonal matrices keep each row's length, whatever they are.
    np.testing.assert_allclose(np.linalg.norm(output, axis=1), np.linalg.norm(given, axis=1), rtol=1e-5)
    assert not np.allclose(output, given, atol=0.1)


def test_the_longer_chain_has_a_twentieth_more_products_and_a_twin_has_other_numbers(tmp_path: Path) -> None:
    short, longer = (chains.write_chain(tmp_path / str(n), n, seed=0) for n in (20, 21))
    twin = chains.write_chain(tmp_path / "twin", 20, seed=1)
    counts = [len(onnx.load(each.path).graph.node) for each in (short, longer, twin)]
    assert counts[1] * 100 == counts[0] * 105
    assert counts[2] == counts[0]
    assert twin.path.read_bytes() != short.path.read_bytes()


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(4.0, 6.0, "slower"), (-6.0, -4.0, "faster"), (-1.0, 6.0, "undecided")]
)
def test_tachometers_percent_is_read_as_the_second_page_over_the_first(low: float, high: float, verdict: str) -> None:
    found = told_by_tachometer(tachometer_said(low, high), IN_TIME, 11.0)
    assert (found.verdict, found.wall_s, found.measured_s) == (verdict, 12.5, 11.0)
    assert found.interval == pytest.approx((1 + low / 100, 1 + high / 100))


def test_our_json_is_read_from_its_first_round_to_its_end() -> None:
    said = {
        "ended_at": "2026-01-02T03:04:20+00:00",
        "cases": [{"measured_at": "2026-01-02T03:04:07.5+00:00"}, {"measured_at": "2026-01-02T03:04:06+00:00"}],
        "comparisons": [{"ratio": 1.05, "ci95": [1.03, 1.07], "verdict": "slower", "doubts": ["a noisy machine"]}],
    }
    found = two_pages.told_by_harness(said, IN_TIME)
    assert found == Told(12.5, 14.0, (1.03, 1.07), "slower", 1.05, ("a noisy machine",))


def test_who_says_nothing_in_time_is_undecided() -> None:
    late = Ended(b"", False, 60.0, 100.0)
    assert two_pages.told_by_harness(None, late).verdict == "undecided"
    assert told_by_tachometer(None, late, 58.0).verdict == "undecided"


@pytest.mark.parametrize(
    ("said", "true", "is_"),
    [
        (told("slower", 1.03, 1.07), 1.05, "right"),
        (told("slower", 1.001, 1.041), 1.05, "right"),
        (told("slower", 1.001, 1.03), 1.05, "wrong"),
        (told("slower", 1.07, 1.20), 1.05, "wrong"),
        (told("faster", 0.90, 0.99), 1.05, "wrong"),
        (told("same", 0.99, 1.01), 1.05, "wrong"),
        (told("undecided", 0.99, 1.2), 1.05, "unsure"),
        (told("same", 0.99, 1.01), 1.0, "right"),
        (told("undecided", 0.9, 1.2), 1.0, "unsure"),
        (told("slower", 1.001, 1.01), 1.0, "wrong"),
        (told("faster", 0.97, 0.999), 1.0, "wrong"),
    ],
)
def test_a_verdict_is_right_by_its_sign_and_its_size(said: Told, true: float, is_: str) -> None:
    assert two_pages.outcome(said, true) == is_


def test_rows_count_who_gave_up_early_with_the_whole_limit() -> None:
    ours = [told("slower", 1.04, 1.06, 8.0), told("slower", 1.04, 1.06, 10.0), told("slower", 1.04, 1.06, 12.0)]
    theirs = [told("slower", 1.04, 1.06, 20.0), told("undecided", 0.9, 1.2, 30.0), told("faster", 0.9, 0.99, 24.0)]
    same = {"harness": [told("same", 0.99, 1.01)], "tachometer": [told("slower", 1.01, 1.02)]}
    rows = {
        each["name"]: each for each in two_pages.rows_of({"5 %": {"harness": ours, "tachometer": theirs}, "A/A": same})
    }
    assert rows["harness, time to verdict"]["value"] == 10.0
    assert rows["harness, time to verdict"]["aim"] == 20.0
    assert rows["tachometer, time to verdict"]["value"] == 24.0
    assert rows["harness ÷ tachometer"]["value"] == pytest.approx((8 / 20 * 10 / 60 * 12 / 24) ** (1 / 3))
    assert (rows["tachometer, 5 %: ratio found"]["value"], rows["tachometer, 5 %: ratio found"]["n"]) == (1.05, 3)
    counts = [rows[f"tachometer, 5 %: {kind}"]["value"] for kind in ("right", "unsure", "wrong")]
    assert counts == [1, 1, 1]
    assert [rows[f"{side}, A/A: a false verdict"]["value"] for side in same] == [0, 1]


def test_one_side_alone_has_no_ratio() -> None:
    rows = two_pages.rows_of({"5 %": {"harness": [told("slower", 1.04, 1.06)]}, "A/A": {"harness": []}})
    assert "harness ÷ tachometer" not in {each["name"] for each in rows}


def test_the_peer_is_asked_with_our_browser_and_its_horizon(tmp_path: Path) -> None:
    found = tachometer.config(["http://a/", "http://b/"], 60)
    assert found["autoSampleConditions"] == ["0%"]
    assert found["timeout"] == 1
    assert [each["url"] for each in found["benchmarks"]] == ["http://a/", "http://b/"]
    assert found["benchmarks"][0]["browser"] == found["benchmarks"][1]["browser"]


@pytest.mark.long
def test_a_limit_ends_what_the_command_started_too(tmp_path: Path) -> None:
    child = "import time; time.sleep(60)"
    note = tmp_path / "pid"
    parent = (
        "import subprocess, sys, time, pathlib\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True)\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid))\n"
        "print('begun', flush=True); time.sleep(60)"
    )
    ended = asyncio.run(until_limit("it", (sys.executable, "-c", parent), 2.0, os.environ))
    assert not ended.in_time
    assert ended.said == b"begun\n"
    assert not psutil.pid_exists(int(note.read_text()))


def test_a_command_that_fails_by_itself_says_why() -> None:
    program = "import sys; print('no such page', file=sys.stderr); sys.exit(3)"
    with pytest.raises(HarnessError, match="it ended with 3: no such page"):
        asyncio.run(until_limit("it", (sys.executable, "-c", program), 30.0, os.environ))
