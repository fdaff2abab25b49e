"""The zoo: a tiny model of an architecture of each family runs forward on inputs that its outputs depend on."""

import hashlib
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from exporters.checks import broken_numbers, flat_numbers, insensitive
from exporters.reference import outputs_of, tensors
from exporters.zoo.build import default_config, random_model, sized_config
from exporters.zoo.inputs import Ask, make_inputs

# What the inputs of tiny models were (batch 2, length 16, seed 3) before a module was asked what it takes.
BEFORE = {
    "bert": (["tokens"], "840634effece78332119eb973692de43"),
    "vit": (["image"], "606d1e5ed45956ecd3f404c82448b53a"),
    "gpt2": (["tokens"], "d03d70ae04656b9c3c0c8e8a7ad4b5e1"),
    "t5": (["tokens", "decoder_tokens"], "60d5fbc5b2791cbf0f83d44e12d07c67"),
    "whisper": (["audio", "decoder_tokens"], "eac9869453d3beeb8499037e7d8cb157"),
}
SAMPLE = [
    "albert", "bart", "bert", "clip", "convnext", "deberta-v2", "dinov2", "distilbert", "gemma3_text", "gpt_neox",
    "hubert", "jamba", "llama", "llava", "mamba", "mixtral", "qwen2_vl", "qwen3_moe", "resnet", "roberta", "segformer",
    "siglip", "swin", "t5", "wav2vec2", "whisper",
]  # fmt: skip


def built(name: str, seed: int = 0) -> Any:
    return random_model(transformers.AutoModel, sized_config(default_config(name), "tiny"), seed)


def digest(arrays: dict[str, Any]) -> str:
    told = hashlib.sha256()
    for name, array in arrays.items():
        told.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    return told.hexdigest()[:32]


def outputs(module: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """As an Artifact would hold them."""
    with torch.no_grad():
        return {name: value.numpy() for name, value in outputs_of(module, tensors(inputs)).items()}


@pytest.mark.parametrize("name", BEFORE)
def test_inputs_of_the_first_architectures_stay_what_they_were(name: str) -> None:
    roles, before = BEFORE[name]
    for module in (None, built(name)):
        config = module.config if module is not None else sized_config(default_config(name), "tiny")
        assert digest(make_inputs(roles, Ask(config, 2, 16, 3, module=module))) == before


@pytest.mark.parametrize("name", SAMPLE)
@pytest.mark.filterwarnings("ignore")
def test_tiny_model_answers_what_it_is_asked(name: str) -> None:
    module = built(name)
    assert sum(each.numel() for each in module.parameters()) < 5_000_000
    asked = {seed: make_inputs(["forward"], Ask(module.config, 1, 16, seed, module=module)) for seed in (0, 1)}
    again = make_inputs(["forward"], Ask(module.config, 1, 16, 0, module=module))
    assert digest(again) == digest(asked[0])
    first, second = outputs(module, asked[0]), outputs(module, asked[1])
    assert first, "some tensor comes out"
    assert broken_numbers(first) is None
    assert flat_numbers(first) is None
    assert insensitive(first, second) is None
    two = make_inputs(["forward"], Ask(module.config, 2, 16, 0, module=module))
    assert outputs(module, two)


@pytest.mark.parametrize("name", ["llava", "qwen2_vl"])
@pytest.mark.filterwarnings("ignore")
def test_a_vision_language_model_reads_its_picture(name: str) -> None:
    module = built(name)
    inputs = make_inputs(["forward"], Ask(module.config, 1, 16, 0, module=module))
    assert {"input_ids", "pixel_values"} <= set(inputs)
    assert (inputs["input_ids"] == module.config.image_token_id).sum() > 0
    other = {**inputs, "pixel_values": inputs["pixel_values"][..., ::-1].copy()}
    assert insensitive(outputs(module, inputs), outputs(module, other)) is None


def test_same_seed_same_weights() -> None:
    one, same, other = (built("convnext", seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_insensitive_outputs_are_told() -> None:
    same = {"out": np.ones((1, 4), np.float32)}
    assert insensitive(same, {"out": same["out"].copy()})
    assert insensitive(same, {"out": same["out"] * 1.1}) is None
