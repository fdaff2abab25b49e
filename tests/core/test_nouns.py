"""case_id is a name for what is asked, not for how it was typed or where it lies."""

import pytest

from harness.core.digest import canonical_json, digest_of
from harness.core.errors import UserMistake
from harness.core.units import human_bytes, parse_duration
from tests.making import make_case, make_model


def test_the_same_question_has_the_same_id_on_every_machine() -> None:
    here = make_case(model=make_model(name="./m.onnx", path="/here/m.onnx", kind="onnx", identity="sha256:1"))
    there = make_case(model=make_model(name="/there/m.onnx", path="/there/m.onnx", kind="onnx", identity="sha256:1"))
    assert here.case_id == there.case_id


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 2}, {"length": 9}, {"threads": 2}, {"precision": "fp16"}, {"device": "gpu"}, {"seed": 1},
        {"options": {"compile": True}}, {"browser": "firefox"}, {"outputs": "device"}, {"dims": {"n": 3}},
        {"model": make_model(scale="full")}, {"model": make_model(identity="vit")}, {"inputs": "abc"},
    ],
)  # fmt: skip
def test_every_part_of_the_question_changes_the_id(change: dict[str, object]) -> None:
    assert make_case(**change).case_id != make_case().case_id


def test_ids_of_stored_cases_stay_as_they_were() -> None:
    """As the first released version gave them: a field that came later does not count where it says nothing."""
    page = {"platform": "wasm", "backend": "ort_web", "device": "wasm", "browser": "chromium", "cache": "warm"}
    assert make_case().case_id == "f86e355ac79be685"
    assert make_case(**page).case_id == "8bb15c92db7172f0"
    assert make_case(**page, network="50mbit").case_id != "8bb15c92db7172f0"


def test_the_slug_shows_what_is_not_default() -> None:
    plain = make_case(
        model=make_model(scale="full"), platform="webgpu", device="webgpu", browser="chromium", length=128
    )
    assert plain.slug == "bert/fp32/b1/l128/webgpu/chromium"
    other = make_case(platform="webnn", device="gpu", browser="chromium", options={"a": True, "b": "2"})
    assert other.slug == "bert/tiny/fp32/b1/l8/webnn:gpu/chromium/a/b=2"
    second = plain.model_copy(update={"backend": "transformers_js"})
    assert second.slug == "bert/fp32/b1/l128/webgpu/transformers_js/chromium"
    assert plain.model_copy(update={"isolation": "zygote"}).slug == f"{plain.slug}/zygote"


def test_layers_are_another_model_only_where_they_are_cut() -> None:
    whole, cut = make_case(), make_case(model=make_model(layers=2))
    assert "layers" not in whole.model.canonical() and whole.case_id != cut.case_id
    assert cut.slug == "bert/tiny/layers=2/fp32/b1/l8/noop"


def test_canonical_form_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical_json({"b": 1, "a": [1.5, None]}) == '{"a":[1.5,null],"b":1}'
    assert digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1})
    with pytest.raises(ValueError):
        canonical_json(float("nan"))


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [("20s", 20e9), ("500ms", 5e8), ("2m", 120e9), ("1.5h", 5400e9), ("3", 3e9), (" 1 S ", 1e9)],
)
def test_durations_as_people_write_them(text: str, expected_ns: float) -> None:
    assert parse_duration(text) == expected_ns


@pytest.mark.parametrize("text", ["", "0", "-1s", "soon", "1d", "1s2s", "nan"])
def test_what_is_no_duration_is_a_mistake(text: str) -> None:
    with pytest.raises(UserMistake):
        parse_duration(text)


def test_bytes_in_decimal_units() -> None:
    assert [human_bytes(n) for n in (0, 999, 83_400_000, 2e12)] == ["0 B", "999 B", "83.4 MB", "2.0 TB"]
