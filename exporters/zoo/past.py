"""Inputs of one step of generation: a new token, and the cache of those before it as the module itself makes it.

The prompt is seeded, of `length` tokens; its keys and values are what the module gives for it, so that the numbers are
of a real scale. Names are those of `harness.core.past`.
"""

from typing import Any

import numpy as np
import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from exporters.seam import ExportFailed, ExportUnsupported
from exporters.zoo.recipes import random_ids
from exporters.zoo.signature import signature_of
from harness.core.past import flat_past


def step_inputs(ask: Any) -> dict[str, Any]:
    """input_ids [batch, 1], attention_mask [batch, length + 1], position_ids [batch, 1] where the module takes them,
    and the cache. Raises ExportUnsupported for a module whose memory is something else than keys and values."""
    if ask.length is None:
        raise ExportFailed("length_missing", "this model has no size of its own; give --length")
    batch, names = ask.batch_size, signature_of(ask.module).names
    layers = _past_of(ask, random_ids(ask, "tokens", (batch, ask.length)))
    made = {
        "input_ids": random_ids(ask, "new token", (batch, 1)),
        "attention_mask": np.ones((batch, ask.length + 1), np.int64),
        "position_ids": np.full((batch, 1), ask.length, np.int64),
    }
    return {name: array for name, array in made.items() if name in names} | flat_past(layers)


def _past_of(ask: Any, prompt: Any) -> list[tuple[Any, Any]]:
    who, cache = type(ask.module).__name__, DynamicCache(config=ask.module.config)
    plain = (DynamicLayer, DynamicSlidingWindowLayer)
    if others := sorted({type(layer).__name__ for layer in cache.layers if type(layer) not in plain}):
        raise ExportUnsupported(f"{who} remembers in {', '.join(others)}, not in keys and values alone")
    with torch.no_grad():
        ask.module(input_ids=torch.from_numpy(prompt), past_key_values=cache, use_cache=True)
    if empty := [str(number) for number, layer in enumerate(cache.layers) if not layer.is_initialized]:
        raise ExportUnsupported(f"{who} keeps no keys and values in layers {', '.join(empty)}")
    if any(layer.keys.shape[2] != ask.length for layer in cache.layers):
        # Of what it has forgotten there would be no trace in flat tensors: the next token's place would be wrong.
        raise ExportUnsupported(f"{who} keeps fewer than {ask.length} tokens: give a smaller --length")
    return [(layer.keys.numpy(), layer.values.numpy()) for layer in cache.layers]
