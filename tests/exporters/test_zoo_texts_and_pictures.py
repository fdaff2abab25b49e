"""The zoo's rules for texts with pictures: hand-made cases of what is asked, and models whose pictures come oddly."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from exporters.checks import insensitive
from exporters.zoo.build import default_config, random_model, sized_config
from exporters.zoo.inputs import Ask, make_inputs
from exporters.zoo.placeholders import place
from exporters.zoo.recipes import make
from tests.exporters.test_zoo import outputs

LEAST = np.finfo(np.float32).min


def asked(batch: int = 2, **sizes: Any) -> Ask:
    """What is asked of a model whose config says these sizes; its pictures are four patches wide."""
    config = SimpleNamespace(attribute_map={}, **sizes)
    return Ask(config, batch, 16, 0, module=torch.nn.Linear(1, 1))


def test_patches_with_their_places_count_rows_and_columns_from_one() -> None:
    recipe = {"kind": "placed_patches", "shape": ["batch", "grid * grid", "2 + patch_pixels"], "role": "image"}
    patches = make(asked(patch_embed_hidden_size=12), recipe, {})
    assert patches.shape == (2, 16, 14)
    assert patches.dtype == np.float32
    assert patches[1, :5, 0].tolist() == [1, 1, 1, 1, 2]
    assert patches[1, :5, 1].tolist() == [1, 2, 3, 4, 1]


def test_each_patch_is_in_one_pool() -> None:
    pools = make(asked(), {"kind": "pools", "shape": ["batch * grid * grid // 4", 4]}, {})
    assert pools.shape == (8, 4)
    assert sorted(pools.ravel().tolist()) == list(range(32))


def test_a_row_of_lengths_is_said_for_each_item() -> None:
    row = make(asked(), {"kind": "row", "values": ["grid // 2", "grid // 2", 0, 0], "shape": ["batch"]}, {})
    assert row.tolist() == [[2, 2, 0, 0], [2, 2, 0, 0]]


def test_steps_may_begin_elsewhere_than_at_none() -> None:
    assert make(asked(1), {"kind": "steps", "first": 1, "shape": ["batch", 4]}, {}).tolist() == [[1, 2, 3, 4]]


def test_what_is_masked_does_not_hide_what_differs() -> None:
    one = {"scores": np.array([[1.0, LEAST, 3.0]], np.float32)}
    assert insensitive(one, {"scores": np.array([[1.0, LEAST, 3.5]], np.float32)}) is None
    assert insensitive(one, {"scores": one["scores"].copy()}) is not None
    assert insensitive({"scores": np.full((1, 3), LEAST)}, {"scores": np.full((1, 3), LEAST)}) is not None


class Coded(torch.nn.Module):
    """A model that makes five codes of its picture and compares them with the text's placeholders."""

    config = SimpleNamespace(image_token_id=7)

    def get_placeholder_mask(self, input_ids: torch.Tensor, image_ids: torch.Tensor) -> torch.Tensor:
        assert (input_ids == 7).sum() == len(image_ids)
        return input_ids == 7

    def forward(self, input_ids: torch.Tensor, pixel_values: torch.Tensor) -> torch.Tensor:
        return self.get_placeholder_mask(input_ids, torch.arange(5))


def test_each_code_of_a_picture_has_a_placeholder() -> None:
    inputs = {"input_ids": np.array([[1, 2, 3]]), "pixel_values": np.zeros((1, 3, 8, 8), np.float32)}
    assert place(Coded(), inputs)["input_ids"].tolist() == [[1, 7, 7, 7, 7, 7, 2, 3]]


@pytest.mark.parametrize("name", ["granite4_vision", "kimi_k25", "mistral3", "pix2struct", "step3p7"])
@pytest.mark.filterwarnings("ignore")
def test_a_model_reads_its_picture(name: str) -> None:
    auto = transformers.AutoModelForImageTextToText
    module = random_model(auto, sized_config(default_config(name), "tiny"), 0)
    inputs = make_inputs(["forward"], Ask(module.config, 1, 16, 0, module=module))
    pixels = next(each for each in ("pixel_values", "flattened_patches") if each in inputs)
    other = {**inputs, pixels: inputs[pixels].copy()}
    other[pixels][..., 2:] *= -1
    assert insensitive(outputs(module, inputs), outputs(module, other)) is None


@pytest.mark.parametrize("name", ["align", "bailing_hybrid", "bridgetower", "dots3_note_text", "kolibri1"])
@pytest.mark.filterwarnings("ignore")
def test_what_was_large_is_small(name: str) -> None:
    module = random_model(transformers.AutoModel, sized_config(default_config(name), "tiny"), 0)
    assert sum(each.numel() for each in module.parameters()) < 3_000_000
