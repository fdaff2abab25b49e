"""Roles → named numpy inputs, frozen from a seed. The words of `Task.inputs` are the keys of `ROLES`.

tokens           input_ids, attention_mask   int64 [batch, length]
decoder_tokens   decoder_input_ids           int64 [batch, decoder_length]
image            pixel_values                float32 [batch, channels, height, width]
audio            input_features              float32 [batch, mel bins, frames]
past             past_key_values.N.key …     float32 [batch, key-value heads, length, head size], beside one token each
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from exporters.seam import ExportFailed, ExportUnsupported
from exporters.zoo.data import first_attribute, sentences, table
from exporters.zoo.forward import forward_inputs
from exporters.zoo.past import step_inputs
from exporters.zoo.recipes import random_ids, shifted, smooth


@dataclass(frozen=True)
class Ask:
    """What the inputs must fit. `tokenizer` reads the sentences, None gives seeded ids; `module` says what it takes."""

    config: Any
    batch_size: int
    length: int | None
    seed: int
    tokenizer: Any = None
    module: Any = None

    def random(self, role: str) -> np.random.Generator:
        """Numbers of this role only, so that adding a role does not change the others'."""
        return np.random.default_rng([self.seed, crc32(role.encode())])


def make_inputs(roles: Iterable[str], ask: Ask) -> dict[str, Any]:
    """All inputs by name, in the order of the roles; with a module, exactly what its forward takes and needs.

    Raises ExportUnsupported for a role without a rule, ExportFailed `forward_…` for what the module needs and no rule
    makes.
    """
    roles = tuple(roles)
    if "past" in roles:
        return step_inputs(ask)
    if ask.module is not None:
        return forward_inputs(ask, _read_roles(roles, ask))
    made: dict[str, Any] = {}
    for role in roles:
        if role not in ROLES:
            raise ExportUnsupported(f"no rule makes inputs of the role {role!r}")
        made |= ROLES[role](ask)
    return made


def _read_roles(roles: tuple[str, ...], ask: Ask) -> dict[str, Any]:
    """What a tokenizer reads for the roles of text, by name; without a tokenizer nothing."""
    if ask.tokenizer is None:
        return {}
    made: dict[str, Any] = {}
    for role in roles:
        if role in ("tokens", "decoder_tokens"):
            made |= ROLES[role](ask)
    return made


def tokenizer_in(folder: Path) -> Any:
    """The folder's tokenizer, or None when it has none that transformers can read."""
    from transformers import AutoTokenizer

    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt")):
        return None
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    # A tokenizer that needs an absent package raises whatever that package's reader raises.
    except (OSError, ValueError, ImportError, KeyError, TypeError):
        return None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer if tokenizer.pad_token is not None else None


def _tokens(ask: Ask) -> dict[str, Any]:
    if ask.length is None:
        raise ExportFailed("length_missing", "this model has no size of its own; give --length")
    if ask.tokenizer is not None:
        return _read_sentences(ask, ask.length)
    ids = random_ids(ask, "tokens", (ask.batch_size, ask.length))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def _decoder_tokens(ask: Ask) -> dict[str, Any]:
    length = table("rules")["inputs"]["decoder_length"]
    if ask.tokenizer is not None:
        ids = _read_sentences(ask, length)["input_ids"]
    else:
        ids = random_ids(ask, "decoder_tokens", (ask.batch_size, length))
    return {"decoder_input_ids": shifted(ids, ask.config)}


def image_size(config: Any) -> tuple[int, int]:
    """Height and width of the images that a model takes; raises ExportUnsupported where its config names none."""
    size = first_attribute(config, table("rules")["inputs"]["image_size"])
    if size is None:
        raise ExportUnsupported(f"the config of {config.model_type} names no image size")
    height, width = (size, size) if isinstance(size, int) else tuple(size)[-2:]
    return height, width


def _image(ask: Ask) -> dict[str, Any]:
    rules = table("rules")["inputs"]
    height, width = image_size(ask.config)
    channels = first_attribute(ask.config, rules["image_channels"]) or rules["image_channels_default"]
    return {"pixel_values": smooth(ask.random("image"), (ask.batch_size, channels), (height, width))}


def _audio(ask: Ask) -> dict[str, Any]:
    rules = table("rules")["inputs"]
    bins = first_attribute(ask.config, rules["mel_bins"])
    positions = first_attribute(ask.config, rules["mel_positions"])
    if bins is None or positions is None:
        raise ExportUnsupported(f"the config of {ask.config.model_type} names no mel bins or positions")
    frames = positions * rules["mel_frames_per_position"]
    return {"input_features": smooth(ask.random("audio"), (ask.batch_size,), (bins, frames))}


ROLES = {"tokens": _tokens, "decoder_tokens": _decoder_tokens, "image": _image, "audio": _audio}


def texts_of(batch_size: int, first: int = 0) -> list[str]:
    """As many sentences as the batch has items, the first ones; `first` shifts them."""
    return [sentences()[(first + number) % len(sentences())] for number in range(batch_size)]


def _read_sentences(ask: Ask, length: int) -> dict[str, Any]:
    texts = texts_of(ask.batch_size)
    read = ask.tokenizer(texts, padding="max_length", truncation=True, max_length=length, return_tensors="np")
    return {name: np.asarray(read[name], dtype=np.int64) for name in ("input_ids", "attention_mask")}
