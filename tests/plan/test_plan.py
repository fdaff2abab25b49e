"""What was asked for becomes Cases: names, sweeps, impossible points, spec files."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness import catalog
from harness.core.errors import UserMistake
from harness.core.nouns import USUAL_PAGE_BACKEND, Plan
from harness.plan.cases import default_isolation, make_plan
from harness.plan.models import is_path
from harness.plan.selection import as_toml, make_selection

FOUND = {"architecture": "bert", "class": "BertModel", "revision": "abc123", "path": "/w", "weights_from": "hub abc123"}


def lookup(name: str, revision: str | None) -> Mapping[str, Any]:
    if name.endswith(".onnx"):
        return {"files": [name, *map(str, Path(name).parent.glob("*.data"))]}
    return {**FOUND, "revision": revision or FOUND["revision"]}


def plan(**flags: Any) -> Plan:
    return make_plan(make_selection(None, {"hardware": ("noop",), **flags}), lookup)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bert", False), ("org/name", False), ("org/name@v1", False),
        ("./bert", True), ("../x", True), ("/abs/x", True), ("~/x", True), ("m.onnx", True), ("org/m.onnx", True),
        ("C:\\models\\x", True), ("C:/models/x", True), (".\\x", True),
    ],
)  # fmt: skip
def test_one_rule_tells_a_path(name: str, expected: bool) -> None:
    assert is_path(name) is expected


def test_a_bare_word_is_an_architecture_whatever_lies_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bert").mkdir()
    monkeypatch.chdir(tmp_path)
    model = plan(model="bert").cases[0].case.model
    assert (model.kind, model.weights, model.scale) == ("architecture", "random", "full")


def test_a_hub_id_is_pretrained_and_named_by_its_revision() -> None:
    model = plan(model="org/name@v2").cases[0].case.model
    assert (model.kind, model.weights, model.identity) == ("pretrained", "pretrained", "org/name@v2")


def test_an_onnx_file_is_named_by_its_bytes(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        (tmp_path / name).write_bytes(b"same")
    models = [plan(model=str(tmp_path / name)).cases[0].case.model for name in ("a.onnx", "b.onnx")]
    assert models[0].identity == models[1].identity
    assert models[0].kind == "onnx"
    (tmp_path / "a.onnx.data").write_bytes(b"weights")
    assert plan(model=str(tmp_path / "a.onnx")).cases[0].case.model.identity != models[0].identity


@pytest.mark.parametrize(
    ("flags", "code", "hint"),
    [
        ({"model": "brt"}, "unknown_model", "bert"),
        ({"model": "bert", "hardware": "webgpuu"}, "unknown_hardware", "webgpu"),
        ({"model": "bert", "hardware": "webnn:gpuu"}, "unknown_device", "gpu"),
        ({"model": "bert", "hardware": "wasm", "browser": "chromum"}, "unknown_browser", "chromium"),
        ({"model": "bert", "backend": "pytorh"}, "unknown_backend", "pytorch"),
        ({"model": "bert", "backend": "pytorch"}, "unused_backend", "cpu"),
        ({"model": "bert", "task": "text-generatio"}, "unknown_task", "text-generation"),
        ({"model": "./no.onnx"}, "no_such_file", ""),
        ({"model": "org/name", "scale": "tiny"}, "tiny_pretrained", ""),
        ({"model": "org/name", "layers": 2}, "cut_pretrained", ""),
        ({"model": "org/name", "weights": "random"}, "no_random", ""),
        ({"model": "bert", "weights": "pretrained"}, "no_weights", ""),
        ({}, "no_model", ""),
        ({"model": "bert", "rounds": 0}, "bad_value", ""),
        ({"model": "bert", "batch_size": (0,)}, "bad_value", ""),
        ({"model": "bert", "budget": "soon"}, "bad_duration", ""),
    ],
)
def test_mistakes_are_named_before_anything_starts(flags: dict[str, Any], code: str, hint: str) -> None:
    with pytest.raises(UserMistake) as caught:
        plan(**flags)
    assert caught.value.code == code
    assert hint in (caught.value.hint or "")


def test_a_sweep_is_every_point_once() -> None:
    cases = plan(model=["bert", "bert"], batch_size=(1, 8), length=(16, 32), hardware=("noop", "cpu")).cases
    assert len(cases) == 2 * 2 * 2
    assert len({point.case.case_id for point in cases}) == len(cases)


def test_lengths_are_for_tasks_that_have_one() -> None:
    assert plan(model="bert").cases[0].case.length == 128
    assert [point.case.length for point in plan(model="vit", length=(16, 32)).cases] == [None]


def test_an_impossible_point_is_a_case_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"x")
    points = plan(model=str(tmp_path / "m.onnx"), hardware=("cpu", "onnxruntime")).cases
    assert [point.outcome for point in points] == ["unsupported", None]
    assert "no such form" in (points[0].reason or "")
    half = plan(model="bert", precision="fp16").cases[0]
    assert half.outcome == "unsupported" and "fp16" in (half.reason or "")
    training = plan(model="bert", mode="training").cases[0]
    assert training.outcome == "unsupported" and "training" in (training.reason or "")


def test_a_package_that_is_missing_is_a_reason_with_the_way_to_mend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    point = plan(model="bert", hardware="onnxruntime").cases[0]
    assert point.outcome == "unsupported"
    assert "onnxruntime is not installed: pip install" in (point.reason or "")


def test_only_a_browser_that_can_be_kept_is_kept() -> None:
    asked = plan(model="bert", hardware="wasm", browser=("chromium", "firefox"), isolation="zygote")
    assert [point.outcome for point in asked.cases] == [None, "unsupported"]
    assert "use --isolation process" in (asked.cases[1].reason or "")


def test_all_browsers_are_those_of_the_catalogue_that_can_be_started() -> None:
    asked = plan(model="bert", hardware="wasm", browser=("all",))
    assert {*catalog.browsers()} - {point.case.browser for point in asked.cases} == {"attached"}


def test_attached_devices_have_names_of_their_own() -> None:
    asked = plan(model="bert", hardware="wasm", browser=("attached", "attached@phone", "attached@tablet-2"))
    assert [point.case.browser_version for point in asked.cases] == [None, "phone", "tablet-2"]
    assert len({point.case.case_id for point in asked.cases}) == 3


@pytest.mark.parametrize("name", ["Phone", "a b", "../x", "-x", "x-", "a" * 33, "ф", "<b>", "a\n", "a@b", "a/b"])
def test_a_device_is_named_by_a_short_word(name: str) -> None:
    with pytest.raises(UserMistake) as caught:
        plan(model="bert", hardware="wasm", browser=(f"attached@{name}",))
    assert caught.value.code == "bad_device_name"


def test_an_attached_browsers_profile_and_process_are_not_ours_to_set() -> None:
    warm = plan(model="bert", hardware="wasm", browser=("attached",), cache="warm").cases[0]
    assert warm.outcome == "unsupported" and "its owner's" in (warm.reason or "")
    kept = plan(model="bert", hardware="wasm", browser=("attached",), isolation="zygote").cases[0]
    assert kept.outcome == "unsupported" and "cannot be kept" in (kept.reason or "")


def test_a_zygote_is_asked_for_and_offered_only_where_a_fork_is_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plan(model="bert").cases[0].case.isolation == default_isolation()
    monkeypatch.setattr(sys, "platform", "linux")
    possible = plan(model="bert", isolation="zygote").cases[0]
    assert (possible.case.isolation, possible.outcome) == ("zygote", None)
    monkeypatch.setattr(sys, "platform", "darwin")
    impossible = plan(model="bert", isolation="zygote").cases[0]
    assert impossible.outcome == "unsupported" and "not on darwin: use --isolation process" in (impossible.reason or "")
    assert plan(model="bert", isolation="process").cases[0].outcome is None


def test_an_architecture_outside_the_catalogue_is_unsupported_not_unknown() -> None:
    strange = make_plan(
        make_selection(None, {"model": "org/name", "hardware": "noop"}), lambda *_: {**FOUND, "architecture": "novel"}
    )
    assert strange.cases[0].outcome == "unsupported" and "novel" in (strange.cases[0].reason or "")


def test_all_hardware_is_every_platform_that_is_not_for_tests() -> None:
    platforms = {point.case.platform for point in plan(model="bert", hardware="all").cases}
    assert {"cpu", "onnxruntime", "wasm", "webgpu", "webnn"} <= platforms
    assert "noop" not in platforms
    assert platforms <= set(catalog.platforms())


def test_a_spec_file_is_the_flags_and_flags_win(tmp_path: Path) -> None:
    spec = tmp_path / "sweep.toml"
    spec.write_text('model = ["bert", "vit"]\nbatch-size = [1, 8]\nbudget = "2s"\nscale = "tiny"\n')
    selection = make_selection(spec, {"budget": "3s"})
    assert (selection.model, selection.batch_size, selection.budget) == (("bert", "vit"), (1, 8), "3s")
    again = tmp_path / "again.toml"
    again.write_text(as_toml(selection))
    assert make_selection(again, {}) == selection


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("model = [", "bad_spec"),
        ("modle = 'bert'", "unknown_key"),
        ("model = 3", "bad_value"),
        ("rounds = 'x'", "bad_value"),
    ],
)
def test_a_wrong_spec_is_named(tmp_path: Path, text: str, code: str) -> None:
    spec = tmp_path / "sweep.toml"
    spec.write_text(text)
    with pytest.raises(UserMistake) as caught:
        make_selection(spec, {})
    assert caught.value.code == code


def test_only_a_page_has_a_profile_to_be_warm_in() -> None:
    native, page = plan(model="bert", hardware=("cpu", "wasm"), cache="warm").cases
    assert native.outcome == "unsupported" and "--cache warm is for pages" in (native.reason or "")
    assert page.outcome is None and page.case.slug.endswith("cache=warm")


def test_a_page_has_one_usual_backend_and_others_when_asked_for() -> None:
    pages = {name: offers for name, offers in catalog.platforms().items() if offers[0].side == "page"}
    usual = {name: offers[0].name for name, offers in pages.items() if not offers[0].for_tests}
    assert usual == dict.fromkeys(("wasm", "webgpu", "webnn"), USUAL_PAGE_BACKEND)
    both = plan(model="bert", hardware=("cpu", "wasm"), backend=("transformers_js", "ort_web"))
    assert [point.case.backend for point in both.cases] == ["pytorch", "transformers_js", "ort_web"]
    assert [point.case.unusual_backend for point in both.cases] == [None, "transformers_js", None]
    assert plan(model="bert", hardware=("wasm",)).cases[0].case.backend == USUAL_PAGE_BACKEND


def test_a_backend_refuses_a_task_that_it_has_no_pipeline_for() -> None:
    for model, task in (("gpt2", "text-generation"), ("whisper", "automatic-speech-recognition")):
        (point,) = plan(model=model, hardware=("wasm",), backend="transformers_js").cases
        assert point.outcome == "unsupported" and f"not {task}" in str(point.reason)
    (point,) = plan(model="bert", task="text-classification", hardware=("wasm",), backend="transformers_js").cases
    assert (point.case.task, point.outcome) == ("text-classification", None)
