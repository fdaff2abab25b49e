"""A module that becomes no graph is measured by what reads it; all that needs the graph fails with the reason."""

from pathlib import Path

import pytest

from harness.core.nouns import Lack
from harness.export.cache import ArtifactCache
from harness.export.request import digest_of_request, request_for
from tests.exporters.test_hostile_folders import harness, own_model
from tests.making import make_artifact, make_case


@pytest.fixture
def without_graph(tmp_path: Path) -> Path:
    """A model with an operator that ONNX does not have, nor a way to compute it."""
    folder = own_model(tmp_path / "own", tmp_path / "marker")
    code = folder / "modeling_own.py"
    told = code.read_text().replace(
        "        return Base", "        hidden = torch.linalg.qr(hidden).R\n        return Base"
    )
    assert "linalg" in told
    code.write_text(told)
    return folder


@pytest.mark.long
def test_pytorch_is_measured_and_the_graphs_backends_say_why_not(without_graph: Path, tmp_path: Path) -> None:
    what = ("--model", str(without_graph), "--hardware", "cpu,onnxruntime", "--length", "8", "--trust-remote-code")
    much = ("--rounds", "1", "--budget", "400ms", "--precision", "fp32,int8")
    _, said, errors = harness(tmp_path, "run", *what, *much)
    cases = {(case["platform"], case["precision"]): case for case in said["cases"]}
    assert cases["cpu", "fp32"]["outcome"] == "ok" and cases["cpu", "fp32"]["correct"]["checked"], errors
    for precision in ("fp32", "int8"):
        case = cases["onnxruntime", precision]
        assert (case["outcome"], case["code"]) == ("failed", "export_failed"), case
        assert case["reason"].startswith("export: ") and "linalg" in case["reason"]


@pytest.mark.long
def test_a_module_that_draws_random_numbers_has_no_reference(without_graph: Path, tmp_path: Path) -> None:
    code = without_graph / "modeling_own.py"
    code.write_text(code.read_text().replace("torch.linalg.qr(hidden).R", "hidden + torch.randn_like(hidden)"))
    what = ("--model", str(without_graph), "--hardware", "cpu", "--length", "8", "--trust-remote-code")
    _, said, errors = harness(tmp_path, "run", *what, "--rounds", "1", "--budget", "400ms")
    (case,) = said["cases"]
    assert (case["outcome"], case["code"]) == ("failed", "random_output"), errors


@pytest.mark.parametrize(("code", "is_kept"), [("export_failed", True), ("export_timeout", False)])
def test_what_ran_into_a_limit_is_tried_again(code: str, is_kept: bool, tmp_path: Path) -> None:
    request = request_for(make_case())
    folder = tmp_path / digest_of_request(request)
    folder.mkdir()
    whole = make_artifact(folder)
    lacking = whole.model_copy(update={"lacks": {"onnx": Lack(stage="export", code=code, reason="not done in time")}})
    (folder / "artifact.json").write_text(lacking.model_dump_json())
    assert (ArtifactCache(tmp_path).find(request) is not None) is is_kept
    assert folder.exists() is is_kept
