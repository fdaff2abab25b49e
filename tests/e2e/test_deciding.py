"""compare, check and baseline from the command line, on real measurements: what they answer and what they leave."""

import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.e2e.asked import harness
from tests.test_cli import make_graph

pytestmark = pytest.mark.serial

# One thread: two that share a busy machine wait for each other, and a ratio is then of anything.
SHORT = ["--rounds", "3", "--budget", "900ms", "--quiet", "off", "--threads", "1"]
# One graph that multiplies twenty times and one that does so eighty times: far enough apart for any machine.
_MAKE_CHAINS = """
import sys
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(0)
weight = (rng.standard_normal((192, 192)) / 192**0.5).astype(np.float32)
given = rng.standard_normal((192, 192)).astype(np.float32)
for count in (20, 80):
    names = [f"t{place}" for place in range(count)] + ["y"]
    nodes = [helper.make_node("MatMul", [names[place], "w"], [names[place + 1]]) for place in range(count)]
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [192, 192])
    graph = helper.make_graph(nodes, "chain", [value("t0")], [value("y")], [numpy_helper.from_array(weight, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder = f"{sys.argv[1]}/{count}"
    data = f"{folder}/test_data_set_0"
    import os
    os.makedirs(data)
    onnx.save(model, f"{folder}/chain{count}.onnx")
    expected = given
    for _ in range(count):
        expected = expected @ weight
    for name, array in (("input_0", given), ("output_0", expected)):
        with open(f"{data}/{name}.pb", "wb") as file:
            file.write(numpy_helper.from_array(array).SerializeToString())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two chains of products, and a Run of both."""
    folder = tmp_path_factory.mktemp("deciding")
    made = subprocess.run(
        [sys.executable, "-c", _MAKE_CHAINS, str(folder)], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    chains = "./20/chain20.onnx,./80/chain80.onnx"
    harness(folder, "run", "--model", chains, "--hardware", "onnxruntime", *SHORT)
    harness(folder, "baseline", "set", "main")
    return folder


@pytest.mark.long
def test_rounds_in_turn_decide_what_was_undecided(folder: Path) -> None:
    """Four times the work takes longer; how much longer is the machine's business, and that of whoever shares it."""
    found = harness(folder, "compare", "./20/chain20.onnx", "./80/chain80.onnx", "--until-decided", "--quiet", "off")
    (one,) = found["comparisons"]
    assert one["verdict"] == "slower" and one["ci95"][0] <= one["ratio"] <= one["ci95"][1]
    assert one["ratio"] > 1.5
    # What a verb measured to find out is not the last run that somebody asked for.
    assert harness(folder, "show")["run_id"] == harness(folder, "baseline", "list")["baselines"]["main"]


@pytest.mark.long
def test_a_run_until_decided_shows_what_it_decided(folder: Path) -> None:
    chains = "./20/chain20.onnx,./80/chain80.onnx"
    asked = ["--model", chains, "--hardware", "onnxruntime", "--until-decided", "--budget", "6s", "--quiet", "off"]
    asked += ["--threads", "1"]
    found = harness(folder, "run", *asked, "--db", "until.duckdb")
    (one,) = found["comparisons"]
    assert one["verdict"] == "slower" and "repeated confidence interval" in one["method"]
    assert harness(folder, "show", "--db", "until.duckdb")["comparisons"] == found["comparisons"]


def test_the_gate_lets_the_same_pass_and_stops_what_is_slower(folder: Path, tmp_path: Path) -> None:
    """The same graph again is no regression. One that does four times as much in its place is: seen twice, in turn with
    the one before, whose artifact is still there."""
    run = ["run", "--model", "./chain.onnx", "--hardware", "onnxruntime", *SHORT]
    check = ["check", "--baseline", "base.json", "--quiet", "off", "--budget", "8s"]
    put(folder / "20", tmp_path)
    harness(tmp_path, *run)
    harness(tmp_path, "baseline", "save", "base.json")
    harness(tmp_path, *run)
    assert harness(tmp_path, *check)["regression"] is False
    put(folder / "80", tmp_path)
    harness(tmp_path, *run)
    found = harness(tmp_path, *check, "--junit", "out/j.xml", "--markdown", "m.md", exit_code=3)
    (point,) = found["points"]
    assert point["status"] == "regression" and point["remeasured"]["ratio"] > 1.5
    assert point["remeasured_in"] != found["run_id"]
    assert any("its files were changed" in doubt for doubt in point["doubts"])
    suite = ElementTree.parse(tmp_path / "out" / "j.xml").getroot()
    assert suite.get("failures") == "1" and suite.find("testcase/failure") is not None
    assert (tmp_path / "m.md").read_text(encoding="utf-8").startswith("### ❌ Regression since")


def put(chain: Path, folder: Path) -> None:
    """The graph as `chain.onnx`, in place of the one that was there, with its data."""
    (graph,) = chain.glob("*.onnx")
    shutil.copy(graph, folder / "chain.onnx")
    shutil.copytree(chain / "test_data_set_0", folder / "test_data_set_0", dirs_exist_ok=True)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("compare", "main", "webnnn"), "unknown_point"),
        (("compare", "main", "main:onnxruntime,fp16"), "unknown_point"),
        (("check", "--baseline", "mian"), "unknown_baseline"),
        (("check", "--baseline", "absent.json"), "bad_baseline"),
        (("baseline", "set", "last"), "bad_baseline_name"),
        (("baseline", "save", "file.txt"), "bad_baseline_file"),
        (("compare", "main", "last", "--until-decided"), "same_point"),
        (("check", "--baseline", "main", "--run", "last", "--rounds", "99"), "usage"),
    ],
)
def test_a_users_mistake_has_a_code_and_a_next_step(folder: Path, arguments: tuple[str, ...], code: str) -> None:
    found = harness(folder, *arguments, exit_code=2)
    assert found["error"]["code"] == code and found["error"]["hint"]


@pytest.mark.long
def test_a_gate_without_a_second_run_says_so(folder: Path, tmp_path: Path) -> None:
    make_graph(tmp_path / "one.onnx")
    harness(tmp_path, "run", "--model", "./one.onnx", "--hardware", "onnxruntime", "--dim", "batch=1", *SHORT)
    harness(tmp_path, "baseline", "set", "main")
    assert harness(tmp_path, "check", "--baseline", "main", exit_code=2)["error"]["code"] == "same_run"
