"""What a coverage found: cells, what an architecture's own stages came to, honest denominators, causes, two Runs."""

from typing import Any

import pytest

from harness.analyse.coverage import FAMILIES, coverage_of
from harness.analyse.differences import VersionChange, between_runs, grouped, version_changes
from harness.analyse.pairs import Point
from harness.analyse.why import ranked, signature, why
from harness.core.nouns import Plan, Policy
from harness.core.rounds import CaseResult, Run, Verdict
from tests.making import make_case, make_model

RIGHT = Verdict(checked=True, passed=True, tolerance=1e-3)
Found = tuple[Point, str | None]
TIMM = "export: ImportError: TimmBackbone requires the timm library but it was not found in your environment."


def at(name: str, platform: str, stage: str | None = None, *, family: str = "vision", **told: Any) -> Found:
    """A point, and where it stopped; `wasm` is a page's, `cpu` is PyTorch's."""
    browser = told.pop("browser", "chromium" if platform in ("wasm", "webgpu", "webnn") else None)
    backend = "ort_web" if browser else {"cpu": "pytorch"}.get(platform, platform)
    model = make_model(name=name, identity=name, family=family)
    case = make_case(model=model, platform=platform, backend=backend, browser=browser, device=platform)
    fields: dict[str, Any] = {"outcome": "failed" if stage else "ok", "correct": None if stage else RIGHT}
    return (case, CaseResult.model_validate({"run_id": "r", "case_id": case.case_id, **fields, **told})), stage


def covered(*found: Found) -> Any:
    return coverage_of([point for point, _ in found], stages(*found))


def stages(*found: Found) -> dict[str, str | None]:
    return {point[0].case_id: stage for point, stage in found}


def absent(name: str, platform: str = "wasm") -> Found:
    reason = "there is no safari here (macOS only): it comes with the system"
    return at(name, platform, "plan", outcome="unsupported", reason=reason, browser="safari")


def test_what_stopped_at_its_export_was_built_and_ran_and_pytorch_alone_tells_of_no_export() -> None:
    (whole,) = covered(at("vit", "cpu"), at("vit", "wasm", "export", code="export_failed")).rows
    assert whole.stages == {"build": "ok", "forward": "ok", "export": "failed"}
    (alone,) = covered(at("vit", "cpu")).rows
    assert alone.stages == {"build": "ok", "forward": "ok", "export": "unknown"}
    (refused,) = covered(at("vit", "wasm", "load", code="onnxruntime_refused")).rows
    assert refused.stages["export"] == "ok" and refused.cells["wasm"].state == "failed"
    (unbuilt,) = covered(at("vit", "cpu", "build", code="build_failed", reason=TIMM)).rows
    assert unbuilt.stages == {"build": "failed", "forward": "not_reached", "export": "not_reached"}


def test_a_total_counts_names_and_of_what_onnxruntime_agrees_with() -> None:
    found = covered(
        at("a", "onnxruntime"), at("a", "wasm"),
        at("b", "onnxruntime"), at("b", "wasm", "run", code="inference_failed", reason="?"),
        at("c", "onnxruntime", "export", code="export_failed"), at("c", "wasm", "export", code="export_failed"),
        at("d", "onnxruntime", correct=None), at("d", "wasm"),
    )  # fmt: skip
    wasm = found.totals[None, "wasm"]
    assert (wasm.ok, wasm.asked, wasm.percent) == (2, 4, 50)
    assert wasm.names["ok"] == ("a", "d") and wasm.names["failed"] == ("b", "c")
    assert wasm.agreed == ("a", "b") and wasm.percent_of_agreed == 50  # d ran there, but nobody checked it
    assert found.totals[None, "onnxruntime"].percent_of_agreed is None


def test_a_browser_that_is_not_here_is_no_hole_of_the_model() -> None:
    assert covered(absent("a")).totals[None, "build"].asked == 0  # nobody tried
    found = covered(at("a", "wasm"), absent("a"), absent("b"), at("b", "wasm"))
    assert [column.name for column in found.columns] == ["wasm chromium", "wasm safari"]
    safari = found.totals[None, "wasm safari"]
    assert (safari.asked, safari.percent, safari.names["not_here"]) == (0, None, ("a", "b"))
    assert found.totals[None, "wasm chromium"].percent == 100 and ranked(found) == []


def test_families_are_in_their_order_and_others_come_last() -> None:
    names = ["zebra", "diffusion", "vision", "text_encoder"]
    found = covered(*(at(name, "cpu", family=name) for name in names))
    assert found.families == ("text_encoder", "vision", "diffusion", "zebra")
    assert [row.family for row in found.rows] == list(found.families) and FAMILIES[0] == "text_encoder"


