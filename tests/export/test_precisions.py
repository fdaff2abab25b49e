"""From Cases to Artifacts of several precisions: the fp32 one first and once, and its reason is everybody's."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import catalog
from harness.core.errors import UserMistake
from harness.core.nouns import ArtifactRequest, Case, Plan, PlannedCase, Policy
from harness.export.cache import ArtifactCache
from harness.export.process import ExportFailed
from harness.export.request import base_of, digest_of_request, request_for
from harness.steps.exporting import Exported, export_all
from harness.steps.workplace import Workplace
from tests.exporters.asking import planned_identity
from tests.making import make_case, make_model
from tests.test_pipeline import Silent


class Listening(Silent):
    """Counts how often each precision's exporter began."""

    def __init__(self) -> None:
        super().__init__()
        self.began: Counter[str] = Counter()

    def exporting(self, request: ArtifactRequest, text: str) -> None:
        self.began[request.precision] += text.startswith(("checking", "making"))


def case_of(path: Path, precision: str, **changes: Any) -> Case:
    identity = planned_identity(path)
    model = make_model(
        name=path.name, kind="onnx", identity=identity, architecture=None, path=str(path), weights="pretrained",
        scale="full", family="graph",
    )  # fmt: skip
    fields = {"model": model, "task": "graph", "platform": "onnxruntime", "backend": "onnxruntime", "length": None}
    return make_case(**{**fields, "precision": precision, **changes})


def save(path: Path, kind: str = "MatMul") -> Path:
    """y = x · w, or another operator of x and w."""
    path.parent.mkdir(exist_ok=True)
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [4, size]) for n, size in (("x", 64), ("y", 48)))
    weight = np.random.default_rng(5).standard_normal((64, 48)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node(kind, ["x", "w"], ["y"])], "g", [x], [y], [numpy_helper.from_array(weight, "w")]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), str(path))
    return path


def export(cases: Sequence[Case], folder: Path) -> tuple[Exported, Listening]:
    watcher = Listening()
    place = Workplace(folder / "t.duckdb", {}, watcher)
    plan = Plan(cases=tuple(PlannedCase(case=case) for case in cases), policy=Policy())
    return asyncio.run(export_all(plan, place)), watcher


def test_the_base_is_made_once_and_found_again(tmp_path: Path) -> None:
    path = save(tmp_path / "m" / "m.onnx")
    cases = [case_of(path, precision) for precision in ("int8", "fp32", "int4")]
    exported, watcher = export(cases, tmp_path)
    assert exported.made == 3 and watcher.began == {"fp32": 1, "int8": 1, "int4": 1}
    made = [exported.artifacts[case.case_id] for case in cases]
    assert [list(artifact.onnx) for artifact in made] == [["int8"], ["fp32"], ["int4"]]
    assert len({artifact.digest for artifact in made}) == 3
    for artifact in made:
        assert ArtifactCache(tmp_path / "artifacts").find(request_for(cases[made.index(artifact)])) is not None
        assert artifact.work is not None and artifact.work.flops >= 2 * 4 * 64 * 48
    again, watcher = export(cases, tmp_path)
    assert again.made == 0 and not watcher.began
    assert again.artifacts == exported.artifacts


def test_a_base_that_nobody_asked_for_is_counted(tmp_path: Path) -> None:
    exported, watcher = export([case_of(save(tmp_path / "m" / "m.onnx"), "int8")], tmp_path)
    assert exported.made == 2 and watcher.began == {"fp32": 1, "int8": 1}


def test_a_precision_stands_on_its_own_and_a_broken_base_is_made_again(tmp_path: Path) -> None:
    path = save(tmp_path / "m" / "m.onnx")
    first, _ = export([case_of(path, "int8")], tmp_path)
    base = tmp_path / "artifacts" / digest_of_request(request_for(case_of(path, "fp32")))
    (base / "onnx" / "fp32" / "model.onnx").write_bytes(b"garbage")
    same, watcher = export([case_of(path, "int8")], tmp_path)
    assert same.artifacts == first.artifacts and not watcher.began
    more, watcher = export([case_of(path, "int4")], tmp_path)
    assert more.made == 2 and watcher.began == {"fp32": 1, "int4": 1}


