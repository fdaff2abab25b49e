"""The command line as a user types it: real processes, real exports, native platforms; exit codes and JSON."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.e2e.asked import answered, processes_under

QUICK = ("--rounds", "2", "--budget", "600ms", "--isolation", "zygote")  # PyTorch is imported once for all Rounds
TINY = ("--model", "bert", "--scale", "tiny", "--length", "16")


def harness(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def told(done: subprocess.CompletedProcess[str]) -> Any:
    """The one JSON object on stdout."""
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, with_tiny_bert: Callable[[Path], Path]) -> Path:
    """A folder in which one run was made: tiny BERT on two native platforms, and one that cannot be."""
    folder = with_tiny_bert(tmp_path_factory.mktemp("place"))
    done = harness(
        "run", *TINY, "--hardware", "cpu,onnxruntime", "--precision", "fp32,bf16", *QUICK, "--json", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    (folder / "first.json").write_text(done.stdout)
    return folder


def first_run(place: Path) -> Any:
    return json.loads((place / "first.json").read_text())


def test_every_point_is_in_the_answer_and_what_ran_is_right(place: Path) -> None:
    cases = first_run(place)["cases"]
    assert [(case["platform"], case["precision"], case["outcome"]) for case in cases] == [
        ("cpu", "fp32", "ok"), ("cpu", "bf16", "ok"),
        ("onnxruntime", "fp32", "ok"), ("onnxruntime", "bf16", "unsupported"),
    ]  # fmt: skip
    for case in cases:
        if case["outcome"] == "ok":
            assert case["correct"]["checked"] and case["correct"]["max_abs"] <= case["correct"]["tolerance"]
            interval = case["metrics"]["latency_ci95_ms"]
            if interval is None:  # a busy machine gives too few samples in so short a time; then it must say so
                assert any(word in doubt for word in ("no interval", "drifts") for doubt in case["doubts"])
            else:
                assert 0 < interval[0] <= case["metrics"]["latency_median_ms"] <= interval[1]
            assert case["metrics"]["peak_memory_mb"] > 10
            assert case["runtime"].startswith(("torch@", "onnxruntime@"))
        else:
            assert "bf16" in case["reason"]


def test_the_rounds_were_interleaved(place: Path) -> None:
    journal = place / "results" / "harness.journal" / f"{first_run(place)['run_id']}.jsonl"
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [record["number"] for record in records if record["record"] == "round"] == [1] * 3 + [2] * 3


def test_what_is_there_is_not_exported_and_a_case_keeps_its_name(place: Path) -> None:
    assert first_run(place)["exported"] == 0
    again = told(harness("run", *TINY, "--hardware", "onnxruntime", *QUICK, "--json", cwd=place))
    assert again["exported"] == 0
    before = next(c for c in first_run(place)["cases"] if c["platform"] == "onnxruntime" and c["precision"] == "fp32")
    assert again["cases"][0]["case_id"] == before["case_id"]


@pytest.mark.long
def test_a_damaged_artifact_is_made_again(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "results" / "artifacts", tmp_path / "results" / "artifacts")
    graph = next((tmp_path / "results" / "artifacts").glob("*/onnx/fp32/model.onnx"))
    graph.write_bytes(graph.read_bytes()[:-1] + b"\x00")
    for exported in (1, 0):
        assert (
            told(harness("run", *TINY, "--hardware", "onnxruntime", *QUICK, "--json", cwd=tmp_path))["exported"]
            == exported
        )


def test_show_says_what_run_said(place: Path) -> None:
    first = first_run(place)
    shown = told(harness("show", first["run_id"], "--json", cwd=place))
    assert shown["cases"] == first["cases"]
    assert shown["machine"] == first["machine"]
    quiet = shown["machine"]["quiet"]
    assert quiet["policy"] == "warn" and quiet["readings"]["window_s"] > 0 and quiet["end"]["readings"]
    text = harness("show", first["run_id"], cwd=place).stdout
    assert ("noisy machine: " in text) == bool(quiet["findings"])
    # All but the last digit: a shorter beginning names the minute, and other runs may have begun in it.
    assert "cpu" in harness("show", first["run_id"][:-1], cwd=place).stdout


@pytest.mark.long
def test_strict_measures_nothing_on_a_noisy_machine(place: Path) -> None:
    before = set((place / "results" / "harness.journal").glob("*.jsonl"))
    # A child of ours and so a stranger to the harness, as any other program is.
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            done = harness("run", *TINY, "--hardware", "onnxruntime", *QUICK, "--quiet", "strict", "--json", cwd=place)
        finally:
            busy.kill()
    assert done.returncode == 2
    said = told(done)["error"]
    assert said["code"] == "not_quiet" and "--quiet warn" in said["hint"]
    assert "other processes use" in said["message"] and "python" in said["message"]
    (begun,) = set((place / "results" / "harness.journal").glob("*.jsonl")) - before
    assert not any(record["record"] == "round" for record in map(json.loads, begun.read_text().splitlines()))


def test_query_and_rebuild_give_the_same_rows(place: Path, tmp_path: Path) -> None:
    sql = "select * from performance_results_view order by all"
    before = told(harness("query", sql, "--json", cwd=place))
    assert {"model_name", "model_family", "hardware_type", "latency_median_ms"} <= set(before["columns"])
    assert len(before["rows"]) >= 2
    (tmp_path / "results").mkdir()
    shutil.copytree(place / "results" / "harness.journal", tmp_path / "results" / "harness.journal")
    assert harness("db", "rebuild", cwd=tmp_path).returncode == 0
    assert told(harness("query", sql, "--json", cwd=tmp_path)) == before


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("run", "--model", "brt"), "unknown_model"),
        (("run", "--model", "./no.onnx"), "no_such_file"),
        (("run",), "no_model"),
        (("run", "--model", "bert", "--rounds", "x"), "usage"),
        (("run", "--model", "bert", "--batch-size", "x"), "usage"),
        (("rum",), "unknown_verb"),
        (("run", "--model", "bert", "--exporter", "x"), "unknown_exporter"),
        (("run", "--model", "bert", "--precision", "fp23"), "unknown_precision"),
        (("run", "--model", "bert", "--option", "compil"), "unknown_option"),
        (("run", "--model", "bert", "--db", "/proc/nope/h.duckdb"), "no_access"),
        (("query", "selec"), "bad_sql"),
        (("query", "drop table runs"), "bad_sql"),
        (("show", "nothing-like-it"), "unknown_run"),
        (("show", "--db", "none.duckdb"), "no_database"),
        (("show", "--why"), "not_coverage"),
        (("db", "rebuild", "--db", "none.duckdb"), "no_journal"),
        (("run", "--model", "nobody/no-such-model"), "hub_unreachable"),
    ],
)
def test_a_users_mistake_is_exit_2_with_a_sentence(place: Path, arguments: tuple[str, ...], code: str) -> None:
    said = answered(place, *arguments, exit_code=2)["error"]
    assert said["code"] in (code, "model_not_found" if code == "hub_unreachable" else code)
    assert said["message"]


def test_a_mistake_ends_a_real_process_with_2_and_no_traceback(place: Path) -> None:
    done = harness("run", "--model", "brt", "--json", cwd=place)
    assert (done.returncode, told(done)["error"]["code"]) == (2, "unknown_model")
    assert "Traceback" not in done.stderr


def test_no_arguments_give_examples_and_version_a_version(tmp_path: Path) -> None:
    assert "harness demo" in harness(cwd=tmp_path).stdout
    assert harness("--version", cwd=tmp_path).stdout.startswith("harness, version ")


def test_plan_runs_nothing_and_its_spec_asks_for_the_same(tmp_path: Path) -> None:
    flags = ("--model", "bert,vit", "--scale", "tiny", "--hardware", "onnxruntime,webgpu", "--batch-size", "1,2")
    planned = answered(tmp_path, "plan", *flags, "--out", "spec.toml")
    again = ("--model", "bert", "--model", "vit", *flags[2:])
    assert answered(tmp_path, "plan", *again) == planned
    assert len(planned["cases"]) == 8
    assert not (tmp_path / "results").exists()
    assert answered(tmp_path, "plan", "spec.toml") == planned


def test_a_plan_names_the_exact_versions_and_refuses_what_nobody_published(tmp_path: Path) -> None:
    flags = ("--model", "bert", "--scale", "tiny", "--hardware", "wasm")
    asked = ("--browser", "chromium@147", "--runtime", "onnxruntime-web@1.29")
    (point,) = answered(tmp_path, "plan", *flags, *asked)["cases"]
    assert point["runtime"] == "onnxruntime-web@1.29.0" and point["browser_version"].startswith("147.0.")
    refused = answered(tmp_path, "plan", *flags, "--browser", "chromium@999", exit_code=2)
    assert refused["error"]["code"] == "unknown_version"


def make_graph(path: Path) -> None:
    """y = x @ w + 1, with a symbolic first dimension."""
    weights = np.arange(6, dtype=np.float32).reshape(3, 2)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Add", ["p", "one"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
        [onnx.numpy_helper.from_array(weights, "w"), onnx.numpy_helper.from_array(np.ones(1, np.float32), "one")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def test_a_bare_graph_runs_with_its_dimensions_and_is_not_called_checked_by_itself(tmp_path: Path) -> None:
    make_graph(tmp_path / "g.onnx")
    arguments = ("run", "--model", "./g.onnx", "--hardware", "onnxruntime,cpu", *QUICK, "--json")
    done = harness(*arguments, "--dim", "batch=4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    graph, module = told(done)["cases"]
    assert (graph["outcome"], graph["correct"]["checked"]) == ("ok", False)
    assert graph["correct"]["reference"] == "onnxruntime-cpu-fp32"
    assert module["outcome"] == "unsupported" and module["reason"]


def test_a_broken_graph_and_an_unknown_dimension_fail_with_one_sentence(tmp_path: Path) -> None:
    make_graph(tmp_path / "g.onnx")
    (tmp_path / "broken.onnx").write_bytes((tmp_path / "g.onnx").read_bytes()[:40])
    arguments = ("run", "--model", "./broken.onnx,./g.onnx", "--hardware", "onnxruntime", *QUICK, "--json")
    done = harness(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    broken, nameless = told(done)["cases"]
    assert (broken["outcome"], broken["code"]) == ("failed", "broken_onnx")
    assert (nameless["outcome"], nameless["code"]) == ("failed", "unknown_dim")
    assert "batch" in nameless["reason"]


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent to groups otherwise on Windows")
@pytest.mark.parametrize("hardware", ["noop,onnxruntime", "noop_web,wasm"])
def test_ctrl_c_keeps_what_was_measured_and_exits_130(
    tmp_path: Path, with_tiny_bert: Callable[[Path], Path], hardware: str
) -> None:
    """As a terminal sends it: to every process of the foreground group, the browser's driver too."""
    place = with_tiny_bert(tmp_path)
    arguments = ["run", *TINY, "--hardware", hardware]
    with subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments, "--rounds", "50", "--budget", "60s"],
        cwd=place, stderr=subprocess.PIPE, text=True, start_new_session=True, env={**os.environ, "TMPDIR": str(place)},
    ) as run:  # fmt: skip
        assert run.stderr is not None
        assert any("#2: ok" in line for line in run.stderr)
        assert len(processes_under(place)) >= 2, "itself and its guard at the least"
        os.killpg(run.pid, signal.SIGINT)
        said = run.stderr.read()
        assert run.wait(60) == 130
    assert "Traceback" not in said
    assert processes_under(place) == []
    shown = told(harness("show", "--json", cwd=place))
    assert shown["interrupted"] is True
    assert sum(case["rounds"] for case in shown["cases"]) >= 3