def test_of_several_points_in_one_column_the_worst_stands() -> None:
    (case, right), _ = at("a", "wasm")
    wrong = case.model_copy(update={"batch_size": 8})
    bad = right.model_copy(update={"case_id": wrong.case_id, "outcome": "failed", "code": "wrong_output"})
    for points in ([(case, right), (wrong, bad)], [(wrong, bad), (case, right)]):
        found = coverage_of(points, {case.case_id: None, wrong.case_id: "agree"})
        assert found.totals[None, "wasm"].names["failed"] == ("a",)


def test_an_empty_run_has_nothing() -> None:
    found = covered()
    assert (found.rows, found.columns, found.cells, ranked(found)) == ((), (), [], [])


# Worded as torch.export, torch.onnx, ONNX Runtime, transformers and Chromium word such things.
@pytest.mark.parametrize(
    ("stage", "code", "reason", "told"),
    [
        ("build", "build_failed", TIMM, ("missing_package", "package", "timm")),
        ("build", "build_failed", "ModuleNotFoundError: No module named 'mamba_ssm'",
         ("missing_package", "package", "mamba_ssm")),
        ("export", "export_failed", "Could not guard on data-dependent expression Eq(u0, 1) (unhinted: Eq(u0, 1)).",
         ("dynamic_control_flow", "model", None)),
        ("export", "export_failed", "\x1b[96mstep 3/3\x1b[0m No ONNX function found for "
         "<OpOverload(op='aten.linalg_eig', overload='default')>.",
         ("unsupported_operator", "exporter", "aten.linalg_eig")),
        ("export", "export_failed", "No ONNX function found for <OpOverload(op='transformers.grouped_mm_fallback', "
         "overload='default')>", ("custom_kernel", "model", "transformers.grouped_mm_fallback")),
        ("export", "export_failed", "Exporting the operator 'aten::linalg_solve_triangular' to ONNX opset version 18 "
         "is not supported", ("unsupported_operator", "exporter", "aten::linalg_solve_triangular")),
        ("load", "onnxruntime_refused", "export: NOT_IMPLEMENTED : Could not find an implementation for Det(11) node",
         ("unsupported_operator", "runtime", "Det")),
        ("load", "load_failed", "Fatal error: com.microsoft:GroupNorm(-1) is not a registered function/op",
         ("unsupported_operator", "runtime", "com.microsoft:GroupNorm")),
        ("load", "load_failed", "NotSupportedError: Failed to execute 'build' on 'MLGraphBuilder': gatherElements only "
         "supports constant indices.", ("unsupported_operator", "browser", "gatherElements")),
        ("agree", "wrong_output", "off by 3", ("wrong_output", "runtime", None)),
        ("agree", "export_disagrees", "off by 3", ("wrong_output", "exporter", None)),
        ("forward", "degenerate_output", "output 'logits' is constant (0)", ("degenerate_output", "ours", None)),
        ("forward", "forward_failed", "RuntimeError: mat1 and mat2 shapes cannot be multiplied (16x30 and 32x8)",
         ("shape_mismatch", "ours", None)),
        ("load", "load_failed", "Got invalid dimensions for input: x", ("shape_mismatch", "runtime", None)),
        ("forward", "forward_failed", "TypeError: forward() missing 1 required positional argument: 'query_embeds'",
         ("no_rule", "ours", None)),
        ("build", "build_failed", "export: too large 1029835715", ("too_large", "model", None)),
        ("export", "export_timeout", "no word for 120 s", ("timeout", "exporter", None)),
        ("run", "inference_failed", "std::bad_alloc", ("out_of_memory", "runtime", None)),
        ("run", "crashed", "signal 11", ("crash", "runtime", None)),
        ("run", "inference_failed", "InvalidStateError: Failed to execute 'readTensor' on 'MLContext': Tensor has been "
         "destroyed or context is lost.", ("lost_device", "browser", None)),
        ("forward", "random_output", "VitsModel draws random numbers: it gives others each time that it is run",
         ("random_output", "model", None)),
        ("forward", "forward_no_rule", "no rule makes state of PI0ForConditionalGeneration", ("no_rule", "ours", None)),
        ("build", "missing_weights", "checkpoint has no weights for lm_head.weight", ("no_rule", "ours", None)),
        ("build", "build_failed", "ValueError: Could not find VoxtralRealtimeTextModel neither in <module 'x'> nor in "
         "<module 'y'>!", ("no_class", "model", "VoxtralRealtimeTextModel")),
        ("export", "load_failed", "OSError: the folder does not appear to have a file named spk_dict.pt. Checkout it",
         ("missing_file", "model", "spk_dict.pt")),
        ("export", "export_failed", "RuntimeError: .numpy() is not supported for tensor subclasses.",
         ("dynamic_control_flow", "model", None)),
        ("load", "onnxruntime_refused", "Load model from the graph failed:Invalid model. Node input 'mul_8_min_1' is "
         "not a graph input", ("invalid_graph", "exporter", None)),
        ("run", "inference_failed", "Non-zero status code returned while running Resize node. Name:'n' Status Message: "
         "The antialias attribute of Resize operator is NOT implemented.",
         ("unsupported_operator", "runtime", "Resize")),
        ("run", "inference_failed", "Non-zero status code returned while running Gather node. Name:'n' Status Message: "
         "indices element out of data bounds", ("operator_failed", "runtime", "Gather")),
        ("load", "load_failed", "Can't create a session. Provider type for Cast node with name 'x' is not set.",
         ("unsupported_operator", "runtime", "Cast")),
        ("load", "load_failed", "TypeError: Failed to execute 'matmul' on 'MLGraphBuilder': [n] The number of columns "
         "(32) in the first matrix isn't equal to the number of rows (16)", ("operator_failed", "browser", "matmul")),
        ("load", "load_failed", "NotSupportedError: Failed to execute 'build' on 'MLGraphBuilder': Buffer size is over "
         "inline limit.", ("too_large", "browser", None)),
        ("plan", None, "there is no safari here (macOS only): comes with the system", ("not_here", "nobody", None)),
        ("run", "inference_failed", "the moon was in the wrong quarter", ("unclassified", "unknown", None)),
        ("build", "build_failed", "TypeError: 'NoneType' object is not subscriptable",
         ("unclassified", "unknown", None)),
        ("run", None, None, ("unclassified", "unknown", None)),
    ],
)  # fmt: skip
def test_a_cause_is_known_by_its_words_and_never_guessed(stage: str, code: Any, reason: Any, told: Any) -> None:
    cause = why(stage, code, reason)
    assert cause is not None and (cause.kind, cause.owner, cause.subject) == told


