"""What a module must give: by which attention, and what could not show a mistake."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    Aimv2TextConfig,
    Aimv2TextModel,
    BertConfig,
    BertModel,
    DetrConfig,
    DetrModel,
    ResNetConfig,
)

from exporters.checks import broken_numbers, disagreement, flat_numbers, overflown
from exporters.reference import kinds_of_attention, reference_of
from exporters.seam import ExportFailed

LEAST = float(np.finfo(np.float32).min)
X = {"x": np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)}


class Says(torch.nn.Module):
    """Gives what a function makes of its input."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer, self.config = answer, SimpleNamespace()

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.answer(x)}


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (lambda x: x + torch.rand(2, 4), "random_output", "random"),
        (lambda x: x * 0 + 1, "degenerate_output", "constant"),
        (lambda x: x * 1e-20, "degenerate_output", "vanishes"),
        (lambda x: x * 0 + torch.arange(4.0), "degenerate_output", "do not depend"),
        (lambda x: x / 0, "degenerate_output", "infinity"),
        (lambda x: x * float("nan"), "degenerate_output", "NaN"),
    ],
)
def test_what_could_show_no_mistake_is_refused(answer: Any, code: str, words: str) -> None:
    with pytest.raises(ExportFailed, match=words) as refused:
        reference_of(Says(answer), X)
    assert refused.value.code == code


def test_what_is_masked_does_not_hide_the_rest() -> None:
    for mask in (LEAST, -float("inf")):
        given, _ = reference_of(Says(lambda x, mask=mask: torch.where(x < 0, mask, x)), X)
        assert broken_numbers(given) is None and flat_numbers(given) is None
        assert disagreement(given, given)[1] is None
        near = {"y": np.where(given["y"] < 0, mask, np.abs(X["x"]) * 1.01).astype(np.float32)}
        assert "differs" in str(disagreement(given, near)[1])
        unmasked = {"y": np.where(given["y"] < 0, 0, given["y"]).astype(np.float32)}
        assert "masked" in str(disagreement(given, unmasked)[1])
        halves = {"y": np.where(given["y"] < 0, -np.inf, given["y"]).astype(np.float32)}
        assert overflown(given, halves) is None and "Inf" in str(overflown(unmasked, halves))


class Reads(torch.nn.Module):
    """A text beside a picture, which it does not look at."""

    config = SimpleNamespace()

    def forward(self, input_ids: torch.Tensor, pixel_values: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": input_ids * 0.5 + 0 * pixel_values.sum()}


def test_a_picture_that_is_not_looked_at_is_a_note() -> None:
    given = {"input_ids": np.array([[3, 1, 2]], np.int64), "pixel_values": np.ones((1, 3, 2, 2), np.float32)}
    _, notes = reference_of(Reads(), given)
    assert notes[-1] == "the outputs do not depend on pixel_values: a weak check"


SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def model(cls: Any, config: Any) -> Any:
    torch.manual_seed(0)
    return cls(config).eval()


def test_attention_that_loses_causality_is_not_the_reference() -> None:
    # Its text is causal by a mask, which sdpa leaves out where nothing is padded, and then is told not to be causal.
    text = model(Aimv2TextModel, Aimv2TextConfig(**SMALL))
    ids = np.arange(5, 13, dtype=np.int64).reshape(1, 8)
    given, notes = reference_of(text, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    assert notes[0] == "reference with eager attention" and "is not its eager attention" in notes[1]
    # Causal: what comes last says nothing of what came before.
    other = ids.copy()
    other[0, -1] = 77
    with torch.no_grad():
        again = text(torch.from_numpy(other), attention_mask=torch.ones(1, 8, dtype=torch.int64)).last_hidden_state
    assert np.allclose(given["last_hidden_state"][0, :-1], again[0, :-1].numpy(), atol=1e-6)


class Masks(Says):
    """With eager attention it makes nothing of a row that is masked whole."""

    def __init__(self) -> None:
        super().__init__(lambda x: x if self.config._attn_implementation == "sdpa" else x / 0 * 0)
        self.config = SimpleNamespace(_attn_implementation="sdpa")

    def set_attn_implementation(self, kind: str) -> None:
        self.config._attn_implementation = kind


def test_eager_attention_that_breaks_is_no_reference() -> None:
    given, notes = reference_of(Masks(), X)
    assert notes == ("reference with sdpa attention",) and np.isfinite(given["y"]).all()


def test_attention_that_agrees_is_kept() -> None:
    bert = model(BertModel, BertConfig(**SMALL))
    ids = np.arange(5, 13, dtype=np.int64).reshape(1, 8)
    _, notes = reference_of(bert, {"input_ids": ids})
    assert notes == ("reference with sdpa attention",)
    assert bert.config._attn_implementation == "sdpa"


def test_parts_keep_the_attention_that_each_of_them_has() -> None:
    config = DetrConfig(
        use_timm_backbone=False, d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, num_queries=3,
        backbone_config=ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], out_features=["stage2"]),
    )  # fmt: skip
    detr = model(DetrModel, config)
    before = kinds_of_attention(detr)
    pixels = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
    reference_of(detr, {"pixel_values": pixels})
    assert kinds_of_attention(detr) == before == {"eager", "sdpa"}
