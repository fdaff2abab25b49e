"""One step of generation against a cache: the same numbers as the whole text at once."""

from typing import Any

import numpy as np
import pytest
import torch
import transformers

from exporters.reference import outputs_of, tensors
from exporters.seam import ExportUnsupported
from exporters.zoo.build import default_config, random_model, sized_config
from exporters.zoo.inputs import Ask, make_inputs
from exporters.zoo.recipes import random_ids

LENGTH = 9


def built(name: str) -> Any:
    return random_model(transformers.AutoModelForCausalLM, sized_config(default_config(name), "tiny"), 0)


@pytest.mark.parametrize("name", ["llama", "qwen2", "gpt2"])
@pytest.mark.filterwarnings("ignore")
def test_a_step_gives_what_the_whole_text_gives_at_its_last_token(name: str) -> None:
    module = built(name)
    ask = Ask(module.config, 2, LENGTH, 0, module=module)
    given = make_inputs(("tokens", "past"), ask)
    with torch.no_grad():
        step = outputs_of(module, tensors(given))
        text = np.concatenate([random_ids(ask, "tokens", (2, LENGTH)), given["input_ids"]], axis=1)
        whole = module(input_ids=torch.from_numpy(text), use_cache=False).logits
    assert step["logits"].shape == (2, 1, module.config.vocab_size)
    assert torch.allclose(step["logits"][:, 0], whole[:, -1], atol=1e-5)
    heads = getattr(module.config, "num_key_value_heads", module.config.num_attention_heads)
    width = module.config.hidden_size // module.config.num_attention_heads
    for number in range(module.config.num_hidden_layers):
        past, present = given[f"past_key_values.{number}.key"], step[f"present.{number}.key"]
        assert past.shape == (2, heads, LENGTH, width) and present.shape == (2, heads, LENGTH + 1, width)
        assert np.array_equal(present[:, :, :LENGTH].numpy(), past), "what is past stays as it was"


@pytest.mark.filterwarnings("ignore")
def test_a_memory_that_is_no_keys_and_values_is_refused_by_name() -> None:
    module = built("jamba")
    with pytest.raises(ExportUnsupported, match="not in keys and values alone"):
        make_inputs(("tokens", "past"), Ask(module.config, 1, LENGTH, 0, module=module))