def test_a_broken_precision_is_made_again_from_the_same_base(tmp_path: Path) -> None:
    case = case_of(save(tmp_path / "m" / "m.onnx"), "int4")
    export([case], tmp_path)
    place = tmp_path / "artifacts" / digest_of_request(request_for(case))
    shutil.rmtree(place / "onnx")
    exported, watcher = export([case], tmp_path)
    assert exported.made == 1 and watcher.began == {"int4": 1}


def test_the_reason_of_a_base_is_the_reason_of_all_that_depend_on_it(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"garbage")
    cases = [case_of(path, precision) for precision in ("int8", "fp32", "int4")]
    exported, watcher = export(cases, tmp_path)
    assert exported.made == 0 and not exported.artifacts
    assert watcher.began == {"fp32": 1}, "tried once"
    said = {(point.outcome, point.code, point.reason) for point in exported.plan.cases}
    ((outcome, code, reason),) = said
    assert (outcome, code) == ("failed", "broken_onnx") and reason is not None and "m.onnx" in reason


def test_what_cannot_be_made_small_is_unsupported_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = save(tmp_path / "m" / "m.onnx")
    model = onnx.load(str(path))
    model.graph.node[0].op_type = "Gather"  # a look-up of rows
    model.graph.node[0].input[:] = ["w", "x"]
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.INT64, [4]))
    onnx.save(model, str(path))
    cases = [case_of(path, precision) for precision in ("int8", "fp16", "bf16", "fp32")]
    exported, _ = export(cases, tmp_path)
    told = {point.case.precision: (point.outcome, point.reason or "") for point in exported.plan.cases}
    assert told["int8"][0] == "unsupported" and "no MatMul with a constant weight" in told["int8"][1]
    assert told["bf16"][0] == "unsupported" and "bf16" in told["bf16"][1]
    assert told["fp16"][0] is None and told["fp32"][0] is None
    assert not list((tmp_path / "artifacts").glob(".*")), "what failed leaves nothing"


def test_a_full_disk_is_said_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = case_of(save(tmp_path / "m" / "m.onnx"), "int8")
    base = base_of(request_for(case))
    assert base is not None
    cache = ArtifactCache(tmp_path / "artifacts")
    asyncio.run(cache.make(base, lambda text: None))
    there = shutil.disk_usage(tmp_path)
    # What is always kept free is a billion bytes; beyond that the graph to be made has none left.
    for free, error in ((1_000_000_000, ExportFailed), (999_999_999, UserMistake)):
        monkeypatch.setattr(shutil, "disk_usage", lambda folder, free=free: there._replace(free=free))
        with pytest.raises(error, match="free"):
            asyncio.run(cache.make(request_for(case), lambda text: None))


def test_who_reads_which_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    bert = {"precision": "bf16"}
    assert request_for(make_case(**bert, backend="pytorch", platform="cpu")).precision == "fp32", "from hf/"
    assert request_for(make_case(**bert, backend="noop")).precision == "fp32", "it reads nothing"
    real = catalog.backends()
    reader = real["onnxruntime"].model_copy(update={"reads": {"bf16": "fp32"}})
    library = real["transformers_js"].model_copy(update={"reads": {"int4": "int4"}})
    changed = {**real, "onnxruntime": reader, "transformers_js": library}
    monkeypatch.setattr(catalog, "backends", lambda: changed)
    graphs = {"backend": "onnxruntime", "platform": "onnxruntime"}
    assert request_for(make_case(**bert, **graphs)).precision == "fp32", "it says that it reads another"
    assert request_for(make_case(precision="int8", **graphs)).precision == "int8"
    told = {precision: make_case(precision=precision, backend="transformers_js") for precision in ("int4", "int8")}
    assert {precision: request_for(case).precision for precision, case in told.items()} == {
        "int4": "int4",
        "int8": "fp32",
    }


def test_a_precision_has_its_own_name_and_the_tools_versions_count(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(backend="onnxruntime", platform="onnxruntime", precision="int8")
    request, base = request_for(case), base_of(request_for(case))
    assert base is not None and base_of(base) is None
    names = digest_of_request(request), digest_of_request(base)
    assert names[0] != names[1]
    real = catalog.installed_version
    monkeypatch.setattr(catalog, "installed_version", lambda name: "0" if name == "onnxruntime" else real(name))
    assert digest_of_request(request) != names[0], "another onnxruntime quantises otherwise"
    assert digest_of_request(base) == names[1]
