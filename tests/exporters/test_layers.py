"""Fewer hidden layers, all else as it is; and what models of full size are given."""

from typing import Any

import pytest
import torch
import transformers

from exporters.zoo.build import check_length, default_config, sized_config
from exporters.zoo.inputs import Ask, make_inputs
from exporters.zoo.layers import cut_layers
from harness import catalog


def cut(name: str, layers: int) -> Any:
    return cut_layers(sized_config(default_config(name), "full"), layers)


@pytest.mark.parametrize("name", ["llama", "qwen2", "gpt2", "bert"])
def test_the_depth_is_cut_and_the_width_stays(name: str) -> None:
    whole, made = sized_config(default_config(name), "full"), cut(name, 2)
    assert (made.num_hidden_layers, made.hidden_size) == (2, whole.hidden_size)
    assert made.vocab_size == whole.vocab_size and made.num_attention_heads == whole.num_attention_heads
    assert len(getattr(made, "layer_types", None) or [1, 2]) == 2


def test_the_parts_of_a_model_are_cut_as_well() -> None:
    made = cut("llava", 3)
    assert (made.text_config.num_hidden_layers, made.vision_config.num_hidden_layers) == (3, 3)
    assert made.text_config.hidden_size == 4096 and made.vision_config.image_size == 336
    both = cut("t5", 2)
    assert (both.num_layers, both.num_decoder_layers) == (2, 2)


def test_no_layer_is_added_and_the_given_config_stays() -> None:
    config = sized_config(default_config("bert"), "full")
    assert cut_layers(config, 99).num_hidden_layers == cut_layers(config, 12).num_hidden_layers == 12
    cut_layers(config, 1)
    assert config.num_hidden_layers == 12


def test_sizes_per_stage_are_no_number_of_layers() -> None:
    audio = cut("clap", 1).audio_config
    assert (tuple(audio.depths), tuple(audio.num_attention_heads)) == ((2, 2, 6, 2), (4, 8, 16, 32))


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("vit", {"pixel_values": (1, 3, 224, 224)}),
        ("detr", {"pixel_values": (1, 3, 800, 1066)}),
        ("whisper", {"input_features": (1, 80, 3000)}),
        ("wav2vec2", {"input_values": (1, 76800)}),  # 4.8 s at 16 kHz
        ("clap", {"input_features": (1, 1, 1001, 64)}),  # ten seconds at 48 kHz, 480 samples a frame
        ("clip", {"pixel_values": (1, 3, 224, 224)}),
        ("xclip", {"pixel_values": (1, 8, 3, 224, 224)}),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_full_size_inputs_are_what_the_usual_processor_makes(name: str, shapes: dict[str, Any]) -> None:
    known, config = catalog.architectures()[name], cut(name, 1)
    with torch.no_grad():
        module = getattr(transformers, known.built_by)._from_config(config).eval()
    task = catalog.tasks()[known.task]
    length = check_length(module, task.length_default)
    made = make_inputs(task.inputs, Ask(module.config, 1, length, 0, module=module))
    assert {given: made[given].shape for given in shapes} == shapes
