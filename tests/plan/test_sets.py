"""Families, named sets and samples become models; names that nobody knows are told with the nearest."""

from collections import Counter
from typing import Any

import pytest

from harness import catalog
from harness.core.errors import UserMistake
from harness.core.nouns import Plan
from harness.plan import sets
from harness.plan.cases import make_plan
from harness.plan.selection import as_toml, make_selection, parse_spec

KEY = {
    "bert", "vit", "detr", "llama", "t5", "qwen2", "whisper", "wav2vec2", "clap", "clip", "llava", "llava_next",
    "xclip",
}  # fmt: skip


def asked(**flags: Any) -> tuple[str, ...]:
    return sets.models_asked(make_selection(None, flags))


def plan(**flags: Any) -> Plan:
    return make_plan(make_selection(None, {"hardware": ("noop",), **flags}), lambda name, revision: {})


def test_every_set_has_a_reason_and_only_architectures_that_are_there() -> None:
    assert sets.reasons().keys() == sets.sets().keys() and all(sets.reasons().values())
    known = catalog.architectures()
    for name, rule in sets._rules().items():
        assert sets.sets()[name] and list(rule.get("models", [])) == [m for m in rule.get("models", []) if m in known]


def test_key_models_are_the_thirteen() -> None:
    assert set(sets.sets()["key-models"]) == KEY
    assert {case.case.model.name for case in plan(set="key-models").cases} == KEY


def test_small_is_what_has_few_parameters() -> None:
    small = sets.sets()["small"]
    assert {"t5", "whisper", "vit"} <= set(small) and not {"bert", "llama"} & set(small)


def test_a_family_is_all_of_it_with_dashes_or_without() -> None:
    speech = asked(family="speech-text")
    assert speech == asked(family="speech_text") and "whisper" in speech
    assert {catalog.architectures()[name].family for name in speech} == {"speech_text"}
    assert set(asked(family=("speech_text", "video"))) == {*speech, *asked(family="video")}


def test_all_is_the_catalogue() -> None:
    assert asked(all=True) == tuple(catalog.architectures())


def test_what_is_typed_comes_first_and_once() -> None:
    names = asked(model=("gpt2", "org/name", "bert"), set="key-models")
    assert names[:3] == ("gpt2", "org/name", "bert") and len(names) == len(set(names)) == 13 + 2


def test_a_sample_is_always_the_same_and_has_two_of_each_family() -> None:
    sample = asked(all=True, sample=60)
    assert sample == asked(all=True, sample=60) and len(sample) == 60
    counts = Counter(catalog.architectures()[name].family for name in sample)
    assert counts.keys() == sets.families().keys() and min(counts.values()) >= 2
    biggest, *_, smallest = sets.families()
    assert counts[biggest] > counts[smallest]


def test_a_sample_does_not_depend_on_the_order_of_the_names() -> None:
    names = asked(all=True)
    assert set(sets.sample_of(names, 60)) == set(sets.sample_of(names[::-1], 60))


def test_a_sample_larger_than_what_there_is_is_all_of_it() -> None:
    assert asked(set="key-models", sample=500) == asked(set="key-models")


def test_models_that_were_typed_are_not_sampled_away() -> None:
    names = asked(model="gpt2", family="vision", sample=3)
    assert names[0] == "gpt2" and len(names) == 4


@pytest.mark.parametrize(
    ("flags", "code", "hint"),
    [
        ({"family": "visoin"}, "unknown_family", "vision"),
        ({"set": "key-model"}, "unknown_set", "key-models"),
        ({"model": "bert", "sample": 3}, "nothing_to_sample", "--family"),
        ({"all": True, "sample": 5}, "sample_too_small", "at least 20"),
        ({"all": True, "sample": 0}, "bad_value", ""),
        ({"sample": 5}, "no_model", ""),
    ],
)
def test_mistakes_say_what_to_do(flags: dict[str, Any], code: str, hint: str) -> None:
    with pytest.raises(UserMistake) as caught:
        asked(**flags)
    assert caught.value.code == code and hint in str(caught.value.hint)


def test_a_spec_says_the_same_with_the_flags_names() -> None:
    spec = parse_spec(b'family = ["vision", "audio"]\nset = "small"\nall = true\nsample = 20\n', "spec")
    assert spec == {"family": ["vision", "audio"], "set": "small", "all": True, "sample": 20}
    selection = make_selection(None, spec)
    assert parse_spec(as_toml(selection).encode(), "again") == {
        "family": ["vision", "audio"], "set": ["small"], "all": True, "sample": 20,
    }  # fmt: skip


def test_every_architecture_can_be_planned_but_not_times_everything() -> None:
    assert len(plan(all=True).cases) == len(catalog.architectures())
    with pytest.raises(UserMistake) as caught:
        plan(all=True, batch_size=tuple(range(1, 101)))
    assert caught.value.code == "too_many_cases" and "--sample" in str(caught.value.hint)


def test_a_task_that_an_architecture_cannot_do_says_what_it_can() -> None:
    cases = {point.case.model.name: point for point in plan(set="key-models", task="text-generation").cases}
    assert cases["llama"].outcome is None and cases["bert"].outcome is None
    assert cases["vit"].outcome == "unsupported" and "image-classification" in str(cases["vit"].reason)


def test_a_device_that_is_attached_for_a_set_gets_no_model_of_the_demo() -> None:
    from harness.cli.attaching import asked_of

    demo = {"model": ("org/name",), "budget": "1s"}
    assert "model" not in asked_of({"set": ("key-models",)}, (), demo)
    assert asked_of({}, (), demo)["model"] == ("org/name",)