def test_equal_causes_have_one_signature() -> None:
    a, b = (
        f"RuntimeError: mat1 and mat2 shapes cannot be multiplied ({each})"
        for each in ("16x30 and 32x8", "1x2 and 3x4")
    )
    assert signature(a) == signature(b) != signature("RuntimeError: stride should not be zero")
    assert signature("KeyError: 'a'") == signature("KeyError: 'bc'")
    assert signature("'NoneType' object") != signature("'int' object")


def test_causes_are_ranked_by_how_many_architectures_they_stop() -> None:
    lost = {"code": "webnn_lost", "reason": "context is lost"}
    found = covered(
        at("a", "webnn", "run", **lost),
        *(at(name, place, "build", code="build_failed", reason=TIMM) for name in "bc" for place in ("cpu", "webnn")),
    )
    first, second = ranked(found)
    assert (first.why.kind, first.text, first.architectures) == ("missing_package", "timm", ("b", "c"))
    assert first.columns == ("cpu", "webnn") and first.stage == "build"
    assert (second.why.kind, second.architectures, second.reason) == ("lost_device", ("a",), "context is lost")


def run_of(**packages: str) -> Run:
    plan = Plan(cases=(), policy=Policy(purpose="coverage"))
    return Run(run_id="r", started_at="2026-01-01", command="", machine={"packages": packages}, plan=plan)


def test_which_versions_stand_between_two_runs() -> None:
    (before, _), (after, _) = (
        at("a", "wasm", runtime=f"onnxruntime-web@1.{n}", browser_version=f"15{n}") for n in (2, 3)
    )
    old, new = run_of(torch="2.12", onnx="1.0"), run_of(torch="2.13", onnx="1.0", openvino="1")
    assert version_changes(old, [before], new, [after]) == [
        VersionChange("torch", "2.12", "2.13"), VersionChange("openvino", None, "1"),
        VersionChange("onnxruntime-web", "1.2", "1.3"), VersionChange("chromium", "152", "153"),
    ]  # fmt: skip
    assert version_changes(old, [before], old, [before]) == []


def test_differences_are_grouped_by_kind_family_and_cause() -> None:
    lost = {"code": "webnn_lost", "reason": "context is lost"}
    before = [
        at("a", "webnn"),
        at("b", "webnn"),
        at("c", "webnn", family="audio"),
        at("d", "cpu", "build", reason=TIMM),
    ]
    after = [at("a", "webnn", "run", **lost), at("b", "webnn", "run", **lost),
             at("c", "webnn", "run", family="audio", **lost), at("d", "cpu")]  # fmt: skip
    found = between_runs([point for point, _ in before], [point for point, _ in after])
    groups = grouped(found, stages(*before), stages(*after))
    told = [(one.kind, one.family, one.why.kind if one.why else None, one.models) for one in groups]
    assert told == [
        ("broke", "vision", "lost_device", ("a", "b")),
        ("broke", "audio", "lost_device", ("c",)),
        ("mended", "vision", "missing_package", ("d",)),
    ]
