"""The zoo's rules for pictures and sounds, on small hand-made configs and modules."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedConfig, VJEPA2Config

from exporters.zoo.inputs import Ask
from exporters.zoo.placeholders import place
from exporters.zoo.recipes import make
from exporters.zoo.tiny import tiny_config
from exporters.zoo.weights import fill, strengthen


def ask(batch_size: int = 2, **values: Any) -> Ask:
    return Ask(PreTrainedConfig(**values), batch_size, 16, 0)


@pytest.mark.parametrize(
    ("shape", "frames"),
    [((2, 96, 80), 96), ((2, 96, 560), 96), ((2, 80, 100), 100), ((2, 1, 7680), 7680), ((2, 7680), 7680)],
)
def test_a_mask_covers_the_frames_whichever_axis_they_are(shape: tuple[int, ...], frames: int) -> None:
    given = {"input_features": np.zeros(shape, np.float32)}
    mask = make(ask(num_mel_bins=80, num_stacked_frames=7), {"kind": "mask_of", "of": "input_features"}, given)
    assert mask.shape == (2, frames) and (mask == 1).all()


def test_packed_patches_of_a_batch_lie_side_by_side() -> None:
    recipe = {"kind": "smooth", "shape": [1, "channels", "patch", "batch * grid * grid * patch"], "role": "image"}
    assert make(ask(3, patch_size=8, num_channels=3), recipe, {}).shape == (1, 3, 8, 3 * 16 * 8)


def test_a_tiny_video_is_short_and_small() -> None:
    tiny = tiny_config(VJEPA2Config())
    assert (tiny.frames_per_clip, tiny.crop_size) == (4, 64)


class Codebook(torch.nn.Module):
    embed: torch.Tensor
    usage: torch.Tensor
    scratch: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("embed", torch.zeros(4, 3))
        self.register_buffer("usage", torch.zeros(4))
        self.register_buffer("scratch", torch.zeros(4, 3), persistent=False)


def test_entries_of_a_codebook_are_filled_and_what_is_not_saved_is_left() -> None:
    module = Codebook()
    assert fill(module, 0) == ["embed"]
    assert len({tuple(row) for row in module.embed.tolist()}) == 4
    assert not module.usage.any() and not module.scratch.any()


def test_a_norm_whose_scale_lies_about_zero_gets_one_that_lets_a_signal_through() -> None:
    torch.manual_seed(0)
    drawn, whole, plain = torch.nn.BatchNorm2d(64), torch.nn.BatchNorm2d(64), torch.nn.Linear(64, 64)
    for weight in (drawn.weight, plain.weight):
        torch.nn.init.normal_(weight, std=0.02)
    assert fill(torch.nn.ModuleDict({"drawn": drawn, "whole": whole, "plain": plain}), 0) == ["drawn.weight"]
    assert drawn.weight.min() >= 0.5 and drawn.weight.max() <= 1.5
    assert (whole.weight == 1).all()


def test_a_gain_that_is_data_holds_for_its_architecture_only() -> None:
    spreads = {}
    for name in ("superpoint", "no such architecture"):
        torch.manual_seed(0)
        convolution = torch.nn.Conv2d(8, 8, 3)
        torch.nn.init.normal_(convolution.weight, std=0.02)
        module = torch.nn.Sequential(convolution)
        setattr(module, "config", SimpleNamespace(model_type=name))  # noqa: B010 (a module's type knows no config)
        strengthen(module)
        spreads[name] = convolution.weight.std().item()
    # 72 inputs keep a signal's size at a spread of 72 ** -0.5; the gain is 1.4.
    assert spreads["superpoint"] == pytest.approx(1.4 * 72**-0.5, rel=1e-3)
    assert spreads["no such architecture"] == pytest.approx(0.02, rel=0.1)


class Hears(torch.nn.Module):
    """Compares tokens with features by itself, before it would call anything that could be watched."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.config = PreTrainedConfig(audio_token_id=7)
        self.features = features
        self.audio_tower = torch.nn.Identity()

    def forward(self, input_ids: Any, input_features: Any, attention_mask: Any) -> Any:
        heard = self.audio_tower(input_features[:, : self.features])
        if (input_ids == 7).sum() != heard.shape[0] * heard.shape[1]:
            raise ValueError("audio features and audio tokens do not match")
        return heard


def test_a_forward_that_compares_for_itself_has_its_encoder_asked() -> None:
    inputs = {
        "input_ids": np.full((2, 4), 3),
        "input_features": np.zeros((2, 9, 5), np.float32),
        "attention_mask": np.ones((2, 4), np.int64),
    }
    placed = place(Hears(6), inputs)
    assert placed["input_ids"].tolist() == [[3, *[7] * 6, 3, 3, 3]] * 2
    assert placed["attention_mask"].shape == (2, 10)
